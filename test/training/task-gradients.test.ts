import { describe, expect, test } from "vitest";
import { differentiate } from "../../compiler/autodiff/differentiate.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { makeArray, type NdArray, sizeOf } from "../../compiler/ir/ndarray.ts";
import { buildForward } from "../../compiler/training/forward.ts";
import { taskGradients } from "../../compiler/training/gradients.ts";
import { StepGraph } from "../../compiler/training/step-graph.ts";
import { taskTerms } from "../../compiler/training/terms.ts";
import { sharedValues } from "../../compiler/training/trainable.ts";
import { initialWeights } from "../../compiler/weights.ts";
import { modelOf, uniform } from "./run-steps.ts";
import { plantedBatch, smallSpec } from "./small-model.ts";

const model = modelOf(smallSpec("optimizer: adamw()"));
const count = model.losses.length;

/** The tasks' losses, and for each of them the gradient by every parameter of the shared experts. */
function build(): { readonly graph: Graph; readonly wrt: readonly string[]; readonly alone: number; readonly forward: number } {
  const step = new StepGraph();
  const { copyOf, params } = buildForward(model, step, { dropout: false });
  const terms = taskTerms(model, copyOf, step.formula("loss"));
  const shared = sharedValues(model, ["shared"], "the test");
  const wrt = shared.map(copyOf);
  const nameOf = (i: number) => params.find(({ value }) => value === wrt[i])?.param.name ?? "";
  for (const { task, loss } of terms) step.output(`loss/${task}`, loss, null);
  const forward = step.finish("forward").graph.nodes.length;
  // One sweep at a time, each on a graph of its own with a forward pass of its own.
  const separate = terms.map((_, i) => {
    const own = new StepGraph();
    const ownForward = buildForward(model, own, { dropout: false });
    const loss = taskTerms(model, ownForward.copyOf, own.formula("loss"))[i]?.loss;
    if (loss === undefined) throw new Error("there is no such task");
    const gradients = differentiate(own.builder, [{ value: loss, cotangent: own.formula("g").scalar(1) }], shared.map(ownForward.copyOf));
    for (const [at, gradient] of gradients.entries()) if (gradient !== null) own.output(`g/${at}`, gradient, null);
    return own.finish("alone").graph.nodes.length;
  });
  const { stacked, products } = taskGradients(
    step.formula("gradients"),
    terms.map(({ loss }) => loss),
    wrt,
  );
  for (const { of, rows } of stacked) step.output(`gradient/${nameOf(wrt.indexOf(of))}`, rows, null);
  step.output("products", products, null);
  const { graph } = step.finish("gradients");
  return { graph, wrt: wrt.map((_, i) => nameOf(i)), alone: separate.reduce((sum, nodes) => sum + nodes, 0), forward };
}

const { graph, wrt, alone, forward } = build();

const weights = initialWeights({ params: model.parameters }, 3);
const next = uniform(7);
const point = new Map<string, NdArray>(
  graph.inputs.flatMap(({ name, value }) => {
    const shape = value.type.shape as readonly number[];
    const values = weights.get(name.replace("param/", ""));
    // Away from where training starts, at which gates are even.
    if (name.startsWith("param/"))
      return [
        [
          name,
          makeArray(
            shape,
            Float64Array.from(values ?? [], (v) => v + 0.2 * next()),
          ),
        ] as const,
      ];
    const fed = plantedBatch(model, 0, 6).get(name);
    return fed === undefined ? [] : [[name, makeArray(fed.shape, Float64Array.from(fed.data))] as const];
  }),
);
const run = (at: ReadonlyMap<string, NdArray>) => interpret(graph, { inputs: at, params: new Map() });
const found = run(point);

describe("gradients of every task over the shared experts, in one graph", () => {
  test("are those of differences, for each task on its own", () => {
    const directions = new Map(
      wrt.map((name) => [name, Float64Array.from({ length: sizeOf(point.get(`param/${name}`)?.shape ?? []) }, next)]),
    );
    const moved = (by: number) =>
      run(
        new Map(
          [...point].map(([name, { shape, data }]) => {
            const direction = directions.get(name.replace("param/", ""));
            return [
              name,
              makeArray(
                shape,
                data.map((v, i) => v + by * (direction?.[i] ?? 0)),
              ),
            ];
          }),
        ),
      );
    const [up, down] = [moved(1e-5), moved(-1e-5)];
    let steepest = 0;
    for (const [i, { task }] of model.losses.entries()) {
      const expected = ((up.get(`loss/${task}`)?.data[0] ?? Number.NaN) - (down.get(`loss/${task}`)?.data[0] ?? Number.NaN)) / 2e-5;
      let slope = 0;
      for (const name of wrt) {
        const rows = found.get(`gradient/${name}`);
        const direction = directions.get(name) ?? new Float64Array();
        if (rows === undefined) continue;
        expect(rows.shape).toEqual([count, direction.length]);
        for (const [j, d] of direction.entries()) slope += d * (rows.data[i * direction.length + j] ?? Number.NaN);
      }
      expect(Math.abs(slope - expected) / Math.max(1, Math.abs(expected)), task).toBeLessThan(1e-6);
      steepest = Math.max(steepest, Math.abs(expected));
    }
    expect(steepest).toBeGreaterThan(0.01);
  });

  test("have their inner products beside them", () => {
    const rows = wrt.flatMap((name) => found.get(`gradient/${name}`) ?? []);
    const { data = [] } = found.get("products") ?? {};
    for (let i = 0; i < count; i++)
      for (let j = 0; j < count; j++) {
        const dot = rows.reduce(
          (sum, { data, shape: [, n = 0] }) =>
            sum + Array.from({ length: n }, (_, k) => (data[i * n + k] ?? 0) * (data[j * n + k] ?? 0)).reduce((a, b) => a + b, 0),
          0,
        );
        expect(data[i * count + j]).toBeCloseTo(dot, 9);
      }
  });

  test("share one forward pass and what their sweeps have in common", () => {
    // Five graphs of one task each run the forward pass five times.
    expect(graph.nodes.length).toBeLessThan(alone - forward);
    const tanhs = graph.nodes.filter(({ op, path }) => op === "tanh" && path.startsWith("shared/causal"));
    expect(tanhs).toHaveLength(1);
  });
});
