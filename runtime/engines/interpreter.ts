import { evaluateDim } from "../../compiler/ir/dim.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { makeArray } from "../../compiler/ir/ndarray.ts";
import { prune } from "../../compiler/passes/prune.ts";
import type { WeightSource } from "../../compiler/weights.ts";
import { type Batch, type Engine, makeTensor } from "../engine.ts";

/** The reference interpreter as an engine: float64 throughout, slow, without any library. */
export function interpreterEngine(graph: Graph, weights: WeightSource): Engine {
  const params = new Map(
    graph.params.map((param) => {
      const values = weights.get(param.name);
      if (values === undefined) throw new Error(`there are no weights for ${param.name}`);
      const shape = param.value.type.shape.map((dim) => evaluateDim(dim, new Map()));
      return [param.name, makeArray(shape, Float64Array.from(values))] as const;
    }),
  );
  return {
    name: "interpreter",
    async run(inputs: Batch, outputs: readonly string[] = graph.outputs.map((output) => output.name)): Promise<Batch> {
      const wanted = prune({ ...graph, outputs: graph.outputs.filter((output) => outputs.includes(output.name)) });
      const results = interpret(wanted, {
        inputs: new Map([...inputs].map(([name, { shape, data }]) => [name, makeArray(shape, Float64Array.from(data))])),
        params,
      });
      return new Map(
        wanted.outputs.map(({ name, value }) => {
          const result = results.get(name);
          if (result === undefined) throw new Error(`the interpreter gave no output ${name}`);
          return [name, makeTensor(value.type.dtype, result.shape, result.data)];
        }),
      );
    },
    async close() {},
  };
}
