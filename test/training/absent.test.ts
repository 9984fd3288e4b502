import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import { evaluationGraph } from "../../compiler/training/evaluation.ts";
import { observationGraph } from "../../compiler/training/observe.ts";
import type { TrainingGraph } from "../../compiler/training/step.ts";
import { drawWeights, initialWeights } from "../../compiler/weights.ts";
import type { Batch } from "../../runtime/engine.ts";
import { initialState, stepScalars } from "../../runtime/training/state.ts";
import { engines, f32, modelOf, numbers, plantedLabels, stepOf, train, uniform } from "./run-steps.ts";

const [model] = checkFile("examples/customers/customers.ple").models as [CheckedModel];
const names = new Set(["social", "visits"]);
const absent = { names, weights: drawWeights({ params: model.parameters }, 3) };
const rows = 6;

/** Absent inputs hold their fill. */
function batch(step: number): Batch {
  const next = uniform(40 + step);
  const inputs = model.inputs.map(({ name, shape, fill }) => {
    const width = Number(shape[1]);
    return [
      name,
      f32(
        [rows, width],
        Array.from({ length: rows * width }, () => (names.has(name) ? fill : next())),
      ),
    ] as const;
  });
  return new Map([...inputs, ...plantedLabels(model, Array.from({ length: rows }, next))]);
}

const inputsOf = ({ graph }: TrainingGraph): readonly string[] => graph.inputs.map(({ name }) => name).filter((name) => names.has(name));

describe("inputs that no batch has", () => {
  test("are folded out of a step that trains as if their fills were fed", async () => {
    const [whole, folded] = [stepOf(model, { dropout: false }), stepOf(model, { dropout: false, absent })];
    expect(inputsOf(whole)).toEqual(["visits", "social"]);
    expect(inputsOf(folded)).toEqual([]);
    expect(folded.state).toEqual(whole.state);
    const run = { steps: 3, batch, epochOf: (step: number) => step };
    const [fed, left] = [await train(model, { ...run, step: whole }), await train(model, { ...run, step: folded })];
    for (const name of fed.state.keys()) {
      const [wanted, found] = [numbers(fed.state, name), numbers(left.state, name)];
      for (const [i, value] of wanted.entries()) expect(Math.abs((found[i] as number) - value), name).toBeLessThan(1e-6);
    }
    for (const [i, report] of fed.reports.entries())
      for (const [name, value] of report) expect(left.reports[i]?.get(name), name).toBeCloseTo(value, 5);
  });

  test.each([
    ["measures", evaluationGraph(model), evaluationGraph(model, absent)],
    ["looks inside", observationGraph(model).graph, observationGraph(model, absent).graph],
  ] as const)("are folded out of the graph that %s, which gives the same", async (_, whole, folded) => {
    expect(inputsOf(folded)).toEqual([]);
    const run = async (graph: TrainingGraph) => {
      const engine = await engines.interpreter(graph);
      const state = initialState(graph.state, initialWeights({ params: model.parameters }, 3));
      const given = new Map([...state, ...batch(0), ...stepScalars({ epoch: 1, step: 0, seed: 0 })]);
      return engine.run(new Map(graph.graph.inputs.map(({ name }) => [name, given.get(name) ?? f32([], [Number.NaN])])));
    };
    const [fed, left] = [await run(whole), await run(folded)];
    expect([...left.keys()]).toEqual([...fed.keys()]);
    for (const [name, { shape, data }] of fed) {
      expect(left.get(name)?.shape, name).toEqual(shape);
      for (const [i, value] of data.entries()) expect(left.get(name)?.data[i], name).toBeCloseTo(value, 5);
    }
  });

  test("leave dropout and gradient stops where they are", async () => {
    const text = readFileSync("examples/customers/customers.ple", "utf8")
      .replace("Dense(places, [24, 16])", "stop_gradient(Dense(places, [24, 16], dropout: 0.5))")
      .replace("weight_decay: 0.01", "weight_decay: 0");
    const stopped = modelOf(text);
    const own = { names, weights: drawWeights({ params: stopped.parameters }, 3) };
    const [dropped, kept] = [stepOf(stopped, { absent: own }), stepOf(stopped, { absent: own, dropout: false })];
    const [some, all] = [await train(stopped, { steps: 1, batch, step: dropped }), await train(stopped, { steps: 1, batch, step: kept })];
    expect(some.reports[0]?.get("metric/total")).not.toBeCloseTo(all.reports[0]?.get("metric/total") ?? 0, 3);
    const begun = initialWeights({ params: stopped.parameters }, 3);
    const moved = stopped.parameters.filter(({ name }) =>
      numbers(some.state, `param/${name}`).some((value, i) => value !== begun.get(name)?.[i]),
    );
    const folders = new Set(moved.map(({ name }) => name.split("/").slice(0, 2).join("/")));
    expect(folders).toContain("shared/buyer");
    expect(folders).not.toContain("shared/traveller");
  });

  test("take their recurrences with them", { timeout: 60_000 }, () => {
    const [full] = checkFile("specs/ple_cluster_adatt.ple").models as [CheckedModel];
    const sequences = { names: new Set(["txn_seq", "session_seq"]), weights: drawWeights({ params: full.parameters }, 3) };
    const loops = ({ graph }: TrainingGraph) => graph.nodes.filter(({ op }) => op === "scan" || op === "linear_scan").length;
    expect(loops(stepOf(full))).toBeGreaterThan(0);
    expect(loops(stepOf(full, { absent: sequences }))).toBe(0);
  });
});
