import { describe, expect, it } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import { observationGraph } from "../../compiler/training/observe.ts";
import { initialWeights } from "../../compiler/weights.ts";
import type { Batch } from "../../runtime/engine.ts";
import { Observer } from "../../runtime/runs/observe.ts";
import type { Observation } from "../../runtime/runs/records.ts";
import type { State } from "../../runtime/training/state.ts";
import { engines, f32, modelOf, numbers } from "../training/run-steps.ts";

/** Experts are x times a number and gates are fixed, so that everything can be worked out by hand. */
const byHand = modelOf(`import { mse } from "std/losses"
module Times(x: f32[B, n]) -> f32[B, n] {
  param k: f32[n] = 3
  return x * k
}
model ByHand {
  input x: f32[B, 2]
  input extra: f32[B, 3]?
  experts shared {
    double: f32[B, 2] = 2 * x
    scaled: f32[B, 2] = Times(x)
    far: f32[B, 2] = extra[:, 0:2]
  }
  routes way {
    near: f32[B, 2] = x
    other: f32[B, 2] = extra[:, 1:3]
  }
  let mixed = sum([e * (softmax(zeros([B, 3]) + tensor([0.0, 0.6931471805599453, 0.0])))[:, i][:, none] for e, i in shared])
  task a: regression { loss: mse, weight: 2.0, route: near }
  task b: regression { loss: mse, route: other }
  transfer a -> b = (h, source) => h + 0.5 * h
  flow per task { return ((mixed + 0 * way) |> transfers)[:, 0:1] }
}`);

function stateOf(model: CheckedModel): State {
  const weights = initialWeights({ params: model.parameters }, 3);
  return new Map(
    model.parameters.map(({ name, value }) => [`param/${name}`, f32(value.type.shape.map(Number), weights.get(name) ?? [])] as const),
  );
}

async function observe(model: CheckedModel, batches: readonly Batch[], state: State = stateOf(model)): Promise<Observation> {
  const observer = await Observer.open(model, engines.interpreter);
  const rowsOf = (batch: Batch) => [...batch.values()][0]?.shape[0] ?? 0;
  async function* read() {
    for (const tensors of batches) yield { tensors, rows: rowsOf(tensors) };
  }
  return observer.observe(state, read(), 0);
}

const batch: Batch = new Map([
  ["x", f32([4, 2], [1, 2, 3, 4, 0, 0, 1, 1])],
  ["extra", f32([4, 3], [0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0])],
  ["label/a", f32([4], [1, Number.NaN, 2, Number.NaN])],
  ["label/b", f32([4], [1, 2, 3, 4])],
]);

