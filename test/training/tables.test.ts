import { describe, expect, test } from "vitest";
import { trainingPlan } from "../../compiler/training/plan.ts";
import { gradientGraph, type TrainingGraph, updateGraph } from "../../compiler/training/step.ts";
import { initialWeights } from "../../compiler/weights.ts";
import { type Batch, type Engine, makeTensor } from "../../runtime/engine.ts";
import { copyState, initialState, runStep, type State, stepScalars } from "../../runtime/training/state.ts";
import { type EngineName, engines, f32, modelOf, stepOf, train } from "./run-steps.ts";

const width = 2;
const lr = 0.05;
const decay = 0.1;

/** Each prediction is the sum of one row. */
const rowSums = (rows: number) =>
  modelOf(`
import { mse } from "std/losses"
model Rows {
  input id: id[B] of ${rows}
  task a: regression { loss: mse }
  flow a {
    param items: f32[${rows}, ${width}] = normal(0.1)
    return sum(gather(items, id), axis: -1, keep: true)
  }
  train { optimizer: adamw(lr: ${lr}, weight_decay: ${decay}) }
}`);

/** Lists and single ids pick rows of one table, and dense layers follow. */
const lists = (settings: string) =>
  modelOf(`
import { Tower } from "std/layers"
import { mse } from "std/losses"
model Lists {
  input id: id[B] of ${few}
  input history: id[B, 3] of ${few}
  task a: regression { loss: mse }
  flow a {
    param items: f32[${few}, 4] = normal(0.5)
    return concat([gather(items, id), mean(gather(items, history), axis: 1)]) |> Tower(1, [4])
  }
  train { ${settings} }
}`);

const few = 12;
const ids = (values: readonly number[]) => makeTensor("i32", [values.length], values);
const batchOf = (rows: readonly number[], labels: readonly number[]): Batch =>
  new Map([
    ["id", ids(rows)],
    ["label/a", f32([labels.length], labels)],
  ]);

/** The only table of a state. */
function tableOf({ tables }: TrainingGraph): string {
  const [table] = tables;
  if (table === undefined) throw new Error("no table is taken");
  return table.param;
}

const rowOf = (state: State, name: string, row: number) => [...(state.get(name)?.data.subarray(row * width, (row + 1) * width) ?? [])];

describe("rows that a batch uses", () => {
  const model = rowSums(few);
  const step = stepOf(model, { smallestTable: few });
  const table = tableOf(step);
  const start = initialState(step.state, initialWeights({ params: model.parameters }, 3));
  const batches = [
    batchOf([1, 4, 4, 7], [1, 0.5, -1, 2]),
    batchOf([4, 4, 0, 4], [0, 1, 1, -2]),
    batchOf([7, 1, 1, 1], [1, 1, 0, 0]),
    batchOf([1, 4, 0, 7], [2, -1, 1, 1]),
  ];

  /** Lazy AdamW by hand: moments of a row move, and the row decays, in the steps that use it; the bias is corrected by the number of all steps. */
  function byHand(): { readonly theta: number[]; readonly m: number[]; readonly v: number[] } {
    const theta = [...(start.get(`param/${table}`)?.data ?? [])];
    const [m, v] = [theta.map(() => 0), theta.map(() => 0)];
    for (const [t, batch] of batches.entries()) {
      const [rows, labels] = [batch.get("id")?.data ?? [], batch.get("label/a")?.data ?? []];
      const sums = [...rows].map((row) => (theta[row * width] ?? 0) + (theta[row * width + 1] ?? 0));
      for (const row of new Set(rows)) {
        const g = [...rows].reduce((sum, used, i) => sum + (used === row ? (2 * ((sums[i] ?? 0) - (labels[i] ?? 0))) / rows.length : 0), 0);
        for (let at = row * width; at < (row + 1) * width; at++) {
          m[at] = 0.9 * (m[at] ?? 0) + 0.1 * g;
          v[at] = 0.999 * (v[at] ?? 0) + 0.001 * g * g;
          const move = (m[at] ?? 0) / (1 - 0.9 ** (t + 1)) / (Math.sqrt((v[at] ?? 0) / (1 - 0.999 ** (t + 1))) + 1e-8);
          theta[at] = (theta[at] ?? 0) * (1 - lr * decay) - lr * move;
        }
      }
    }
    return { theta, m, v };
  }

  test.each(["interpreter", "onnxruntime", "tfjs wasm"] as const)("move as by hand on %s", async (engine) => {
    const { state } = await train(model, {
      step,
      steps: batches.length,
      batch: (i) => batches[i] ?? new Map(),
      engine,
      from: copyState(start),
    });
    const expected = byHand();
    for (const [name, values] of [
      [`param/${table}`, expected.theta],
      [`adam/m/rows/${table}`, expected.m],
      [`adam/v/rows/${table}`, expected.v],
    ] as const)
      for (const [i, value] of values.entries()) expect(state.get(name)?.data[i], `${name} ${i}`).toBeCloseTo(value, 5);
  });

  test("take the steps of the whole table when every batch uses every row", async () => {
    const batch = () => batchOf([...Array(few).keys()], [...Array(few).keys()].map(Math.sin));
    const [rows, whole] = await Promise.all(
      [step, stepOf(model)].map((graph) => train(model, { step: graph, steps: 3, batch, from: copyState(start) })),
    );
    for (const [i, value] of (whole?.state.get(`param/${table}`)?.data ?? []).entries())
      expect(rows?.state.get(`param/${table}`)?.data[i]).toBeCloseTo(value, 6);
  });

  test("an id beyond the table says so", async () => {
    const far = () => batchOf([few], [1]);
    await expect(train(model, { step, steps: 1, batch: far })).rejects.toThrow(`param/${table} has no row ${few}`);
  });
});

