import { addDims, type Dim, dimsEqual, divideDims, formatDim } from "../../ir/dim.ts";
import { limits, report } from "../context.ts";
import { toDim, toNumber, toShape } from "../dims.ts";
import { dtypeOf, makeConstant, makeTensor, shapeOf } from "../tensors.ts";
import {
  type Builtin,
  type BuiltinCall,
  describe,
  itemsOf,
  listValue,
  type PoisonValue,
  poison,
  type StaticValue,
  type TensorValue,
} from "../value.ts";
import { axisAt, define, spanOf, tensorAt, tensorsAt } from "./define.ts";
import { numbersOf, refuseNumbers } from "./elementwise.ts";

function insertAxis(call: BuiltinCall, x: TensorValue, axis: number): TensorValue | PoisonValue {
  const shape = [...shapeOf(x)];
  shape.splice(axis, 0, 1);
  return makeTensor(call.context, "reshape", [x], { shape }, call.span);
}

function concat(call: BuiltinCall): StaticValue {
  const tensors = tensorsAt(call, 0, "xs");
  if (tensors === null) return poison;
  const first = tensors[0];
  if (first === undefined)
    return report(call.context, "type/range", spanOf(call, 0), { message: "`concat` of an empty list has no shape" });
  const axis = axisAt(call, 1, shapeOf(first).length, -1);
  if (axis === null) return poison;
  return tensors.length === 1 ? { ...first, span: call.span } : makeTensor(call.context, "concat", tensors, { axis }, call.span);
}

function stack(call: BuiltinCall): StaticValue {
  const tensors = tensorsAt(call, 0, "xs");
  if (tensors === null) return poison;
  const first = tensors[0];
  if (first === undefined) return report(call.context, "type/range", spanOf(call, 0), { message: "`stack` of an empty list has no shape" });
  const axis = axisAt(call, 1, shapeOf(first).length + 1, null);
  if (axis === null) return poison;
  const unequal = tensors.find((tensor) => shapeOf(tensor).length !== shapeOf(first).length);
  if (unequal !== undefined) {
    const message = `\`stack\` needs equal shapes, and these are ${describe(first)} and ${describe(unequal)}`;
    return report(call.context, "dim/rank", spanOf(call, 0), { message });
  }
  const expanded: TensorValue[] = [];
  for (const tensor of tensors) {
    const inserted = insertAxis(call, tensor, axis);
    if (inserted.kind === "poison") return poison;
    expanded.push({ ...inserted, span: tensor.span });
  }
  return makeTensor(call.context, "concat", expanded, { axis }, call.span);
}

function split(call: BuiltinCall): StaticValue {
  const x = tensorAt(call, 0, "x");
  if (x.kind === "poison") return poison;
  const axis = axisAt(call, 2, shapeOf(x).length, -1);
  const size = axis === null ? undefined : shapeOf(x)[axis];
  if (axis === null || size === undefined) return poison;
  const widths = partWidths(call, size);
  if (widths === null) return poison;
  const total = widths.reduce(addDims, 0);
  if (!dimsEqual(total, size)) {
    return report(call.context, "dim/mismatch", spanOf(call, 1), {
      message: `the parts ${widths.map(formatDim).join(" + ")} add up to ${formatDim(total)}, and axis ${axis} has ${formatDim(size)}`,
    });
  }
  const parts: StaticValue[] = [];
  let start: Dim = 0;
  for (const width of widths) {
    const stop: Dim = addDims(start, width);
    parts.push(makeTensor(call.context, "slice", [x], { axis, start, stop }, call.span));
    start = stop;
  }
  return parts.some((part) => part.kind === "poison") ? poison : listValue(parts);
}

function partWidths(call: BuiltinCall, size: Dim): readonly Dim[] | null {
  const parts = call.values[1] as StaticValue;
  const items = itemsOf(parts);
  if (items !== null) {
    const widths = items.map((item) => toDim(item, spanOf(call, 1), call.context));
    return widths.every((width) => width !== null) ? (widths as Dim[]) : null;
  }
  const count = toDim(parts, spanOf(call, 1), call.context);
  if (typeof count !== "number" || count < 1 || count > 100_000) {
    if (count !== null) report(call.context, "type/range", spanOf(call, 1), { message: `cannot split into ${formatDim(count)} parts` });
    return null;
  }
  const width = divideDims(size, count);
  if (width === null) report(call.context, "dim/not-divisible", spanOf(call, 1), { dividend: formatDim(size), divisor: String(count) });
  return width === null ? null : Array.from({ length: count }, () => width);
}

function filled(name: string, value: number | null): Builtin {
  return define(name, value === null ? "dims, value" : "dims", "A constant tensor of the given shape.", (call) => {
    const shape = toShape(call.values[0] as StaticValue, spanOf(call, 0), call.context);
    const number = value ?? toNumber(call.values[1] as StaticValue, spanOf(call, 1), "`value`", call.context);
    if (number !== null && !Number.isFinite(Math.fround(number)))
      return report(call.context, "type/range", spanOf(call, 1), { message: `${number} is no number that f32 can hold` });
    return shape === null || number === null
      ? poison
      : makeTensor(call.context, "full", [], { dtype: "f32", shape, value: number }, call.span);
  });
}

