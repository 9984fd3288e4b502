import { emitOnnx } from "../compiler/emit/onnx.ts";
import { GraphBuilder } from "../compiler/ir/builder.ts";
import { evaluateDim } from "../compiler/ir/dim.ts";
import type { Graph, GraphInput, Node, Value } from "../compiler/ir/graph.ts";
import { makeTensor } from "../runtime/engine.ts";
import { onnxRuntimeEngine } from "../runtime/engines/onnxruntime.ts";

/** Floating-point operations of the matrix products of a graph: 2 m k n for each, those of loops as often as they run. */
export function productFlops(nodes: readonly Node[], symbols: ReadonlyMap<string, number>): number {
  const sizeOf = ({ type }: Value) => type.shape.reduce<number>((size, dim) => size * evaluateDim(dim, symbols), 1);
  return nodes.reduce((sum, node) => {
    if (node.op === "matmul")
      return sum + 2 * sizeOf(node.outputs[0] as Value) * evaluateDim((node.inputs[0] as Value).type.shape.at(-1) ?? 0, symbols);
    if (node.op !== "scan") return sum;
    const { axis, states, body } = node.attributes;
    return sum + evaluateDim((node.inputs[states] as Value).type.shape[axis] ?? 0, symbols) * productFlops(body.nodes, symbols);
  }, 0);
}

export interface MatmulRate {
  /** Floating-point operations per second of a product of two matrices of 1,024 × 1,024, just now. */
  measure(): Promise<number>;
  close(): Promise<void>;
}

/** What this machine's arithmetic gives on ONNX Runtime. */
export async function matmulRate(): Promise<MatmulRate> {
  const size = 1024;
  const builder = new GraphBuilder();
  const origin = { path: "product", span: null };
  const inputs = ["a", "b"].map((name): GraphInput => {
    const [value] = builder.add("input", [], { name, dtype: "f32", shape: [size, size] }, origin) as readonly [Value];
    return { name, value, optional: false, fill: 0, vocabulary: null, doc: null };
  });
  const [product] = builder.add(
    "matmul",
    inputs.map(({ value }) => value),
    {},
    origin,
  ) as readonly [Value];
  const graph: Graph = { name: "product", inputs, params: [], nodes: builder.nodes, outputs: [{ name: "c", value: product, doc: null }] };
  const engine = await onnxRuntimeEngine(emitOnnx(graph, { weights: new Map(), metadata: {}, producerVersion: "bench" }));
  const matrix = makeTensor("f32", [size, size], new Float32Array(size * size).fill(0.5));
  const feeds = new Map(inputs.map(({ name }) => [name, matrix]));
  await engine.run(feeds);
  return {
    async measure() {
      const runs = 8;
      const start = performance.now();
      for (let i = 0; i < runs; i++) await engine.run(feeds);
      return (runs * 2 * size ** 3 * 1000) / (performance.now() - start);
    },
    close: () => engine.close(),
  };
}
