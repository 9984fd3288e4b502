import { describe, expect, test } from "vitest";
import { symbolDim } from "../../compiler/ir/dim.ts";
import type { Value } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { fullArray, makeArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import type { OpAttributes, OpName } from "../../compiler/ops/attributes.ts";
import { Sketch } from "../ops/build-graph.ts";

/** Nested lists as an array. */
function array(nested: unknown): NdArray {
  const shape: number[] = [];
  for (let level = nested; Array.isArray(level); level = level[0]) shape.push(level.length);
  return makeArray(shape, Float64Array.from([nested].flat(Number.POSITIVE_INFINITY) as number[]));
}

/** Applies one op to f32 operands (i32 where `ids` says so). */
function apply<K extends OpName>(op: K, operands: readonly unknown[], attributes: OpAttributes[K], ids: readonly number[] = []): NdArray {
  const sketch = new Sketch();
  const arrays = operands.map(array);
  const values = arrays.map(({ shape }, i) => sketch.input(`x${i}`, ids.includes(i) ? "i32" : "f32", shape));
  const graph = sketch.graph({ result: sketch.add(op, values, attributes) });
  return interpret(graph, { inputs: new Map(arrays.map((x, i) => [`x${i}`, x])), params: new Map() }).get("result") as NdArray;
}

function check<K extends OpName>(
  op: K,
  operands: readonly unknown[],
  attributes: OpAttributes[K],
  expected: unknown,
  ids: readonly number[] = [],
): void {
  test(`${op}(${operands.map((operand) => JSON.stringify(operand)).join(", ")})`, () => {
    const [actual, wanted] = [apply(op, operands, attributes, ids), array(expected)];
    expect(actual.shape).toEqual(wanted.shape);
    for (const [i, value] of wanted.data.entries()) expect(actual.data[i]).toBeCloseTo(value, 12);
  });
}

// Numbers worked out by hand.
check("softplus", [[-800, 0, 800]], {}, [0, Math.LN2, 800]);
check("sigmoid", [[-800, 0, Math.log(3), 800]], {}, [0, 0.5, 0.75, 1]);
check("atanh", [[0, 0.5]], {}, [0, Math.log(3) / 2]);
check(
  "sub",
  [
    [
      [1, 2],
      [3, 4],
    ],
    [10, 20],
  ],
  {},
  [
    [-9, -18],
    [-7, -16],
  ],
);
check("mul", [[[1], [2]], [[3, 4]]], {}, [
  [3, 4],
  [6, 8],
]);
check(
  "softmax",
  [
    [
      [0, Math.log(3)],
      [1000, 1000],
    ],
  ],
  { axis: 1 },
  [
    [0.25, 0.75],
    [0.5, 0.5],
  ],
);
check(
  "softmax",
  [
    [
      [0, 5],
      [Math.log(3), 5],
    ],
  ],
  { axis: 0 },
  [
    [0.25, 0.5],
    [0.75, 0.5],
  ],
);
check("log_softmax", [[-1000, 0]], { axis: 0 }, [-1000, 0]);
check("layer_norm", [[[1, 3]], [2, 2], [0, 1]], { epsilon: 1e-300 }, [[-2, 3]]);
check(
  "reduce_sum",
  [
    [
      [1, 2],
      [3, 4],
    ],
  ],
  { axes: [0], keep: false },
  [4, 6],
);
check(
  "reduce_mean",
  [
    [
      [1, 2],
      [3, 4],
    ],
  ],
  { axes: [1], keep: true },
  [[1.5], [3.5]],
);
check(
  "reduce_max",
  [
    [
      [
        [1, 9],
        [3, 4],
      ],
      [
        [5, 6],
        [7, 8],
      ],
    ],
  ],
  { axes: [0, 2], keep: false },
  [9, 8],
);
check(
  "reduce_min",
  [
    [
      [1, 2],
      [3, -4],
    ],
  ],
  { axes: [0, 1], keep: false },
  -4,
);
check(
  "cumsum",
  [
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
  ],
  { axis: 1 },
  [
    [1, 3, 6],
    [4, 9, 15],
  ],
);
check(
  "cumsum",
  [
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
  ],
  { axis: 0 },
  [
    [1, 2, 3],
    [5, 7, 9],
  ],
);
check(
  "reverse",
  [
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
  ],
  { axis: 1 },
  [
    [3, 2, 1],
    [6, 5, 4],
  ],
);
check(
  "matmul",
  [
    [
      [1, 2],
      [3, 4],
    ],
    [
      [5, 6],
      [7, 8],
    ],
  ],
  {},
  [
    [19, 22],
    [43, 50],
  ],
);
check(
  "matmul",
  [
    [[[1, 2]], [[3, 4]]],
    [[1], [10]],
  ],
  {},
  [[[21]], [[43]]],
);
check(
  "concat",
  [
    [[1], [2]],
    [
      [3, 4],
      [5, 6],
    ],
  ],
  { axis: 1 },
  [
    [1, 3, 4],
    [2, 5, 6],
  ],
);
check(
  "slice",
  [
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
  ],
  { axis: 1, start: 1, stop: 3 },
  [
    [2, 3],
    [5, 6],
  ],
);
check(
  "transpose",
  [
    [
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    ],
  ],
  { permutation: [2, 0, 1] },
  [[[1, 3, 5]], [[2, 4, 6]]],
);
check("expand", [[[1], [2]]], { shape: [2, 2, 3] }, [
  [
    [1, 1, 1],
    [2, 2, 2],
  ],
  [
    [1, 1, 1],
    [2, 2, 2],
  ],
]);
check(
  "gather",
  [
    [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
    [2, 0],
  ],
  { axis: 0 },
  [
    [5, 6],
    [1, 2],
  ],
  [1],
);
check(
  "gather",
  [
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
    [2, 0],
  ],
  { axis: 1 },
  [
    [3, 1],
    [6, 4],
  ],
  [1],
);
check(
  "one_hot",
  [[2, 0, -1, 3]],
  { depth: 3 },
  [
    [0, 0, 1],
    [1, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
  ],
  [0],
);
check("linear_scan", [[[2, 2, 2]], [[1, 1, 1]]], { axis: 1 }, [[1, 3, 7]]);
check("cast", [[-1.7, 1.7, 0]], { dtype: "i32" }, [-1, 1, 0]);
check("cast", [[-1.7, 0.2, 0]], { dtype: "bool" }, [1, 1, 0]);

test("an index out of range is an error", () => {
  expect(() => apply("gather", [[1, 2], [2]], { axis: 0 }, [1])).toThrow("index 2 is outside of the 2 rows it selects from");
});

describe("scan", () => {
  test("Fibonacci numbers, two states that depend on each other", () => {
    const sketch = new Sketch();
    const steps = sketch.input("steps", "f32", [6]);
    const scalar = { dtype: "f32", shape: [] } as const;
    const body = sketch.body([scalar, scalar, scalar], ([a, b]) => [b as Value, sketch.add("add", [a as Value, b as Value], {})]);
    const [, second] = sketch.all("scan", [sketch.scalar(0), sketch.scalar(1), steps], { axis: 0, states: 2, body });
    const graph = sketch.graph({ fibonacci: second as Value });
    verifyGraph(graph);
    const result = interpret(graph, { inputs: new Map([["steps", fullArray([6], 0)]]), params: new Map() });
    expect([...(result.get("fibonacci")?.data ?? [])]).toEqual([1, 2, 3, 5, 8, 13]);
  });

  test("captures, and a scan within a scan", () => {
    // outer: s ← s + sum of the running sums of the row, times k
    const sketch = new Sketch();
    const k = sketch.input("k", "f32", []);
    const rows = sketch.input("rows", "f32", [2, 3]);
    const scalar = { dtype: "f32", shape: [] } as const;
    const outer = sketch.body([scalar, { dtype: "f32", shape: [3] }], ([state, row]) => {
      const inner = sketch.body([scalar, scalar], ([total, x]) => [
        sketch.add("add", [total as Value, sketch.add("mul", [x as Value, k], {})], {}),
      ]);
      const sums = sketch.add("scan", [sketch.scalar(0), row as Value], { axis: 0, states: 1, body: inner });
      return [sketch.add("add", [state as Value, sketch.add("reduce_sum", [sums], { axes: [0], keep: false })], {})];
    });
    const graph = sketch.graph({ result: sketch.add("scan", [sketch.scalar(0), rows], { axis: 0, states: 1, body: outer }) });
    verifyGraph(graph);
    const inputs = new Map([
      ["k", array(10)],
      [
        "rows",
        array([
          [1, 2, 3],
          [1, 1, 1],
        ]),
      ],
    ]);
    // running sums of [1, 2, 3]: 1 + 3 + 6; of [1, 1, 1]: 1 + 2 + 3
    expect([...(interpret(graph, { inputs, params: new Map() }).get("result")?.data ?? [])]).toEqual([100, 160]);
  });
});

describe("binding", () => {
  const [B, T] = [symbolDim("B"), symbolDim("T")];
  const sketch = new Sketch();
  const x = sketch.input("x", "f32", [B, 2]);
  const extra = sketch.input("extra", "f32", [B, 1], { optional: true, fill: 0.5 });
  const graph = sketch.graph({ sum: sketch.add("add", [x, extra], {}) });

  test("an absent optional input is filled at its full shape", () => {
    const result = interpret(graph, { inputs: new Map([["x", fullArray([3, 2], 1)]]), params: new Map() });
    expect(result.get("sum")).toEqual(fullArray([3, 2], 1.5));
  });

  const failures: readonly (readonly [Readonly<Record<string, readonly number[]>>, string])[] = [
    [{ x: [3, 3] }, "input `x` does not fit: axis 1 is 3, and the model takes 2"],
    [{ x: [3, 2], extra: [4, 1] }, "input `extra` does not fit: axis 0 is 4, and the model takes B, B being 3 in `x`"],
    [{ x: [3] }, "input `x` does not fit: it has the shape [3], and the model takes [B, 2]"],
    [{ x: [0, 2] }, "input `x` does not fit: axis 0 is 0, which gives no whole number of at least 1 for B in B"],
    [{ extra: [4, 1] }, "input `x` is missing"],
  ];
  for (const [shapes, message] of failures) {
    test(message, () => {
      const inputs = new Map(Object.entries(shapes).map(([name, shape]) => [name, fullArray(shape, 1)]));
      expect(() => interpret(graph, { inputs, params: new Map() })).toThrow(message);
    });
  }

  test("a dim symbol that no present input has", () => {
    const other = new Sketch();
    const sequence = other.input("sequence", "f32", [T], { optional: true });
    const alone = other.graph({ result: sequence });
    expect(() => interpret(alone, { inputs: new Map(), params: new Map() })).toThrow(
      "the dim T is unknown: no input that has it is there, such as `sequence`",
    );
  });

  test("a param of the wrong shape", () => {
    const other = new Sketch();
    const withParam = other.graph({ w: other.param("w", [2]) });
    const run = (params: ReadonlyMap<string, NdArray>) => () => interpret(withParam, { inputs: new Map(), params });
    expect(run(new Map())).toThrow("param `w` has no values");
    expect(run(new Map([["w", fullArray([3], 0)]]))).toThrow("param `w` has the shape [3], not [2]");
  });
});
