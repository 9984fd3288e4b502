import { beforeAll, describe, expect, test } from "vitest";
import { evaluateDim } from "../../compiler/ir/dim.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { makeArray, type NdArray, sizeOf } from "../../compiler/ir/ndarray.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import { initialWeights } from "../../compiler/weights.ts";
import { noise, rowOf, tensor } from "../std/build-library.ts";
import { at, distance, rows, sum } from "../std/reference.ts";
import { checkSpec, editSpec, modelOf, specFiles } from "./checked-specs.ts";

const batch = 3;

type Inputs = ReadonlyMap<string, NdArray>;

function makeInputs(model: CheckedModel, present: (name: string, optional: boolean) => boolean = () => true): Inputs {
  return new Map(
    model.inputs
      .filter(({ name, optional }) => present(name, optional))
      .map(({ name, shape, vocabulary }, i) => {
        const sizes = shape.map((dim) => evaluateDim(dim, new Map([["B", batch]])));
        if (vocabulary !== null) return [name, tensor(sizes, (row) => (7 * row + i) % vocabulary)];
        return [name, noise(sizes, 10 + i, 0.5)];
      }),
  );
}

/** Runs a model with fresh weights, some of them replaced. */
function runner(model: CheckedModel): (inputs: Inputs, replaced?: Inputs) => Inputs {
  const shapes = new Map(model.graph.params.map(({ name, value }) => [name, value.type.shape as readonly number[]]));
  const params = [...initialWeights(model.graph, 3)].map(
    ([name, values]) => [name, makeArray(shapes.get(name) ?? [], Float64Array.from(values))] as const,
  );
  return (inputs, replaced = new Map()) => interpret(model.graph, { inputs, params: new Map([...params, ...replaced]) });
}

/** The same rows in another order. */
function reversed({ shape, data }: NdArray): NdArray {
  const size = sizeOf(shape.slice(1));
  return makeArray(
    shape,
    data.map((_, i) => at(data, (batch - 1 - Math.floor(i / size)) * size + (i % size))),
  );
}

function reverseAll(arrays: Inputs): Inputs {
  return new Map([...arrays].map(([name, value]) => [name, reversed(value)]));
}

/** The largest difference over all outputs. */
function difference(a: Inputs, b: Inputs): number {
  return Math.max(...[...a].map(([name, value]) => distance(value.data, b.get(name)?.data ?? [])));
}

describe.each(specFiles.filter((name) => name !== "ple_cluster_adatt.ple"))("%s with fresh weights", (name) => {
  const model = modelOf(checkSpec(name));
  const run = runner(model);
  const inputs = makeInputs(model);
  const outputs = run(inputs);

  test("predicts probabilities for each row, which differ between rows", () => {
    for (const { name: task } of model.tasks) {
      const p = outputs.get(task)?.data ?? [];
      expect(p).toHaveLength(batch);
      for (const value of p) expect(value > 0 && value < 1).toBe(true);
      expect(new Set(p).size).toBe(batch);
    }
  });

  test("treats every row alike and alone", () => expect(difference(reverseAll(outputs), run(reverseAll(inputs)))).toBeLessThan(1e-12));

  test("gates are distributions over experts", () => {
    const gates = model.outputs.filter((output) => /gate/.test(output.name));
    for (const gate of gates)
      for (const row of rows(outputs.get(gate.name) ?? tensor([0, 1], () => 0))) expect(sum(row)).toBeCloseTo(1, 12);
  });
});

describe("ESMM", () => {
  test("p(click and buy) is p(click) times p(buy | click)", () => {
    const model = modelOf(checkSpec("esmm.ple"));
    const outputs = runner(model)(makeInputs(model));
    const [ctr, cvr, ctcvr] = ["ctr", "cvr", "ctcvr"].map((name) => outputs.get(name)?.data ?? new Float64Array());
    expect(
      distance(
        ctcvr ?? [],
        [...(ctr ?? [])].map((p, i) => p * at(cvr ?? [], i)),
      ),
    ).toBeLessThan(1e-14);
  });
});

describe("STEM", () => {
  test("a task reads what the others embed, although it does not train it", () => {
    const model = modelOf(checkSpec("stem.ple"));
    const run = runner(model);
    const inputs = makeInputs(model);
    const table = model.parameters.find(({ name }) => name.startsWith("private/buy"));
    const shape = table?.value.type.shape as readonly number[];
    const after = run(inputs, new Map([[table?.name ?? "", noise(shape, 5)]]));
    const moved = [...run(inputs)].filter(([name, { data }]) => distance(data, after.get(name)?.data ?? []) > 1e-9).map(([name]) => name);
    expect(moved).toEqual(["click", "cart", "buy", "gates/buy"]);
  });
});

