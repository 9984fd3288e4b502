import { expect, test } from "vitest";
import { addDims, type Dim, multiplyDims, scaleDim, subtractDims, symbolDim } from "../../compiler/ir/dim.ts";
import type { TensorType } from "../../compiler/ir/graph.ts";
import type { OpAttributes, OpName } from "../../compiler/ops/attributes.ts";
import { isShapeError } from "../../compiler/ops/op.ts";
import { formatType } from "../../compiler/ops/shape-rules.ts";
import { inferTypes } from "../../compiler/ops/table.ts";
import { f32 } from "./build-graph.ts";

const B = symbolDim("B");
const T = symbolDim("T");
const i32 = (...shape: readonly Dim[]): TensorType => ({ dtype: "i32", shape });
const bool = (...shape: readonly Dim[]): TensorType => ({ dtype: "bool", shape });

function check<K extends OpName>(op: K, types: readonly TensorType[], attributes: OpAttributes[K], expected: string): void {
  test(`${op}(${types.map(formatType).join(", ")}): ${expected}`, () => {
    const result = inferTypes(op, types, attributes);
    expect(isShapeError(result) ? `${result.problem}: ${result.message}` : result.map(formatType).join(", ")).toBe(expected);
  });
}

// elementwise
check("add", [f32(B, 4), f32(4)], {}, "f32[B, 4]");
check("add", [f32(B, 1, 4), f32(3, 1)], {}, "f32[B, 3, 4]");
check("add", [f32(B), f32(1)], {}, "f32[B]");
check("add", [f32(B, 4), f32(B, 3)], {}, "dim: the shapes [B, 4] and [B, 3] do not go together: 4 and 3 differ");
check("add", [f32(B), f32(T)], {}, "dim: the shapes [B] and [T] do not go together: B and T differ");
check("add", [f32(B), i32(B)], {}, "dtype: the operands are f32 and i32; convert one of them");
check("add", [bool(B), bool(B)], {}, "dtype: takes f32 or i32, not bool[B]");
check("lt", [f32(B), f32()], {}, "bool[B]");
check("exp", [i32(3)], {}, "dtype: takes f32, not i32[3]");
check("where", [bool(B, 1), f32(B, 3), f32()], {}, "f32[B, 3]");
check("where", [f32(B), f32(B), f32(B)], {}, "dtype: the condition is f32, not bool");
check("dropout", [f32(B)], { rate: 1 }, "range: the rate must be at least 0 and below 1, not 1");

// along axes
check("reduce_sum", [f32(B, T, 4)], { axes: [0, 2], keep: false }, "f32[T]");
check("reduce_sum", [f32(B, T, 4)], { axes: [0, 2], keep: true }, "f32[1, T, 1]");
check("reduce_mean", [f32(B)], { axes: [1], keep: false }, "axis: there is no axis 1 in [B], which has rank 1");
check("softmax", [f32(B, 4)], { axis: 2 }, "axis: there is no axis 2 in [B, 4], which has rank 2");
check("layer_norm", [f32(B, 4), f32(4), f32(4)], { epsilon: 1e-5 }, "f32[B, 4]");
check("layer_norm", [f32(B, 4), f32(5), f32(4)], { epsilon: 1e-5 }, "dim: gamma must be f32[4], as wide as the last axis, not f32[5]");

// linear algebra
check("matmul", [f32(B, 4), f32(4, 5)], {}, "f32[B, 5]");
check("matmul", [f32(B, 1, 2, 4), f32(3, 4, 5)], {}, "f32[B, 3, 2, 5]");
check("matmul", [f32(B, 64), f32(128, 5)], {}, "dim: in [B, 64] @ [128, 5] the inner dims 64 and 128 differ");
check("matmul", [f32(4), f32(4, 5)], {}, "rank: a matrix product takes operands of rank 2 or more, not [4]");
check("matmul", [f32(B, 2, 4), f32(T, 4, 5)], {}, "dim: the shapes [B, 2, 4] and [T, 4, 5] do not go together: B and T differ");

