import type { Dim } from "../ir/dim.ts";
import type { DType, Graph, TensorType } from "../ir/graph.ts";
import type { WeightSource } from "../weights.ts";
import { lowerToTensorFlow, type TensorFlowConstant } from "./tensorflow-graph.ts";
import type { TensorFlowAttribute, TensorFlowNode } from "./tensorflow-lowering.ts";

/** What `tf.loadGraphModel` takes from a handler: the topology, and all weights in one piece. */
export interface GraphModelArtifacts {
  readonly format: "graph-model";
  readonly generatedBy: string;
  readonly convertedBy: string;
  readonly modelTopology: object;
  readonly signature: object;
  readonly userDefinedMetadata: Readonly<Record<string, unknown>>;
  readonly weightSpecs: readonly WeightSpec[];
  readonly weightData: ArrayBuffer;
}

export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: "float32" | "int32" | "bool";
}

export interface GraphModelOptions {
  readonly weights: WeightSource;
  readonly metadata: Readonly<Record<string, string>>;
  readonly producerVersion: string;
}

const tensorFlowTypes: Readonly<Record<DType, string>> = { f32: "DT_FLOAT", i32: "DT_INT32", bool: "DT_BOOL" };
const weightTypes: Readonly<Record<DType, WeightSpec["dtype"]>> = { f32: "float32", i32: "int32", bool: "bool" };

/**
 * The graph as a TensorFlow.js GraphModel, whose signature has the names of the model's inputs and outputs; `predict` returns the outputs by name. Every
 * input is required, optional ones too, as in ONNX. The same graph and options give the same model.
 *
 * @see https://github.com/tensorflow/tfjs/blob/master/tfjs-core/src/io/types.ts, ModelArtifacts
 */
export function emitGraphModel(graph: Graph, { weights, metadata, producerVersion }: GraphModelOptions): GraphModelArtifacts {
  const { nodes, constants } = lowerToTensorFlow(graph, weights);
  const entries = (items: readonly { readonly name: string; readonly value: { readonly type: TensorType } }[]) =>
    Object.fromEntries(items.map(({ name, value }) => [name, describeTensor(name, value.type)]));
  return {
    format: "graph-model",
    generatedBy: `plec ${producerVersion}`,
    convertedBy: `plec ${producerVersion}`,
    modelTopology: { node: nodes.map(encodeNode), library: {}, versions: { producer: 1 } },
    signature: { inputs: entries(graph.inputs), outputs: entries(graph.outputs) },
    userDefinedMetadata: { structuredOutputKeys: graph.outputs.map((output) => output.name), plec: metadata },
    weightSpecs: constants.map(({ name, shape, dtype }) => ({ name, shape, dtype: weightTypes[dtype] })),
    weightData: joinWeights(constants),
  };
}

/** Sizes of weight files: what browsers cache. */
const shardBytes = 4 << 20;

export interface GraphModelFile {
  readonly name: string;
  readonly content: string | Uint8Array;
}

/** The files of a GraphModel: `model.json`, and the weights in shards of 4 MB. */
export function graphModelFiles({ weightSpecs, weightData, ...model }: GraphModelArtifacts): readonly GraphModelFile[] {
  const count = Math.ceil(weightData.byteLength / shardBytes);
  const shards = Array.from({ length: count }, (_, i) => ({
    name: `group1-shard${i + 1}of${count}.bin`,
    content: new Uint8Array(weightData, i * shardBytes, Math.min(shardBytes, weightData.byteLength - i * shardBytes)),
  }));
  const manifest = [{ paths: shards.map((shard) => shard.name), weights: weightSpecs }];
  return [{ name: "model.json", content: JSON.stringify({ ...model, weightsManifest: manifest }) }, ...shards];
}

function describeTensor(name: string, { dtype, shape }: TensorType): object {
  return { name: `${name}:0`, dtype: tensorFlowTypes[dtype], tensorShape: encodeShape(shape) };
}

function encodeNode({ op, name, inputs, attributes }: TensorFlowNode): object {
  return {
    name,
    op,
    ...(inputs.length === 0 ? {} : { input: inputs }),
    attr: Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, encodeAttribute(value)])),
  };
}

/** As Protocol Buffers write an AttrValue in JSON: 64-bit integers are text. */
function encodeAttribute(value: TensorFlowAttribute): object {
  if (typeof value === "number") return { i: String(value) };
  if (typeof value === "boolean") return { b: value };
  return "dtype" in value ? { type: tensorFlowTypes[value.dtype] } : { shape: encodeShape(value.shape) };
}

function encodeShape(shape: readonly Dim[]): object {
  return { dim: shape.map((dim) => ({ size: typeof dim === "number" ? String(dim) : "-1" })) };
}

/** Little-endian values one after another, in the order of the specs. */
function joinWeights(constants: readonly TensorFlowConstant[]): ArrayBuffer {
  const parts = constants.map(({ dtype, data }) => bytesOf(dtype, data));
  const joined = new Uint8Array(parts.reduce((total, part) => total + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.byteLength;
  }
  return joined.buffer;
}

function bytesOf(dtype: DType, data: ArrayLike<number>): Uint8Array {
  if (dtype === "bool") return Uint8Array.from(data);
  const values = dtype === "i32" ? Int32Array.from(data) : data instanceof Float32Array ? data : Float32Array.from(data);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