describe("what is observed", () => {
  it("is what closed forms give", async () => {
    const observed = await observe(byHand, [batch]);
    const squareOfX = (1 + 4 + 9 + 16 + 0 + 0 + 1 + 1) / 8;
    expect(observed.experts.double?.output).toBeCloseTo(2 * Math.sqrt(squareOfX), 6);
    expect(observed.experts.scaled?.output).toBeCloseTo(3 * Math.sqrt(squareOfX), 6);
    // the third row has no x; extra's first two columns are zeros in three rows
    expect(observed.experts.double?.missing).toBeCloseTo(0.25, 6);
    expect(observed.experts.far?.missing).toBeCloseTo(0.75, 6);
    expect(observed.routes).toEqual({ near: { defaults: 0.25 }, other: { defaults: 0.75 } });
    // softmax of (0, ln 2, 0) is (¼, ½, ¼), whose entropy is 1.5 bits of log₂ 3
    const [gate] = Object.values(observed.gates);
    expect(gate?.entries).toEqual(["double", "scaled", "far"]);
    gate?.weights.forEach((weight, i) => void expect(weight).toBeCloseTo([0.25, 0.5, 0.25][i] ?? 0, 6));
    expect(gate?.entropy).toBeCloseTo(1.5 / Math.log2(3), 6);
    expect(observed.transfers["a->b"]?.share).toBeCloseTo(0.5, 6);
    expect(observed.labels).toEqual({ a: 0.5, b: 1 });
    expect(observed.affinity).toBeNull();
    expect(observed.uncertainty).toEqual({});
  });

  it("has the gradient that the tasks' losses give each expert", async () => {
    // h = (2x·¼ + 3x·½ + extra·¼)[0]; the losses are 2·mean(h - y)² over rows 0 and 2 and mean(1.5 h - y)²: the gradient by k₀ is through x·½
    const [x, e] = [
      [1, 3, 0, 1],
      [0, 1, 0, 0],
    ] as const;
    const h = x.map((value, i) => 2 * value + 0.25 * (e[i] ?? 0));
    const a = [0, 2].reduce((sum, i) => sum + (2 * 2 * ((h[i] ?? 0) - ([1, 0, 2][i] ?? 0)) * 0.5 * (x[i] ?? 0)) / 2, 0);
    const b = [0, 1, 2, 3].reduce((sum, i) => sum + (2 * (1.5 * (h[i] ?? 0) - (i + 1)) * 1.5 * 0.5 * (x[i] ?? 0)) / 4, 0);
    const observed = await observe(byHand, [batch]);
    expect(observed.experts.scaled?.gradient).toBeCloseTo(Math.abs(a + b), 5);
    // Experts without parameters: the gradient of what they give, here with equal weights.
    expect(observed.experts.far?.gradient).toBeCloseTo(observed.experts.double?.gradient ?? 0, 6);
  });

  it("counts every row alike over batches of different sizes", async () => {
    const one: Batch = new Map(
      [...batch].map(([name, { shape, data }]) => [name, f32([1, ...shape.slice(1)], data.slice(0, data.length / 4))]),
    );
    const observed = await observe(byHand, [batch, one]);
    expect(observed.experts.double?.missing).toBeCloseTo(1 / 5, 6);
    expect(observed.experts.double?.output).toBeCloseTo(2 * Math.sqrt((32 + 5) / 10), 6);
  });

  it("takes affinity and log variances from the state", async () => {
    const state = new Map([
      ...stateOf(byHand),
      ["adatt/affinity", f32([2, 2], [1, -0.5, 0.25, 1])] as const,
      ["weighting/log_variance", f32([2], [0.5, -3])] as const,
    ]);
    const { affinity, uncertainty } = await observe(byHand, [batch], state);
    expect(affinity).toEqual({
      tasks: ["a", "b"],
      values: [
        [1, -0.5],
        [0.25, 1],
      ],
    });
    expect(uncertainty).toEqual({ a: 0.5, b: -3 });
    expect(numbers(state, "weighting/log_variance")).toEqual([0.5, -3]);
  });
});

describe("the full spec", () => {
  const [model] = checkFile("specs/ple_cluster_adatt.ple").models;
  if (model === undefined) throw new Error("the full spec has errors");
  const watched = observationGraph(model);

  it("is watched in all its parts, and the graph is sound", () => {
    verifyGraph(watched.graph.graph);
    const tasks = model.losses.map(({ task }) => task);
    expect(watched.experts).toEqual(model.banks[0]?.entries.map(({ name }) => name));
    expect(watched.gates.map(({ name }) => name).sort()).toEqual(tasks.map((task) => `cgc/${task}`).sort());
    for (const { slots } of watched.gates) expect(slots).toEqual(watched.experts);
    expect(watched.routes).toEqual(["journey", "lifecycle", "behavior"]);
    expect(watched.transfers).toEqual(model.transfers.map(({ from, to }) => `${from}->${to}`));
    expect(watched.tasks).toEqual(tasks);
    expect(new Set(watched.graph.graph.outputs.map(({ name }) => name)).size).toBe(3 * 8 + 2 * 16 + 3 + 2 * 5 + 16);
  });
});
