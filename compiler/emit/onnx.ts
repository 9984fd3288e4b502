import onnxProto from "onnx-proto";
import { formatDim } from "../ir/dim.ts";
import type { DType, Graph, TensorType } from "../ir/graph.ts";
import { lowerGraph, type OnnxInitializer } from "./onnx-graph.ts";
import type { OnnxAttribute, OnnxDType, OnnxNode, OnnxOutput, OnnxSubgraph } from "./onnx-lowering.ts";

const { onnx } = onnxProto;
const irVersion = 8;
const opset = 17;

const elementTypes: Readonly<Record<OnnxDType, number>> = {
  f32: onnx.TensorProto.DataType.FLOAT,
  i32: onnx.TensorProto.DataType.INT32,
  i64: onnx.TensorProto.DataType.INT64,
  bool: onnx.TensorProto.DataType.BOOL,
};

export interface OnnxOptions {
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly producerVersion: string;
}

/**
 * The graph as the bytes of an ONNX model: IR version 8, opset 17. Every input of the graph is required, optional ones too: whoever runs the model fills
 * them (ONNX Runtime ignores values fed to an input that has a default). The same graph and options give the same bytes.
 *
 * @see https://onnx.ai/onnx/repo-docs/IR.html
 */
export function emitOnnx(graph: Graph, { weights, metadata, producerVersion }: OnnxOptions): Uint8Array {
  const lowered = lowerGraph(graph, weights);
  const model = onnx.ModelProto.create({
    irVersion,
    producerName: "plec",
    producerVersion,
    opsetImport: [{ domain: "", version: opset }],
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    graph: {
      name: graph.name,
      node: lowered.nodes.map(encodeNode),
      initializer: lowered.initializers.map(encodeInitializer),
      input: graph.inputs.map(({ name, value, doc }) => ({ ...encodeValueInfo(name, value.type), docString: doc ?? "" })),
      output: graph.outputs.map(({ name, value, doc }) => ({ ...encodeValueInfo(name, value.type), docString: doc ?? "" })),
    },
  });
  return onnx.ModelProto.encode(model).finish();
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

function encodeInitializer({ name, dtype, shape, data }: OnnxInitializer): onnxProto.onnx.ITensorProto {
  return { name, dims: [...shape], dataType: elementTypes[dtype], rawData: rawBytes(dtype, data) };
}

/** Little-endian bytes, as ONNX wants them. */
function rawBytes(dtype: DType | "i64", data: ArrayLike<number>): Uint8Array {
  const values = typedValues(dtype, data);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function typedValues(dtype: DType | "i64", data: ArrayLike<number>): Float32Array | Int32Array | BigInt64Array | Uint8Array {
  if (dtype === "f32") return data instanceof Float32Array ? data : Float32Array.from(data);
  if (dtype === "i32") return Int32Array.from(data);
  if (dtype === "i64") return BigInt64Array.from(Array.from(data, BigInt));
  return Uint8Array.from(data);
}
