import { describe, expect, test } from "vitest";
import { adattWeights } from "../../compiler/training/adatt.ts";
import type { AdaTT } from "../../compiler/training/plan.ts";
import { type Numbers, runGraph } from "./run-graph.ts";

const settings: AdaTT = {
  warmup: 1,
  freeze: 3,
  every: 2,
  momentum: 0.9,
  negativeBelow: -0.1,
  inter: 0.3,
  clampLow: 0.1,
  clampHigh: 3,
  mode: "bounded",
  over: null,
  freezeWith: null,
};

/** The document's example: a and b agree, a and c disagree a little, b and c agree a little. */
const gradients = [
  [3, 1],
  [2, 2],
  [-1, 2],
];
const present = [1, 1, 1];

const groups = [
  { name: "first", doc: null, route: null, settings: { intra: 0.8 } },
  { name: "second", doc: null, route: null, settings: { inter: 0.5 } },
  { name: "plain", doc: null, route: null, settings: {} },
];

interface Feeds {
  readonly epoch: number;
  readonly step: number;
  readonly gradients?: readonly (readonly number[])[];
  readonly present?: readonly number[];
}

/** Three tasks whose weighted losses are linear in θ, so that their gradients are what is fed. */
function run(
  changes: Partial<AdaTT>,
  feeds: readonly Feeds[],
  groupOf: readonly (string | null)[] = ["first", "first", null],
): readonly Numbers[] {
  return runGraph(
    (graph) => {
      const f = graph.formula("test");
      const theta = graph.input("theta", [2]);
      const rows = graph.input("gradients", [3, 2]);
      const here = graph.input("present", [3]);
      const gradientOf = (i: number) => f.reshape(f.slice(rows, 0, i, i + 1), [2]);
      const terms = [0, 1, 2].map((i) => f.sumAll(f.mul(gradientOf(i), theta)));
      const tasks = terms.map((loss, i) => ({
        task: `task ${i}`,
        weight: 1,
        group: groupOf[i] ?? null,
        regression: false,
        loss,
        rows: f.element(here, i),
        present: f.element(here, i),
      }));
      const time = { epoch: graph.input("epoch", []), step: graph.input("step", []) };
      const { factors, next, frozen } = adattWeights({ ...settings, ...changes }, tasks, terms, [theta], groups, time, graph);
      for (const { name, value } of next) graph.next(name, value);
      graph.output("factors", f.stack(factors), null);
      graph.output("frozen", frozen, null);
    },
    feeds.map(({ epoch, step, ...rest }) => ({ theta: [0.5, -0.25], gradients, present, ...rest, epoch, step })),
  );
}

const [ab, ac, bc] = [8 / Math.sqrt(80), -1 / Math.sqrt(50), 2 / Math.sqrt(40)];
/** |b| / |a| and |c| / |b| */
const [ba, cb] = [Math.sqrt(8 / 10), Math.sqrt(5 / 8)];

const expectNumbers = (found: readonly number[] | undefined, expected: readonly number[]) => {
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(found?.[i], `number ${i}`).toBeCloseTo(value, 6);
};

describe("affinity", () => {
  test("is the cosine of the gradients at first", () => {
    const [only] = run({}, [{ epoch: 0, step: 0 }]);
    expectNumbers(only?.["adatt/affinity"], [1, ab, ac, ab, 1, bc, ac, bc, 1]);
    expect(ab).toBeCloseTo(0.8944, 4);
    expect(ac).toBeCloseTo(-0.1414, 4);
  });

  test("moves by a tenth of the way to the next measurement, and only at every second step", () => {
    const turned = [
      [3, 1],
      [-1, 3],
      [-1, 2],
    ];
    const states = run({}, [
      { epoch: 0, step: 0 },
      { epoch: 0, step: 1, gradients: turned },
      { epoch: 0, step: 2, gradients: turned },
    ]);
    expect(states[1]?.["adatt/affinity"]).toEqual(states[0]?.["adatt/affinity"]);
    expectNumbers(states[2]?.["adatt/affinity"]?.slice(0, 3), [1, 0.9 * ab, ac]);
  });

  test("of a task without labels stays as it was, and is the cosine itself at its first measurement", () => {
    const without = [1, 0, 1];
    const states = run({}, [
      {
        epoch: 0,
        step: 0,
        present: without,
        gradients: [
          [3, 1],
          [0, 0],
          [-1, 2],
        ],
      },
      { epoch: 0, step: 2 },
    ]);
    expectNumbers(states[0]?.["adatt/affinity"], [1, 0, ac, 0, 0, 0, ac, 0, 1]);
    expectNumbers(states[1]?.["adatt/affinity"], [1, ab, ac, ab, 1, bc, ac, bc, 1]);
  });
});

