import onnxProto from "onnx-proto";
import { formatDim } from "../ir/dim.ts";
import { float16Bits } from "../ir/float16.ts";
import type { Graph, TensorType } from "../ir/graph.ts";
import { sizeOf } from "../ir/ndarray.ts";
import { choosePrecision, singlePrecision } from "../passes/choose-precision.ts";
import type { WeightSource } from "../weights.ts";
import { lowerGraph, type OnnxGraph, type OnnxInitializer } from "./onnx-graph.ts";
import type { OnnxAttribute, OnnxDType, OnnxNode, OnnxOutput, OnnxSubgraph } from "./onnx-lowering.ts";

const { onnx } = onnxProto;

/** The operator sets that can be written, each with the IR version that it came with. */
export const opsets: ReadonlyMap<number, number> = new Map([
  [17, 8],
  [18, 8],
  [19, 9],
  [20, 9],
  [21, 10],
]);
export const defaultOpset = 17;
export const newestIrVersion = 10;

/** Protobuf messages hold less than this, and with them an ONNX file without external data. */
export const protobufLimit = 2 ** 31;
/** Smaller tensors stay in the model file, where tools that infer shapes look for them. */
const smallestExternal = 1024;
/** Tensors begin at multiples of this in the data file, so that it can be mapped into memory. */
const alignment = 4096;

const elementTypes: Readonly<Record<OnnxDType, number>> = {
  f32: onnx.TensorProto.DataType.FLOAT,
  f16: onnx.TensorProto.DataType.FLOAT16,
  i32: onnx.TensorProto.DataType.INT32,
  i64: onnx.TensorProto.DataType.INT64,
  bool: onnx.TensorProto.DataType.BOOL,
};

const elementSizes: Readonly<Record<OnnxDType, number>> = { f32: 4, f16: 2, i32: 4, i64: 8, bool: 1 };

export interface OnnxOptions {
  readonly weights: WeightSource;
  readonly metadata: Readonly<Record<string, string>>;
  readonly producerVersion: string;
  /** "fp16" computes in float16 what `choosePrecision` says; inputs and outputs stay float32. */
  readonly precision?: "fp32" | "fp16";
  /** One of `opsets`; 17 by default. */
  readonly opset?: number;
  /** At least the one of the opset, at most `newestIrVersion`. */
  readonly irVersion?: number;
}

export interface ExternalDataOptions {
  /** Name of the data file, in the folder of the model. */
  readonly location: string;
  /** "large" moves weights out of models that protobuf cannot hold. */
  readonly when: "always" | "large";
}

export interface OnnxFiles {
  readonly model: Uint8Array;
  /** The content of the data file, made while it is read; null when the model holds its weights itself. */
  readonly data: Iterable<Uint8Array> | null;
}

/**
 * The graph as the bytes of an ONNX model: IR version 8, opset 17 unless others are asked for. Every input of the graph is required, optional ones too:
 * whoever runs the model fills them (ONNX Runtime ignores values fed to an input that has a default). The same graph and options give the same bytes.
 *
 * @throws TooLargeForOneFile
 * @see https://onnx.ai/onnx/repo-docs/IR.html
 */
export function emitOnnx(graph: Graph, options: OnnxOptions): Uint8Array {
  const { lowered, encode } = lower(graph, options);
  if (isTooLarge(lowered)) throw new TooLargeForOneFile(weightBytes(lowered));
  return encode(lowered.initializers.map(encodeInitializer));
}

/** More weights than an ONNX file holds without a data file beside it. */
export class TooLargeForOneFile extends Error {
  override readonly name = "TooLargeForOneFile";
  readonly bytes: number;

  constructor(bytes: number) {
    super(`${bytes} bytes of weights do not fit into one ONNX file; they need a data file beside it`);
    this.bytes = bytes;
  }
}

function isTooLarge(lowered: OnnxGraph): boolean {
  // The nodes and names beside the weights take some space too.
  return weightBytes(lowered) + lowered.nodes.length * 1024 + (16 << 20) >= protobufLimit;
}

function weightBytes({ initializers }: OnnxGraph): number {
  return initializers.reduce((total, initializer) => total + byteLength(initializer), 0);
}

/** The graph as an ONNX model, its weights in a data file beside it where that is asked for or needed. */
export function emitOnnxFiles(graph: Graph, options: OnnxOptions, external: ExternalDataOptions): OnnxFiles {
  const { lowered, encode } = lower(graph, options);
  const { initializers } = lowered;
  if (external.when === "large" && !isTooLarge(lowered)) return { model: encode(initializers.map(encodeInitializer)), data: null };
  let end = 0;
  const moved: OnnxInitializer[] = [];
  const encoded = initializers.map((initializer) => {
    const length = byteLength(initializer);
    if (length < smallestExternal) return encodeInitializer(initializer);
    const offset = aligned(end);
    end = offset + length;
    moved.push(initializer);
    const { name, dtype, shape } = initializer;
    const entries = { location: external.location, offset: String(offset), length: String(length) };
    return {
      name,
      dims: [...shape],
      dataType: elementTypes[dtype],
      dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
      externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
    };
  });
  return { model: encode(encoded), data: externalBytes(moved) };
}

