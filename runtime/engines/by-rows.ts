import { bindDims } from "../../compiler/ir/bind-dims.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { fixDims } from "../../compiler/passes/fix-dims.ts";
import type { Batch, Engine } from "../engine.ts";

/** Sizes that stay open: whole batches, and what is left of an epoch. */
const openSizes = 2;

/**
 * An engine that opens a graph anew for each number of rows `B` that it meets, with every dim that follows from it a number. ONNX Runtime then knows which tensor
 * can take over the memory of which, so that a large graph loads in seconds and runs in place.
 */
export function engineByRows(graph: Graph, name: string, open: (fixed: Graph) => Promise<Engine>): Engine {
  /** By number of rows, the one used last at the end. */
  const engines = new Map<number, Promise<Engine>>();
  const engineFor = async (rows: number): Promise<Engine> => {
    const engine = engines.get(rows) ?? open(fixDims(graph, new Map([["B", rows]])));
    engines.delete(rows);
    engines.set(rows, engine);
    const [oldest] = engines.keys();
    if (engines.size > openSizes && oldest !== undefined) {
      const closing = engines.get(oldest);
      engines.delete(oldest);
      await (await closing)?.close();
    }
    return engine;
  };
  return {
    name,
    async run(inputs: Batch, outputs?: readonly string[]): Promise<Batch> {
      const bound = bindDims(graph.inputs, new Map([...inputs].map(([input, { shape }]) => [input, shape])));
      if (bound.kind === "conflict") throw new Error(bound.message);
      const engine = await engineFor(bound.symbols.get("B") ?? 1);
      return engine.run(inputs, outputs);
    },
    async close() {
      for (const engine of engines.values()) await (await engine).close();
      engines.clear();
    },
  };
}
