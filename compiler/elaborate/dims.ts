import type { Expr } from "../../dsl/ast.ts";
import type { Span } from "../../dsl/source.ts";
import type { Dim } from "../ir/dim.ts";
import { type Context, limits, report } from "./context.ts";
import { evaluate } from "./evaluate.ts";
import { formatCount } from "./tensors.ts";
import { describe, itemsOf, type StaticValue } from "./value.ts";

/** The dim that an expression stands for; null once reported. `least` is 1 where a tensor without elements has no meaning. */
export function evaluateDimExpr(expr: Expr, context: Context, least: 0 | 1 = 0): Dim | null {
  return toDim(evaluate(expr, context), expr.span, context, least);
}

/** The dim that a value stands for; null once reported. */
export function toDim(value: StaticValue, span: Span, context: Context, least: 0 | 1 = 0): Dim | null {
  if (value.kind === "poison") return null;
  if (value.kind === "number") {
    if (typeof value.value !== "number") return value.value;
    if (value.value > limits.elements) {
      report(context, "dim/absurd", span, { what: "a dim", count: formatCount(value.value), limit: formatCount(limits.elements) });
      return null;
    }
    if (Number.isInteger(value.value) && value.value >= least) return value.value;
  }
  report(context, "dim/not-a-dim", span, { least, found: describe(value).replace(/^the (number|dim) /, "") });
  return null;
}

/** The shape that a list of dims stands for; null once reported. */
export function toShape(value: StaticValue, span: Span, context: Context): readonly Dim[] | null {
  if (value.kind === "poison") return null;
  const items = itemsOf(value);
  if (items === null) {
    report(context, "type/mismatch", span, { what: "a shape", expected: "a list of dims", found: describe(value) });
    return null;
  }
  const dims = items.map((item) => toDim(item, span, context));
  return dims.every((dim) => dim !== null) ? (dims as Dim[]) : null;
}

/** A whole number known while compiling; null once reported. */
export function toInteger(value: StaticValue, span: Span, what: string, context: Context): number | null {
  if (value.kind === "poison") return null;
  if (value.kind === "number" && typeof value.value === "number" && Number.isInteger(value.value)) return value.value;
  if (value.kind === "tensor" || (value.kind === "number" && typeof value.value !== "number")) {
    report(context, "type/not-static", span, { what, found: describe(value) });
  } else report(context, "type/mismatch", span, { what, expected: "a whole number", found: describe(value) });
  return null;
}

/** A number known while compiling; null once reported. */
export function toNumber(value: StaticValue, span: Span, what: string, context: Context): number | null {
  if (value.kind === "poison") return null;
  if (value.kind === "number" && typeof value.value === "number") return value.value;
  if (value.kind === "tensor" || value.kind === "number") report(context, "type/not-static", span, { what, found: describe(value) });
  else report(context, "type/mismatch", span, { what, expected: "a number", found: describe(value) });
  return null;
}

/** An axis of a rank as a non-negative number; null once reported. */
export function toAxis(value: StaticValue, rank: number, span: Span, context: Context): number | null {
  const axis = toInteger(value, span, "an axis", context);
  if (axis === null) return null;
  const positive = axis < 0 ? axis + rank : axis;
  if (positive >= 0 && positive < rank) return positive;
  report(context, "type/range", span, { message: `axis ${axis} does not exist: the tensor has ${rank} ${rank === 1 ? "axis" : "axes"}` });
  return null;
}
