import { describe, expect, test } from "vitest";
import { emitOnnx } from "../../compiler/emit/onnx.ts";
import { initialWeights } from "../../compiler/weights.ts";
import type { Batch } from "../../runtime/engine.ts";
import { onnxRuntimeEngine } from "../../runtime/engines/onnxruntime.ts";
import { initialState, runStep, stepScalars } from "../../runtime/training/state.ts";
import { type EngineName, f32, modelOf, numbers, stepOf, train } from "./run-steps.ts";
import { plantedBatch, smallSpec } from "./small-model.ts";

const full = `optimizer: adamw(lr: 5e-3, eps: 1e-5), schedule: cosine_restarts(t0: 2), clip: 5.0, weighting: uncertainty(),
  adatt: adatt(warmup: 1, freeze: 3, every: 2), phases: [phase("joint", epochs: 5), phase("refine", epochs: 2, freeze: [shared, cgc])]`;
const model = modelOf(smallSpec(full));

const rows = 12;
const batch = (step: number) => plantedBatch(model, step, rows);
const epochOf = (step: number) => step / 4;

describe("the same step on every engine", () => {
  const step = stepOf(model, { dropout: false });
  const reference = train(model, { step, steps: 20, batch, epochOf });

  test.each(["onnxruntime", "tfjs wasm"] as const)("20 steps on %s end where the interpreter ends", async (engine) => {
    const expected = await reference;
    const found = await train(model, { step, steps: 20, batch, epochOf, engine });
    for (const [i, report] of expected.reports.entries())
      for (const [name, value] of report)
        expect(Math.abs((found.reports[i]?.get(name) ?? Number.NaN) - value), `${name} at step ${i}`).toBeLessThan(
          1e-4 * (1 + Math.abs(value)),
        );
    for (const name of expected.state.keys()) {
      const [a, b] = [numbers(found.state, name), numbers(expected.state, name)];
      const size = Math.max(1e-2, ...b.map(Math.abs));
      expect(Math.max(...a.map((v, i) => Math.abs(v - (b[i] ?? Number.NaN)))) / size, name).toBeLessThan(1e-4);
    }
  });
});

describe("dropout", () => {
  const step = stepOf(model);
  const run = (engine: EngineName, seed: number) => train(model, { step, steps: 3, batch, engine, seed });
  const lossOf = (reports: readonly ReadonlyMap<string, number>[]) => reports.map((report) => report.get("loss/click") ?? Number.NaN);

  test("draws the same masks on every engine, and others for another seed", async () => {
    const [a, b, c, other] = await Promise.all([run("interpreter", 1), run("onnxruntime", 1), run("tfjs wasm", 1), run("interpreter", 2)]);
    for (const [i, loss] of lossOf(a.reports).entries()) {
      expect(lossOf(b.reports)[i]).toBeCloseTo(loss, 5);
      expect(lossOf(c.reports)[i]).toBeCloseTo(loss, 5);
    }
    expect(lossOf(other.reports)[0]).not.toBeCloseTo(lossOf(a.reports)[0] ?? 0, 4);
  });

  test("repeats bit for bit on one engine, and as it is set for many nodes", { timeout: 120_000 }, async () => {
    const bytes = emitOnnx(step.graph, { weights: new Map(), metadata: {}, producerVersion: "0" });
    const outputs = await Promise.all(
      [1, 2].map(async () => {
        const engine = await onnxRuntimeEngine(bytes, { manyNodes: true });
        const state = initialState(step.state, initialWeights({ params: model.parameters }, 3));
        const result = await runStep(engine, step, state, new Map([...batch(0), ...stepScalars({ epoch: 0, step: 0, seed: 5 })]));
        await engine.close();
        return result;
      }),
    );
    const [once, twice] = outputs;
    for (const [name, { data }] of once?.state ?? []) expect(twice?.state.get(name)?.data, name).toEqual(data);
    const { reports } = await run("interpreter", 5);
    expect(once?.report.get("metric/total")).toBeCloseTo(reports[0]?.get("metric/total") ?? Number.NaN, 4);
    for (const engine of ["onnxruntime", "tfjs wasm"] as const) {
      const [a, b] = [await run(engine, 5), await run(engine, 5)];
      for (const [name, { data }] of a.state) expect(b.state.get(name)?.data, `${name} on ${engine}`).toEqual(data);
    }
  });
});

