import { describe, expect, test } from "vitest";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { fullArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import { applyUpdate } from "../../compiler/training/optimizer.ts";
import type { Optimizer } from "../../compiler/training/plan.ts";
import { StepGraph } from "../../compiler/training/step-graph.ts";
import { nested } from "./evaluate.ts";

interface Run {
  readonly optimizer: Optimizer;
  readonly clip?: number;
  readonly unscale?: number;
  /** Gradients of W f32[2] and b f32[1], one pair for each step. */
  readonly gradients: readonly (readonly [readonly number[], readonly number[]])[];
  /** For each step, whether W is frozen. */
  readonly frozen?: readonly number[];
}

const lr = 0.1;
const start = { W: [1, -2], b: [0.5] } as const;

/** W decays and can be frozen, b does not and cannot. Gives the state after each step. */
function run({ optimizer, clip, unscale, gradients, frozen = [] }: Run): readonly ReadonlyMap<string, NdArray>[] {
  const graph = new StepGraph();
  const f = graph.formula("test");
  const flag = graph.input("frozen", []);
  const groups = (["W", "b"] as const).map((name) => {
    const shape = [start[name].length];
    const parts = [{ name, value: graph.state({ name, shape, initial: 0 }), shape, project: null }];
    return { name, parts, gradient: graph.input(`g/${name}`, shape), decay: name === "W", frozen: name === "W" ? flag : null, table: null };
  });
  const scale = unscale === undefined ? null : f.scalar(unscale);
  const { norm, taken } = applyUpdate(optimizer, groups, { rate: f.scalar(lr), clip: clip ?? null, unscale: scale }, graph);
  graph.output("norm", norm, null);
  graph.output("taken", taken, null);
  const { graph: built, state } = graph.finish("update");
  const initial = (name: string, shape: readonly number[]) => (name === "W" || name === "b" ? nested(start[name]) : fullArray(shape, 0));
  let now = new Map(state.map(({ name, shape }) => [name, initial(name, shape)]));
  return gradients.map(([W, b], i) => {
    const fed = new Map([...now, ["g/W", nested(W)], ["g/b", nested(b)], ["frozen", nested(frozen[i] ?? 0)]]);
    const needed = new Map(built.inputs.map(({ name }) => [name, fed.get(name) as NdArray]));
    const results = interpret(built, { inputs: needed, params: new Map() });
    now = new Map([...now].map(([name, value]) => [name, results.get(`next/${name}`) ?? value]));
    return new Map([...now, ["norm", results.get("norm") as NdArray], ["taken", results.get("taken") as NdArray]]);
  });
}

const adamw = { form: "adamw", lr, weightDecay: 0.3, beta1: 0.9, beta2: 0.999, eps: 1e-8 } as const;
const values = (state: ReadonlyMap<string, NdArray> | undefined, name: string) => [...(state?.get(name)?.data ?? [])];

/** The recursion of the paper for one number. */
function byHand(theta: number, gradients: readonly number[], decay: number): number {
  let [m, v, at] = [0, 0, theta];
  gradients.forEach((g, i) => {
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    const move = m / (1 - 0.9 ** (i + 1)) / (Math.sqrt(v / (1 - 0.999 ** (i + 1))) + 1e-8);
    at = at * (1 - lr * decay) - lr * move;
  });
  return at;
}

const three = [
  [[0.5, -1], [2]],
  [[-0.2, 0.1], [1]],
  [[3, 0], [-4]],
] as const;

describe("AdamW", () => {
  test("follows the recursion of the paper; only W decays", () => {
    const last = run({ optimizer: adamw, gradients: three }).at(-1);
    const column = (pick: (g: (typeof three)[number]) => number) => three.map(pick);
    expect(values(last, "W")[0]).toBeCloseTo(
      byHand(
        1,
        column((g) => g[0][0]),
        0.3,
      ),
      12,
    );
    expect(values(last, "W")[1]).toBeCloseTo(
      byHand(
        -2,
        column((g) => g[0][1]),
        0.3,
      ),
      12,
    );
    expect(values(last, "b")[0]).toBeCloseTo(
      byHand(
        0.5,
        column((g) => g[1][0]),
        0,
      ),
      12,
    );
    expect(values(last, "adam/steps")).toEqual([3]);
  });

  test("a frozen tensor keeps its values and its moments, bit for bit, and does not decay; the others go on", () => {
    const states = run({ optimizer: adamw, gradients: three, frozen: [0, 1, 1] });
    for (const name of ["W", "adam/m/W", "adam/v/W"]) expect(values(states[2], name)).toEqual(values(states[0], name));
    expect(values(states[2], "b")[0]).toBeCloseTo(byHand(0.5, [2, 1, -4], 0), 12);
    expect(values(states[1], "norm")).toEqual([1]);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("a gradient with %d leaves everything as it was", (bad) => {
    const states = run({ optimizer: adamw, gradients: [three[0], [[bad, 1], [1]], three[1]] });
    expect(values(states[1], "taken")).toEqual([0]);
    for (const name of ["W", "b", "adam/m/W", "adam/v/b", "adam/steps"]) expect(values(states[1], name)).toEqual(values(states[0], name));
    expect(values(states[2], "b")[0]).toBeCloseTo(byHand(0.5, [2, 1], 0), 12);
  });
});

describe("SGD", () => {
  test("moves against the gradient, with decoupled decay of W", () => {
    const [state] = run({ optimizer: { form: "sgd", lr, weightDecay: 0.3, momentum: 0 }, gradients: [three[0]] });
    expect(values(state, "W")).toEqual([1 * (1 - lr * 0.3) - lr * 0.5, -2 * (1 - lr * 0.3) + lr * 1]);
    expect(values(state, "b")[0]).toBeCloseTo(0.5 - lr * 2, 15);
  });

  test("momentum sums what came before", () => {
    const last = run({ optimizer: { form: "sgd", lr, weightDecay: 0, momentum: 0.5 }, gradients: three }).at(-1);
    // u: 2, 0.5 · 2 + 1 = 2, 0.5 · 2 - 4 = -3
    expect(values(last, "b")[0]).toBeCloseTo(0.5 - lr * (2 + 2 - 3), 12);
  });
});

describe("clipping", () => {
  const sgd = { form: "sgd", lr, weightDecay: 0, momentum: 0 } as const;

  test("a gradient of norm 5 is scaled to norm 2", () => {
    const [state] = run({ optimizer: sgd, clip: 2, gradients: [[[3, 0], [4]]] });
    expect(values(state, "norm")).toEqual([5]);
    expect(values(state, "b")[0]).toBeCloseTo(0.5 - lr * 4 * (2 / 5), 6);
    expect(values(state, "W")[0]).toBeCloseTo(1 - lr * 3 * (2 / 5), 6);
  });

  test("a smaller one is left alone", () => {
    const [state] = run({ optimizer: sgd, clip: 6, gradients: [[[3, 0], [4]]] });
    expect(values(state, "b")[0]).toBeCloseTo(0.5 - lr * 4, 12);
  });

  test("the scale of the loss is taken out first", () => {
    const [state] = run({ optimizer: sgd, clip: 2, unscale: 1 / 8, gradients: [[[24, 0], [32]]] });
    expect(values(state, "norm")).toEqual([5]);
    expect(values(state, "b")[0]).toBeCloseTo(0.5 - lr * 4 * (2 / 5), 6);
  });
});
