import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { Batch, Tensor } from "../../../runtime/engine.ts";
import { f32, numbers, type Training, train } from "../run-steps.ts";
import { batch, model, run, step, steps } from "./twenty-steps.ts";

/** The interpreter takes minutes, in which the engines take their steps: what waits for it comes last. */
async function stepsOnInterpreter(): Promise<Training> {
  const child = fork(fileURLToPath(new URL("./on-interpreter.ts", import.meta.url)), {
    execArgv: ["--import", "tsx"],
    serialization: "advanced",
  });
  const [sent] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => {
      throw new Error(`the steps on the interpreter ended with ${code}`);
    }),
  ]);
  return sent;
}
const reference = stepsOnInterpreter();

describe("in float32 nothing is NaN, and a step is taken,", () => {
  const zero = ({ shape, data }: Tensor) =>
    f32(
      shape,
      data.map(() => 0),
    );
  const edited = (edit: (name: string, tensor: Tensor) => Tensor): Batch =>
    new Map([...batch(0)].map(([name, tensor]) => [name, edit(name, tensor)]));
  const missing = (name: string, { shape, dtype, data }: Tensor) => {
    const kind = model.tasks.find((task) => `label/${task.name}` === name)?.kind;
    return { shape, dtype, data: data.map(() => (kind === "regression" ? Number.NaN : kind === "embedding" ? 0 : -1)) } as Tensor;
  };
  const closed = new Map(
    model.parameters.flatMap(({ name, value }): (readonly [string, Tensor])[] => {
      const [experts = 0] = value.type.shape.map(Number);
      return /^cgc\/.*\/b$/.test(name)
        ? [
            [
              `param/${name}`,
              f32(
                [experts],
                Array.from({ length: experts }, (_, i) => (i === 0 ? 200 : -200)),
              ),
            ],
          ]
        : [];
    }),
  );

  test.each([
    [
      "at zeros and empty masks",
      edited((name, tensor) => (tensor.dtype === "f32" && !name.startsWith("label/") ? zero(tensor) : tensor)),
      new Map(),
    ],
    ["without any label", edited((name, tensor) => (name.startsWith("label/") ? missing(name, tensor) : tensor)), new Map()],
    [
      "at gates that are shut, on large features",
      edited((name, tensor) =>
        name === "features"
          ? f32(
              tensor.shape,
              tensor.data.map((v) => 1e3 * v),
            )
          : tensor,
      ),
      closed,
    ],
  ])("%s", async (_, fed, from) => {
    expect(closed.size).toBe(model.order.length);
    const { state, reports } = await train(model, { step, steps: 2, batch: () => fed, epochOf: () => 3, engine: "onnxruntime", from });
    expect(reports.map((report) => report.get("metric/taken"))).toEqual([1, 1]);
    for (const report of reports) for (const [name, value] of report) expect(Number.isFinite(value), name).toBe(true);
    for (const [name, { data }] of state) expect(data.every(Number.isFinite), name).toBe(true);
  });
});

describe("20 steps of the full spec", () => {
  test.each(["tfjs wasm", "onnxruntime"] as const)("end on %s where they end on the interpreter", async (engine) => {
    const found = await run(engine);
    const expected = await reference;
    for (const [i, report] of expected.reports.entries())
      for (const [name, value] of report)
        expect(
          Math.abs((found.reports[i]?.get(name) ?? Number.NaN) - value) / Math.max(Math.abs(value), 1e-3),
          `${name} at step ${i}`,
        ).toBeLessThan(1e-4);
    const off = (at: number, name: string, least: number) => {
      const [a, b] = [found.states[at], expected.states[at]].map((state) => numbers(state ?? new Map(), name));
      const difference = (b ?? []).reduce((most, value, i) => Math.max(most, Math.abs(value - (a?.[i] ?? Number.NaN))), 0);
      return difference / (b ?? []).reduce((most, value) => Math.max(most, Math.abs(value)), least);
    };
    // After one step the first moment is a tenth of the clipped gradient.
    for (const name of expected.state.keys())
      if (name.startsWith("adam/m/")) expect(off(0, name, 0), `gradient: ${name}`).toBeLessThan(1e-4);
    // What began at 0 has moved by 0.01 at most: it is measured against twice that.
    for (const name of expected.state.keys()) expect(off(steps - 1, name, 0.02), name).toBeLessThan(1e-4);
  });

  test("move every weight on the interpreter", async () => {
    const { reports, states } = await reference;
    expect(reports.map((report) => report.get("metric/taken"))).toEqual(Array(steps).fill(1));
    const [first, last] = [states[0], states.at(-1)];
    // The last curvature: log0 undoes exp0, so that it matters at the edge of the ball alone.
    const still = [...(first ?? [])].filter(
      ([name, { data }]) => /^(param|weighting)\//.test(name) && data.every((value, i) => last?.get(name)?.data[i] === value),
    );
    expect(still.map(([name]) => name)).toEqual(["param/shared/unified_hgcn/c/2/curvature/raw"]);
    expect(Math.max(...numbers(last ?? new Map(), "adatt/weights"))).toBeGreaterThan(1.01);
  });
});

describe("the total", () => {
  test("is Σ c w (e^-s L + s) of the tasks and every penalty, each reported on its own, at every step", async () => {
    const { reports, states } = await reference;
    const zeros = model.order.map(() => 0);
    for (const [i, report] of reports.entries()) {
      const s = i === 0 ? zeros : numbers(states[i - 1] ?? new Map(), "weighting/log_variance");
      const c = numbers(states[i] ?? new Map(), "adatt/weights");
      const tasks = model.losses.map(({ task }, k) => {
        const weight = model.tasks.find(({ name }) => name === task)?.weight ?? Number.NaN;
        const [variance, factor] = [s[k] ?? Number.NaN, c[k] ?? Number.NaN];
        expect(report.get(`weight/${task}`), task).toBeCloseTo(factor * weight * Math.exp(-variance), 5);
        return factor * weight * (Math.exp(-variance) * (report.get(`loss/${task}`) ?? Number.NaN) + variance);
      });
      const penalties = [...report].filter(([name]) => name.startsWith("penalty/"));
      const total = [...tasks, ...penalties.map(([, value]) => value)].reduce((sum, value) => sum + value, 0);
      expect(Math.abs((report.get("metric/total") ?? Number.NaN) - total) / Math.abs(total), `step ${i}`).toBeLessThan(1e-5);
    }
    const names = [...(reports[0]?.keys() ?? [])].filter((name) => name.startsWith("penalty/"));
    const count = (pattern: RegExp) => names.filter((name) => pattern.test(name)).length;
    // Entropy of 16 gates, evidence of all tasks but the embedding, the causal graph's three, the autoencoder.
    expect([count(/\/entropy$/), count(/evidence\//), count(/causal\//), count(/sae/)]).toEqual([16, 15, 3, 1]);
    expect(names).toHaveLength(35);
  });
});