// shape
check("concat", [f32(B, 2), f32(B, T)], { axis: 1 }, "f32[B, T + 2]");
check("concat", [f32(B, 2), f32(T, 2)], { axis: 1 }, "dim: parts may differ along axis 1 only, and [B, 2] and [T, 2] differ on axis 0");
check("concat", [f32(B, 2), f32(B)], { axis: 1 }, "rank: parts must have the same rank, and [B, 2] and [B] differ");
check("concat", [], { axis: 0 }, "count: there is nothing to concatenate");
check("slice", [f32(B, 734)], { axis: 1, start: 0, stop: 644 }, "f32[B, 644]");
check("slice", [f32(B, 734)], { axis: 1, start: 644, stop: 735 }, "range: the range 644:735 of axis 1 of [B, 734] goes past the end");
check("slice", [f32(B, 8)], { axis: 1, start: 3, stop: 2 }, "range: the range 3:2 of axis 1 of [B, 8] may end before it starts");
check("slice", [f32(B, T)], { axis: 1, start: subtractDims(T, 1), stop: T }, "f32[B, 1]");
check("slice", [f32(B, T)], { axis: 1, start: 1, stop: T }, "f32[B, T - 1]");
check("slice", [f32(B, T)], { axis: 1, start: 0, stop: 1 }, "f32[B, 1]");
check("slice", [f32(B, T)], { axis: 1, start: 0, stop: 4 }, "range: the range 0:4 of axis 1 of [B, T] cannot be shown to end within T");
check(
  "slice",
  [f32(B, T)],
  { axis: 1, start: subtractDims(T, 4), stop: T },
  "range: the range T - 4:T of axis 1 of [B, T] may start before 0",
);
check("slice", [f32(addDims(T, 3))], { axis: 0, start: 0, stop: 4 }, "f32[4]");
check("reshape", [f32(B, T, 6)], { shape: [multiplyDims(B, T), 2, 3] }, "f32[B*T, 2, 3]");
check("reshape", [f32(B, 6)], { shape: [scaleDim(B, 2), 3] }, "f32[2*B, 3]");
check("reshape", [f32(B, 6)], { shape: [B, 5] }, "element-count: [B, 6] cannot take the shape [B, 5]: 6*B values do not make 5*B");
check("transpose", [f32(B, T, 3)], { permutation: [2, 0, 1] }, "f32[3, B, T]");
check("transpose", [f32(B, T)], { permutation: [0, 0] }, "axis: [0, 0] does not name each axis of [B, T] once");
check("expand", [f32(1, 3)], { shape: [B, T, 3] }, "f32[B, T, 3]");
check("expand", [f32(2, 3)], { shape: [B, 3] }, "dim: [2, 3] does not stretch to [B, 3]: 2 is neither 1 nor B");
check("gather", [f32(20, 32), i32(B)], { axis: 0 }, "f32[B, 32]");
check("gather", [f32(20, 32), f32(B)], { axis: 0 }, "dtype: takes i32, not f32[B]");
check("one_hot", [i32(B)], { depth: 20 }, "f32[B, 20]");

// sources and recurrences
check("constant", [], { dtype: "f32", shape: [2], data: [1] }, "element-count: 1 values do not fill the shape [2]");
check("full", [], { dtype: "f32", shape: [B, 2.5], value: 0 }, "range: a dim must be a whole number and not negative, not 2.5");
check("linear_scan", [f32(B, T), f32(B, T)], { axis: 1 }, "f32[B, T]");
check(
  "linear_scan",
  [f32(B, T), f32(B, 1)],
  { axis: 1 },
  "dim: a and b of h = a·h + b must have the same shape, and [B, T] and [B, 1] differ",
);

test("an error names the operands and axes in conflict", () => {
  expect(inferTypes("matmul", [f32(B, 64), f32(128, 5)], {})).toMatchObject({
    operands: [
      { input: 0, axis: 1 },
      { input: 1, axis: 0 },
    ],
  });
  expect(inferTypes("add", [f32(B, 4), f32(3)], {})).toMatchObject({
    operands: [
      { input: 0, axis: 1 },
      { input: 1, axis: 0 },
    ],
  });
});