function* externalBytes(initializers: readonly OnnxInitializer[]): Iterable<Uint8Array> {
  let end = 0;
  for (const initializer of initializers) {
    const gap = aligned(end) - end;
    if (gap > 0) yield new Uint8Array(gap);
    yield rawBytes(initializer);
    end += gap + byteLength(initializer);
  }
}

function aligned(offset: number): number {
  return Math.ceil(offset / alignment) * alignment;
}

function byteLength({ dtype, shape }: OnnxInitializer): number {
  return sizeOf(shape) * elementSizes[dtype];
}

function lower(graph: Graph, { weights, metadata, producerVersion, precision, opset = defaultOpset, irVersion }: OnnxOptions) {
  const released = opsets.get(opset);
  if (released === undefined) throw new Error(`opset ${opset} cannot be written`);
  const lowered = lowerGraph(graph, {
    weights,
    opset,
    precision: precision === "fp16" ? choosePrecision(graph, weights) : singlePrecision,
  });
  const encode = (initializer: onnxProto.onnx.ITensorProto[]) => {
    const model = onnx.ModelProto.create({
      irVersion: irVersion ?? released,
      producerName: "plec",
      producerVersion,
      opsetImport: [{ domain: "", version: opset }],
      metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
      graph: {
        name: graph.name,
        node: lowered.nodes.map(encodeNode),
        initializer,
        input: graph.inputs.map(({ name, value, doc }) => ({ ...encodeValueInfo(name, value.type), docString: doc ?? "" })),
        output: graph.outputs.map(({ name, value, doc }) => ({ ...encodeValueInfo(name, value.type), docString: doc ?? "" })),
      },
    });
    return onnx.ModelProto.encode(model).finish();
  };
  return { lowered, encode };
}

function encodeNode({ type, name, inputs, outputs, attributes }: OnnxNode) {
  return {
    opType: type,
    name,
    input: [...inputs],
    output: [...outputs],
    attribute: Object.entries(attributes).map(([key, value]) => encodeAttribute(key, value)),
  };
}

function encodeAttribute(name: string, value: OnnxAttribute): onnxProto.onnx.IAttributeProto {
  const { AttributeType } = onnx.AttributeProto;
  if (typeof value === "number") return { name, type: AttributeType.INT, i: value };
  if (typeof value === "string") return { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) };
  if ("float" in value) return { name, type: AttributeType.FLOAT, f: value.float };
  if ("kind" in value) return { name, type: AttributeType.GRAPH, g: encodeSubgraph(name, value) };
  return { name, type: AttributeType.INTS, ints: [...value] };
}

function encodeSubgraph(name: string, { nodes, inputs, outputs }: OnnxSubgraph): onnxProto.onnx.IGraphProto {
  const withoutShape = (value: OnnxOutput) => ({ name: value.name, type: { tensorType: { elemType: elementTypes[value.dtype] } } });
  return { name, node: nodes.map(encodeNode), input: inputs.map(withoutShape), output: outputs.map(withoutShape) };
}

function encodeValueInfo(name: string, { dtype, shape }: TensorType): onnxProto.onnx.IValueInfoProto {
  const dim = shape.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: formatDim(size) }));
  return { name, type: { tensorType: { elemType: elementTypes[dtype], shape: { dim } } } };
}

function encodeInitializer(initializer: OnnxInitializer): onnxProto.onnx.ITensorProto {
  const { name, dtype, shape } = initializer;
  return { name, dims: [...shape], dataType: elementTypes[dtype], rawData: rawBytes(initializer) };
}

/** Little-endian bytes, as ONNX wants them. */
function rawBytes({ dtype, read }: OnnxInitializer): Uint8Array {
  const values = typedValues(dtype, read());
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function typedValues(dtype: OnnxDType, data: ArrayLike<number>): Float32Array | Uint16Array | Int32Array | BigInt64Array | Uint8Array {
  if (dtype === "f32") return data instanceof Float32Array ? data : Float32Array.from(data);
  if (dtype === "f16") return Uint16Array.from(data, float16Bits);
  if (dtype === "i32") return Int32Array.from(data);
  if (dtype === "i64") return BigInt64Array.from(Array.from(data, BigInt));
  return Uint8Array.from(data);
}