describe("PEPNet", () => {
  test("embeddings are scaled by numbers from 0 to 2", () => {
    const model = modelOf(checkSpec("pepnet.ple"));
    const scale = runner(model)(makeInputs(model)).get("embedding_scale") ?? tensor([0], () => 0);
    expect(scale.shape).toEqual([batch, 80]);
    expect(scale.data.every((v) => v > 0 && v < 2)).toBe(true);
  });
});

describe("PLE-Cluster-adaTT with fresh weights", () => {
  // Short sequences and small diagrams, so that a run in float64 takes a moment; nothing else of the spec depends on their length.
  const model = modelOf(
    editSpec(
      "ple_cluster_adatt.ple",
      [/f32\[B, 200/g, "f32[B, 6"],
      [/f32\[B, 150/g, "f32[B, 5"],
      ["f32[B, 180, 16]", "f32[B, 8, 16]"],
      ["f32[B, 90, 8]", "f32[B, 7, 8]"],
    ),
  );
  const run = runner(model);
  const inputs = makeInputs(model);
  let outputs: Inputs = new Map();
  beforeAll(() => {
    outputs = run(inputs);
  });

  test("every output is finite", () => {
    for (const [name, { data }] of outputs) expect([name, data.every(Number.isFinite)]).toEqual([name, true]);
  });

  test("predictions are what their kinds say", () => {
    for (const task of model.tasks.filter(({ enabled }) => enabled)) {
      const prediction = outputs.get(task.name) ?? tensor([0], () => 0);
      expect([task.name, ...prediction.shape]).toEqual([task.name, batch, ...(task.width === 1 ? [] : [task.width])]);
      if (task.kind === "binary") expect(prediction.data.every((p) => p > 0 && p < 1)).toBe(true);
      if (task.kind === "classes") for (const row of rows(prediction)) expect(sum(row)).toBeCloseTo(1, 12);
    }
  });

  test.each([
    ["ctr", [0.272, 0.272, 0.0368, 0.272, 0.0368, 0.0368, 0.0368, 0.0368]],
    ["churn", [0.0481, 0.3556, 0.0481, 0.3556, 0.0481, 0.0481, 0.0481, 0.0481]],
    ["spending_bucket", [0.0695, 0.0695, 0.5135, 0.0695, 0.0695, 0.0695, 0.0695, 0.0695]],
  ])("the gate of %s starts from its preferences", (task, expected) => {
    for (const row of rows(outputs.get(`gates/${task}`) ?? tensor([0, 1], () => 0))) expect(distance(row, expected)).toBeLessThan(5e-5);
  });

  test("treats every row alike and alone", () => expect(difference(reverseAll(outputs), run(reverseAll(inputs)))).toBeLessThan(1e-9));

  test("with nothing but what is required, rows still differ and all is finite", () => {
    const least = run(makeInputs(model, (_, optional) => !optional));
    for (const [name, { data }] of least) expect([name, data.every(Number.isFinite)]).toEqual([name, true]);
    expect(
      distance(
        rowOf(least.get("representation/ctr") ?? tensor([1, 1], () => 0), 0),
        rowOf(least.get("representation/ctr") ?? tensor([1, 1], () => 0), 1),
      ),
    ).toBeGreaterThan(1e-3);
  });

  test("a missing row of an optional input is like a missing input", () => {
    const optional = model.inputs.filter(({ name, optional: is }) => is && !name.endsWith("_mask")).map(({ name }) => name);
    const zeros = new Map([...inputs].map(([name, value]) => [name, optional.includes(name) ? tensor(value.shape, () => 0) : value]));
    const without = new Map([...inputs].filter(([name]) => !optional.includes(name)));
    expect(difference(run(zeros), run(without))).toBe(0);
  });

  test("a task follows the hidden Markov states of its group's route, and no other", () => {
    const changed = new Map([...inputs, ["hmm_lifecycle", noise([batch, 16], 99)]]);
    const after = run(changed);
    const moved = model.order.filter(
      (task) => distance(after.get(`representation/${task}`)?.data ?? [], outputs.get(`representation/${task}`)?.data ?? []) > 0,
    );
    expect(moved).toEqual(model.tasks.filter(({ group, enabled }) => group === "lifecycle" && enabled).map(({ name }) => name));
  });

  test("the prediction of a source moves its target, and only what is downstream", () => {
    const bias = "flow/nba/Tower/linear/add_bias/b";
    expect(model.parameters.map(({ name }) => name)).toContain(bias);
    const after = run(inputs, new Map([[bias, tensor([12], (i) => (i === 0 ? 5 : 0))]]));
    const moved = model.order.filter((task) => distance(after.get(task)?.data ?? [], outputs.get(task)?.data ?? []) > 0);
    expect(moved).toEqual(["nba", "spending_category", "brand_prediction"]);
  });
});