describe("freezing", () => {
  const gates = (name: string) => /^param\/cgc\/.*\/[Wb]$/.test(name);

  test("adaTT, gates and what the optimiser keeps of them stand still from the epoch on; all else moves", async () => {
    const { states } = await train(model, { step: stepOf(model), steps: 6, batch, epochOf: (i) => i, engine: "onnxruntime" });
    const [before, after] = [states[2], states[5]];
    if (before === undefined || after === undefined) throw new Error("too few steps");
    for (const [name, { data }] of before) {
      const still = gates(name) || name.startsWith("adatt/") || /^adam\/.*_gates$/.test(name);
      if (still) expect(after.get(name)?.data, name).toEqual(data);
      else expect(after.get(name)?.data, name).not.toEqual(data);
    }
    expect([...before.keys()].filter(gates)).toHaveLength(2 * model.order.length);
    const [started, moved] = [states[0], states[2]];
    for (const name of [...before.keys()].filter(gates)) expect(moved?.get(name)?.data, name).not.toEqual(started?.get(name)?.data);
  });

  test("entropy counts until the gates are frozen", async () => {
    const plain = stepOf(model, { dropout: false });
    const [early, late] = await Promise.all([0, 3].map((epoch) => train(model, { step: plain, steps: 1, batch, epochOf: () => epoch })));
    const parts = (report: ReadonlyMap<string, number> | undefined) => {
      const sum = (pattern: RegExp) => [...(report ?? [])].reduce((total, [name, value]) => total + (pattern.test(name) ? value : 0), 0);
      const s = 0; // the log variances are 0 before the first step, so that every term is the weighted loss itself
      const tasks = model.order.reduce(
        (total, task) => total + (report?.get(`weight/${task}`) ?? 0) * ((report?.get(`loss/${task}`) ?? 0) + s),
        0,
      );
      return { total: sum(/^metric\/total$/), tasks, entropy: sum(/^penalty\/.*\/entropy$/), others: sum(/^penalty\/(?!.*\/entropy$)/) };
    };
    const [a, b] = [parts(early?.reports[0]), parts(late?.reports[0])];
    expect(a.total).toBeCloseTo(a.tasks + a.entropy + a.others, 5);
    expect(b.total).toBeCloseTo(b.tasks + b.others, 5);
    expect(Math.abs(a.entropy)).toBeGreaterThan(0.01);
  });

  test("a phase leaves what it freezes bit for bit as it was, and begins with new optimiser state", async () => {
    const first = await train(model, { step: stepOf(model), steps: 2, batch });
    const weights = new Map([...first.state].filter(([name]) => name.startsWith("param/") || name.startsWith("weighting/")));
    const step = stepOf(model, { phase: 1 });
    const changed = step.graph.outputs.flatMap(({ name }) => (name.startsWith("next/param/") ? [name.slice(5)] : []));
    expect(changed.filter((name) => /^param\/(shared|cgc)\//.test(name))).toEqual([]);
    const second = await train(model, { step, steps: 2, batch, epochOf: () => 5, from: weights });
    for (const [name, { data }] of weights) {
      if (name.startsWith("param/") && !changed.includes(name)) expect(second.state.get(name)?.data ?? data, name).toEqual(data);
      if (changed.includes(name)) expect(second.state.get(name)?.data, name).not.toEqual(data);
    }
    expect(numbers(second.state, "adam/steps")).toEqual([2]);
  });
});

describe("missing labels", () => {
  const missing = (task: string, at: Batch): Batch => {
    const { shape, dtype, data } = at.get(`label/${task}`) ?? f32([0], []);
    const { kind } = model.tasks.find(({ name }) => name === task) ?? {};
    const value = kind === "regression" ? Number.NaN : kind === "embedding" ? 0 : -1;
    const none = { dtype, shape, data: data.map(() => value) } as ReturnType<typeof f32>;
    return new Map([...at, [`label/${task}`, none]]);
  };

  test.each(model.order)("a batch without labels of %s: loss 0, no rows, and finite weights", async (task) => {
    const step = stepOf(model, { dropout: false });
    const { reports, state } = await train(model, { step, steps: 2, batch: (i) => missing(task, batch(i)) });
    expect(reports[1]?.get(`loss/${task}`)).toBe(0);
    expect(reports[1]?.get(`rows/${task}`)).toBe(0);
    expect(reports[1]?.get("metric/taken")).toBe(1);
    for (const [name, { data }] of state) expect([...data].every(Number.isFinite), name).toBe(true);
    const index = model.order.indexOf(task);
    expect(numbers(state, "weighting/log_variance")[index]).toBe(0);
    const affinity = numbers(state, "adatt/affinity");
    const k = model.order.length;
    expect(affinity.filter((_, i) => Math.floor(i / k) === index || i % k === index)).toEqual(Array(2 * k - 1).fill(0));
  });

  test("the mean is over the rows that have one", async () => {
    const all = batch(0);
    const label = all.get("label/amount");
    const half = new Map([
      ...all,
      [
        "label/amount",
        f32(
          [rows],
          [...(label?.data ?? [])].map((v, i) => (i % 2 === 0 ? v : Number.NaN)),
        ),
      ],
    ]);
    const step = stepOf(model, { dropout: false });
    const [one, two] = await Promise.all([all, half].map((fed) => train(model, { step, steps: 1, batch: () => fed })));
    expect(two?.reports[0]?.get("rows/amount")).toBe(rows / 2);
    expect(two?.reports[0]?.get("loss/click")).toBe(one?.reports[0]?.get("loss/click"));
  });
});

describe("200 steps on planted data", () => {
  test("lower every task's loss, and each auxiliary term does what it is for", async () => {
    const long = modelOf(
      smallSpec(
        `optimizer: adamw(lr: 0.01), clip: 5.0, weighting: uncertainty(), adatt: adatt(warmup: 2), phases: [phase("joint", epochs: 20)]`,
        1,
      ),
    );
    const held = plantedBatch(long, 999, 64);
    const run = {
      step: stepOf(long),
      batch: (i: number) => (i === 0 || i === 200 ? held : plantedBatch(long, i, 32)),
      epochOf: (i: number) => i / 10,
      // A graph that is full of cycles, where the drawn one has hardly any.
      from: new Map(
        stepOf(long).state.flatMap(({ name, shape }) =>
          name.endsWith("structural/A_raw") ? [[name, f32(shape, Array(16).fill(0.9))] as const] : [],
        ),
      ),
    };
    expect(run.from.size).toBe(1);
    const { reports, state } = await train(long, { ...run, steps: 201, engine: "onnxruntime" });
    const [first, last] = [reports[0], reports[200]];
    const of = (name: string) => [first?.get(name) ?? Number.NaN, last?.get(name) ?? Number.NaN] as const;
    for (const task of long.order) {
      const [before, after] = of(`loss/${task}`);
      expect(after, task).toBeLessThan(0.9 * before);
    }
    // The penalty is the negative entropy, which training lowers. The gate of click starts with a preference; all others start even.
    const [leaning, evener] = of("penalty/cgc/click/entropy");
    expect(leaning).toBeGreaterThan(-0.4);
    expect(evener).toBeLessThan(leaning - 0.1);
    const [saeBefore, saeAfter] = of("penalty/sae/sae");
    expect(saeAfter).toBeLessThan(0.5 * saeBefore);
    const [cycles, fewer] = of("penalty/shared/causal/y/structural/acyclicity");
    expect(fewer).toBeLessThan(cycles);
    const W = state.get("param/sae/W");
    const [n = 0, m = 0] = W?.shape ?? [];
    for (let j = 0; j < m; j++) {
      const length = Math.sqrt(Array.from({ length: n }, (_, i) => (W?.data[i * m + j] ?? 0) ** 2).reduce((sum, v) => sum + v, 0));
      expect(length).toBeCloseTo(1, 5);
    }
  });

  test("the weight of the evidence's regulariser grows over the epochs", async () => {
    const step = stepOf(model, { dropout: false });
    const at = async (epoch: number) =>
      (await train(model, { step, steps: 1, batch, epochOf: () => epoch })).reports[0]?.get("penalty/evidence/click") ?? Number.NaN;
    const [zero, one, two, three] = [await at(0), await at(1), await at(2), await at(3)];
    expect(one).toBeGreaterThan(zero);
    expect(two - one).toBeCloseTo(one - zero, 6);
    expect(three).toBe(two);
  });
});