describe("weights", () => {
  // S: 0.8 between a and b, 0.3 between the others; a and c are blocked, below -0.1
  test.each<[string, Partial<AdaTT>, readonly (string | null)[], readonly number[]]>([
    ["bounded", {}, ["first", "first", null], [1 + (0.8 * ab * ba) / 2, 1 + (0.8 * ab + 0.3 * bc * cb) / 2, 1 + (0.3 * bc) / 2]],
    // The document's own: c_j = 1 + Σ α <g_i, g_j> / |g_j|²
    ["source", { mode: "source" }, ["first", "first", null], [1 + (0.8 * 8) / 10, 1 + (0.8 * 8) / 8 + (0.3 * 2) / 8, 1 + (0.3 * 2) / 5]],
    [
      "a group's own inter, where it is the target",
      {},
      ["first", "first", "second"],
      [1 + 0.4 * ab * ba, 1 + (0.8 * ab + 0.3 * bc * cb) / 2, 1 + (0.5 * bc) / 2],
    ],
    [
      "direction",
      { mode: "direction" },
      ["first", "first", "second"],
      [1 + 0.4 * ab * ba, 1 + (0.8 * ab + 0.5 * bc * cb) / 2, 1 + (0.3 * bc) / 2],
    ],
    [
      "0.7 within a group that states no intra",
      {},
      ["plain", "plain", null],
      [1 + 0.35 * ab * ba, 1 + (0.7 * ab + 0.3 * bc * cb) / 2, 1 + (0.3 * bc) / 2],
    ],
    [
      "another threshold lets a conflict through",
      { negativeBelow: -0.2 },
      [null, null, null],
      [1 + (0.3 * (ab * ba + (ac * Math.sqrt(5)) / Math.sqrt(10))) / 2, 1 + (0.3 * (ab + bc * cb)) / 2, 1 + (0.3 * (ac + bc)) / 2],
    ],
    ["all blocked", { negativeBelow: 2 }, ["first", "first", null], [1, 1, 1]],
    ["clamped above", { inter: 100 }, [null, null, null], [3, 3, 3]],
    ["clamped below", { inter: 100, negativeBelow: -1, clampLow: 0.2, clampHigh: 1.5 }, [null, null, null], [1.5, 1.5, 1.5]],
  ])("%s", (_, changes, groupOf, expected) => {
    const [only] = run(changes, [{ epoch: 1, step: 0 }], groupOf);
    expectNumbers(only?.factors, expected);
  });

  test("a task that the others oppose falls to the clamp, not below 0", () => {
    const opposed = [
      [1, 0],
      [1, 0],
      [-10, 0],
    ];
    const [only] = run({ negativeBelow: -1, inter: 10, mode: "source" }, [{ epoch: 1, step: 0, gradients: opposed }]);
    expect(only?.factors?.[0]).toBe(0.1);
  });

  test("no task's own affinity counts: a model of one task, or of tasks with orthogonal gradients, is not weighed", () => {
    const orthogonal = [
      [1, 0],
      [0, 1],
      [0, 0],
    ];
    const [only] = run({}, [{ epoch: 1, step: 0, gradients: orthogonal, present: [1, 1, 0] }]);
    expect(only?.factors).toEqual([1, 1, 1]);
  });
});

describe("over the epochs", () => {
  const at = (epoch: number, step = 2 * epoch, more: Partial<Feeds> = {}): Feeds => ({ epoch, step, ...more });
  const reversed = gradients.map((row) => row.map((v, i) => (i === 0 ? -v : 2 * v)));

  test("nothing is weighed during the warm-up, which measures", () => {
    const states = run({ warmup: 2, freeze: 4 }, [at(0), at(1)]);
    for (const state of states) expect(state.factors).toEqual([1, 1, 1]);
    expect(states[1]?.["adatt/weights"]).toEqual([1, 1, 1]);
    expect(states[1]?.["adatt/affinity"]?.[1]).toBeCloseTo(ab, 6);
  });

  test("weights hold between two measurements", () => {
    const states = run({}, [at(1), at(1, 3, { gradients: reversed }), at(1, 4, { gradients: reversed })]);
    expect(states[1]?.factors).toEqual(states[0]?.factors);
    expect(states[2]?.factors).not.toEqual(states[0]?.factors);
  });

  test("from the freeze on affinity and weights stay, bit for bit, whatever the gradients are", () => {
    const states = run({}, [at(2), at(3, 6, { gradients: reversed }), at(4, 8, { gradients: reversed })]);
    for (const name of ["adatt/affinity", "adatt/weights", "adatt/seen", "factors"]) {
      expect(states[1]?.[name], name).toEqual(states[0]?.[name]);
      expect(states[2]?.[name], name).toEqual(states[0]?.[name]);
    }
    expect(states.map(({ frozen }) => frozen?.[0])).toEqual([0, 1, 1]);
    expect(states[0]?.factors).not.toEqual([1, 1, 1]);
  });

  test("without a freeze they go on", () => {
    const states = run({ freeze: Number.POSITIVE_INFINITY }, [at(2), at(30, 60, { gradients: reversed })]);
    expect(states[1]?.factors).not.toEqual(states[0]?.factors);
    expect(states[1]?.frozen).toEqual([0]);
  });
});