describe("a table of a million rows", () => {
  /** Bytes that go into and come out of the engine. */
  function counted(engine: Engine): { readonly engine: Engine; readonly bytes: () => number } {
    let bytes = 0;
    const count = (tensors: Batch) => {
      for (const { data } of tensors.values()) bytes += data.byteLength;
    };
    return {
      bytes: () => bytes,
      engine: {
        ...engine,
        async run(inputs) {
          const results = await engine.run(inputs);
          count(inputs);
          count(results);
          return results;
        },
      },
    };
  }

  async function steps(rows: number) {
    const model = rowSums(rows);
    const step = stepOf(model);
    const table = tableOf(step);
    const { engine, bytes } = counted(await engines.onnxruntime(step));
    const start = initialState(step.state, { get: () => Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i)) });
    let state = copyState(start);
    const used = [5, 4000, 2];
    for (let i = 0; i < 2; i++) {
      const feeds = new Map([...batchOf([...used, 5], [1, 0, 1, 2]), ...stepScalars({ epoch: 0, step: i, seed: 0 })]);
      state = (await runStep(engine, step, state, feeds)).state;
    }
    await engine.close();
    return { start, state, table, used, bytes: bytes() };
  }

  test("costs what a table of 4,096 rows costs, and the rows that no batch used are as they were, bit for bit", async () => {
    const large = await steps(1_000_000);
    const { start, state, table, used } = large;
    for (const name of [`param/${table}`, `adam/m/rows/${table}`, `adam/v/rows/${table}`]) {
      const [before, after] = [start.get(name), state.get(name)];
      expect(after?.shape).toEqual([1_000_000, width]);
      for (const row of used) {
        expect(rowOf(state, name, row)).not.toEqual(rowOf(start, name, row));
        after?.data.set(before?.data.subarray(row * width, (row + 1) * width) ?? [], row * width);
      }
      const bytes = (data: ArrayBufferView | undefined) => Buffer.from(data?.buffer ?? new ArrayBuffer(0));
      expect(Buffer.compare(bytes(after?.data), bytes(before?.data))).toBe(0);
    }
    expect(large.bytes).toBe((await steps(4096)).bytes);
    expect(large.bytes).toBeLessThan(1000);
  });

  test("is written in place", async () => {
    const model = rowSums(5000);
    const step = stepOf(model);
    const state = initialState(step.state, initialWeights({ params: model.parameters }, 3));
    const engine = await engines.interpreter(step);
    const feeds = new Map([...batchOf([1], [1]), ...stepScalars({ epoch: 0, step: 0, seed: 0 })]);
    const { state: next } = await runStep(engine, step, state, feeds);
    for (const name of step.tables[0]?.states ?? []) expect(next.get(name)).toBe(state.get(name));
  });
});

describe("what a table shares with the rest of a step", () => {
  const settings = "optimizer: adamw(lr: 0.05), clip: 0.1, accumulate: 2";
  const model = lists(settings);
  const batch = (part: number | null): Batch => {
    const rows = [0, 1, 2, 3].filter((i) => part === null || Math.floor(i / 2) === part);
    const history = rows.flatMap((i) => [i, i + 4, 5]);
    return new Map([
      ["id", ids(rows.map((i) => (i * 7) % few))],
      ["history", makeTensor("i32", [rows.length, 3], history)],
      ["label/a", f32([rows.length], rows.map(Math.cos))],
    ]);
  };

  /** All rows of tables that no moment tells apart: one step from zero moments is the same dense and by rows, but for what decays. */
  test.each(["onnxruntime", "tfjs wasm"] as const)(
    "the global norm, the dense layers and used rows agree with the dense step on %s",
    async (engine: EngineName) => {
      const run = { steps: 1, batch: () => batch(null), engine };
      const [rows, whole] = [
        await train(model, { ...run, step: stepOf(model, { smallestTable: few }) }),
        await train(model, { ...run, step: stepOf(model) }),
      ];
      const norm = (reports: typeof rows.reports) => reports[0]?.get("metric/gradient_norm") ?? Number.NaN;
      expect(norm(rows.reports)).toBeCloseTo(norm(whole.reports), 5);
      for (const [name, { data, shape }] of whole.state) {
        if (!name.startsWith("param/")) continue;
        const used = shape[0] === few ? [0, 1, 2, 3, 4, 5, 6, 7, 9] : [...Array(shape[0]).keys()];
        const size = data.length / (shape[0] ?? 1);
        for (const row of used)
          for (let at = row * size; at < (row + 1) * size; at++)
            expect(rows.state.get(name)?.data[at], `${name} ${at}`).toBeCloseTo(data[at] ?? 0, 5);
      }
    },
  );

  test("gradients of parts wait with their rows, and the update moves those of all parts", async () => {
    const plan = trainingPlan(model);
    const options = { smallestTable: few };
    const expected = await train(model, { step: stepOf(model, options), steps: 1, batch: () => batch(null) });
    const sums = await train(model, { step: gradientGraph(model, plan, options), steps: 2, batch });
    const waiting = [...sums.state].filter(([name]) => name.endsWith("/numbers"));
    expect(waiting.map(([, { data }]) => [...data])).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 9]]);
    const found = await train(model, { step: updateGraph(model, plan, options), steps: 1, batch: () => new Map(), from: sums.state });
    for (const [name, { data }] of expected.state)
      for (const [i, value] of data.entries()) expect(found.state.get(name)?.data[i], `${name} ${i}`).toBeCloseTo(value, 6);
    for (const [name, { data }] of found.state)
      if (name.startsWith("gradient/"))
        expect(
          [...data].every((value) => value === 0),
          name,
        ).toBe(true);
  });
});