export const shapes: readonly Builtin[] = [
  define("concat", "xs, axis?", "Tensors joined along an axis, the last by default.", concat),
  define("stack", "xs, axis", "Tensors of one shape along a new axis.", stack),
  define("split", "x, parts, axis?", "A list of parts: a number of equal ones, or a list of widths.", split),
  define("reshape", "x, dims", "The same elements in another shape.", (call) => {
    const x = tensorAt(call, 0, "x");
    const shape = toShape(call.values[1] as StaticValue, spanOf(call, 1), call.context);
    return x.kind === "poison" || shape === null ? poison : makeTensor(call.context, "reshape", [x], { shape }, call.span);
  }),
  define("transpose", "x, axes", "The axes in another order.", (call) => {
    const x = tensorAt(call, 0, "x");
    const permutation = numbersOf(call.values[1] as StaticValue);
    if (x.kind === "poison") return poison;
    if (
      permutation === null ||
      [...permutation].sort((a, b) => a - b).some((axis, i) => axis !== i) ||
      permutation.length !== shapeOf(x).length
    ) {
      const expected = `each of 0 to ${shapeOf(x).length - 1} once`;
      return report(call.context, "type/mismatch", spanOf(call, 1), {
        what: "`axes`",
        expected,
        found: permutation === null ? describe(call.values[1] as StaticValue) : `[${permutation.join(", ")}]`,
      });
    }
    return makeTensor(call.context, "transpose", [x], { permutation }, call.span);
  }),
  define("expand", "x, dims", "x repeated along axes of size 1 (and new leading ones) to the given shape.", (call) => {
    const x = tensorAt(call, 0, "x");
    const shape = toShape(call.values[1] as StaticValue, spanOf(call, 1), call.context);
    return x.kind === "poison" || shape === null ? poison : makeTensor(call.context, "expand", [x], { shape }, call.span);
  }),
  define("gather", "table, ids, axis?", "The rows of `table` (along an axis) that the i32 tensor `ids` names.", (call) => {
    const table = tensorAt(call, 0, "table");
    const ids = call.values[1] as StaticValue;
    if (table.kind === "poison") return poison;
    if (ids.kind !== "tensor" || dtypeOf(ids) !== "i32") {
      return report(call.context, "type/mismatch", spanOf(call, 1), { what: "`ids`", expected: "an i32 tensor", found: describe(ids) });
    }
    const axis = axisAt(call, 2, shapeOf(table).length, 0);
    return axis === null ? poison : makeTensor(call.context, "gather", [table, { ...ids, span: spanOf(call, 1) }], { axis }, call.span);
  }),
  define("one_hot", "ids, n", "f32 with a 1 at each id along a new last axis.", (call) => {
    const ids = call.values[0] as StaticValue;
    if (ids.kind !== "tensor" || dtypeOf(ids) !== "i32") {
      return report(call.context, "type/mismatch", spanOf(call, 0), { what: "`ids`", expected: "an i32 tensor", found: describe(ids) });
    }
    const depth = toDim(call.values[1] as StaticValue, spanOf(call, 1), call.context);
    return depth === null ? poison : makeTensor(call.context, "one_hot", [{ ...ids, span: spanOf(call, 0) }], { depth }, call.span);
  }),
  define("repeat", "x, counts, axis?", "Each element along an axis, the last by default, as often as `counts` says.", (call) => {
    const x = tensorAt(call, 0, "x");
    const counts = numbersOf(call.values[1] as StaticValue);
    if (x.kind === "poison") return poison;
    const axis = axisAt(call, 2, shapeOf(x).length, -1);
    if (axis === null) return poison;
    const size = shapeOf(x)[axis] as Dim;
    if (counts === null || counts.some((count) => !Number.isInteger(count) || count < 0) || !dimsEqual(counts.length, size))
      return refuseNumbers(call, 1, "`counts`", `a list of ${formatDim(size)} whole numbers, one for each element along axis ${axis}`);
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total > limits.listItems)
      return report(call.context, "call/limit", spanOf(call, 1), { what: `${total} elements`, limit: limits.listItems });
    const index = makeConstant(
      call.context,
      counts.flatMap((count, i) => new Array<number>(count).fill(i)),
      [total],
      call.span,
      "i32",
    );
    return index.kind === "poison" ? poison : makeTensor(call.context, "gather", [x, index], { axis }, call.span);
  }),
  filled("zeros", 0),
  filled("ones", 1),
  filled("full", null),
  define("arange", "n", "f32[n]: 0, 1, 2, ...", (call) => {
    const length = toDim(call.values[0] as StaticValue, spanOf(call, 0), call.context);
    return length === null ? poison : makeTensor(call.context, "arange", [], { length }, call.span);
  }),
  define("tensor", "list", "A constant f32 tensor of a list of numbers, or of equally long lists.", (call) => {
    const flat = numbersOf(call.values[0] as StaticValue);
    if (flat !== null) return makeConstant(call.context, flat, [flat.length], call.span);
    const rows = itemsOf(call.values[0] as StaticValue)?.map(numbersOf) ?? null;
    if (rows === null || rows.some((row) => row === null || row.length !== rows[0]?.length)) {
      return report(call.context, "type/mismatch", spanOf(call, 0), {
        what: "`list`",
        expected: "a list of numbers, or of equally long lists",
        found: describe(call.values[0] as StaticValue),
      });
    }
    return makeConstant(call.context, (rows as number[][]).flat(), [rows.length, rows[0]?.length ?? 0], call.span);
  }),
];
