import { describe, expect, test } from "vitest";
import { emitOnnx } from "../../compiler/emit/onnx.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import { trainingPlan } from "../../compiler/training/plan.ts";
import { gradientGraph, updateGraph } from "../../compiler/training/step.ts";
import { initialWeights } from "../../compiler/weights.ts";
import type { Batch } from "../../runtime/engine.ts";
import { onnxRuntimeEngine } from "../../runtime/engines/onnxruntime.ts";
import { initialState, runStep, stepScalars } from "../../runtime/training/state.ts";
import { type EngineName, f32, modelOf, numbers, plantedLabels, stepOf, train, uniform } from "./run-steps.ts";

/** Gates, groups, transfers, every kind of task, evidence, an autoencoder, a causal expert: what the large spec has, small. */
const spec = (settings: string, entropy = 0.05) => `
import { Causal } from "std/experts"
import { BlockScale } from "std/gates"
import { Dense, Residual, Tower } from "std/layers"
import { bce, focal, huber, info_nce, nll } from "std/losses"
import { EvidentialHead, SparseAutoencoder, evidential_loss } from "std/heads"

model Small {
  input x: f32[B, 6]
  experts shared {
    dense: f32[B, 8] = Dense(x, [8], dropout: 0.2)
    causal: f32[B, 8] = Causal(x, nodes: 4, out: 8)
  }
  group first { intra: 0.8, inter: 0.3 }
  group second { intra: 0.6, inter: 0.2 }
  task click in first: binary { loss: focal, prefer: [dense] }
  task buy in first: binary { loss: bce, weight: 1.5 }
  task basket in second: classes(3) { loss: nll }
  task amount in second: regression { loss: huber }
  task brand in second: embedding(4) { loss: info_nce }
  transfer click -> buy = Residual()
  let cgc per task = BlockScale(shared, by: concat(shared), prior: [if e in task.prefer then 1 else -1 for e in names(shared)], entropy: ${entropy})
  let hidden per task = cgc |> linear(8) per group |> layer_norm |> silu
  flow per task { return hidden |> transfers |> Tower(task.width, [8], dropout: 0.1) }
  let evidence per task = EvidentialHead(hidden, task)
  penalty evidence per task = evidential_loss(evidence, f32(label), epoch, task, strength: 0.1, anneal: 2)
  let sae = SparseAutoencoder(concat(shared), expand: 2)
  output latents = sae.latents
  train { ${settings} }
}`;

const full = `optimizer: adamw(lr: 5e-3, eps: 1e-5), schedule: cosine_restarts(t0: 2), clip: 5.0, weighting: uncertainty(),
  adatt: adatt(warmup: 1, freeze: 3, every: 2), phases: [phase("joint", epochs: 5), phase("refine", epochs: 2, freeze: [shared, cgc])]`;
const model = modelOf(spec(full));

const rows = 12;
function batchOf(at: CheckedModel, step: number, count = rows): Batch {
  const next = uniform(100 + step);
  const x = Array.from({ length: count * 6 }, next);
  const signal = Array.from({ length: count }, (_, i) => ((x[6 * i] ?? 0) + (x[6 * i + 1] ?? 0)) / 2);
  return new Map([["x", f32([count, 6], x)], ...plantedLabels(at, signal)]);
}
const batch = (step: number) => batchOf(model, step);
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

  test("repeats bit for bit on one engine, and as it is set for many nodes", async () => {
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
    const [a, b] = [await run("onnxruntime", 5), await run("onnxruntime", 5)];
    for (const [name, { data }] of a.state) expect(b.state.get(name)?.data, name).toEqual(data);
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

describe("gradient accumulation", () => {
  test("two batches of a half each take the step of the whole, where every row counts alike", async () => {
    const plain = modelOf(`
import { Dense, Tower } from "std/layers"
import { mse } from "std/losses"
model Plain {
  input x: f32[B, 6]
  task a: regression { loss: mse }
  flow a { return Dense(x, [8]) |> Tower(1, [4]) }
  train { optimizer: adamw(lr: 0.01), clip: 1.0, accumulate: 2 }
}`);
    const plan = trainingPlan(plain);
    const whole = batchOf(plain, 0);
    const half = (part: number): Batch =>
      new Map(
        [...whole].map(([name, { shape, data }]) => {
          const width = data.length / rows;
          return [name, f32([rows / 2, ...shape.slice(1)], [...data].slice((part * rows * width) / 2, ((part + 1) * rows * width) / 2))];
        }),
      );
    const expected = await train(plain, { step: stepOf(plain), steps: 1, batch: () => whole });
    const sums = await train(plain, { step: gradientGraph(plain, plan), steps: 2, batch: half });
    expect(numbers(sums.state, "gradient/batches")).toEqual([2]);
    const found = await train(plain, { step: updateGraph(plain, plan), steps: 1, batch: () => new Map(), from: sums.state });
    for (const [name, { data }] of expected.state) {
      const values = numbers(found.state, name);
      for (const [i, value] of data.entries()) expect(values[i], name).toBeCloseTo(value, 6);
    }
    for (const [name, { data }] of found.state) if (name.startsWith("gradient/")) expect([...data].every((v) => v === 0)).toBe(true);
  });
});

describe("loss scaling", () => {
  const step = stepOf(model, { dropout: false, lossScale: true });

  test("changes no step, doubles after 2,000 good ones, and halves after one that overflows", async () => {
    const plain = await train(model, { step: stepOf(model, { dropout: false }), steps: 2, batch });
    const scaled = await train(model, { step, steps: 2, batch });
    for (const [name, { data }] of plain.state)
      for (const [i, value] of data.entries()) expect(numbers(scaled.state, name)[i], name).toBeCloseTo(value, 5);
    const ready = new Map([...scaled.state, ["loss_scale/steps", f32([], [1999])]]);
    const grown = await train(model, { step, steps: 1, batch, from: ready });
    expect(numbers(grown.state, "loss_scale/factor")).toEqual([131072]);
    const spoilt = new Map([...scaled.state, ["loss_scale/factor", f32([], [Number.POSITIVE_INFINITY])]]);
    const after = await train(model, { step, steps: 1, batch, from: spoilt });
    expect(after.reports[0]?.get("metric/taken")).toBe(0);
    const halved = await train(model, {
      step,
      steps: 1,
      batch: (i) => new Map([...batch(i), ["x", f32([rows, 6], Array(rows * 6).fill(Number.NaN))]]),
      from: scaled.state,
    });
    expect(numbers(halved.state, "loss_scale/factor")).toEqual([32768]);
    for (const [name, { data }] of scaled.state)
      if (!name.startsWith("loss_scale/")) expect(halved.state.get(name)?.data, name).toEqual(data);
  });
});

describe("200 steps on planted data", () => {
  test("lower every task's loss, and each auxiliary term does what it is for", async () => {
    const long = modelOf(
      spec(
        `optimizer: adamw(lr: 0.01), clip: 5.0, weighting: uncertainty(), adatt: adatt(warmup: 2), phases: [phase("joint", epochs: 20)]`,
        1,
      ),
    );
    const held = batchOf(long, 999, 64);
    const run = {
      step: stepOf(long),
      batch: (i: number) => (i === 0 || i === 200 ? held : batchOf(long, i, 32)),
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
