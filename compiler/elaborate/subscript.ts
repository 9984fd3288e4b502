import type { Expr, Index, IndexRange, IndexSlice, Subscript } from "../../dsl/ast.ts";
import type { Span } from "../../dsl/source.ts";
import { closest } from "../../dsl/suggest.ts";
import { addDims, type Dim, formatDim } from "../ir/dim.ts";
import { type Context, report } from "./context.ts";
import { toDim, toInteger } from "./dims.ts";
import { evaluate } from "./evaluate.ts";
import { makeTensor, shapeOf, shapesEqual } from "./tensors.ts";
import {
  describe,
  itemsOf,
  type PoisonValue,
  poison,
  type SliceOf,
  type StaticValue,
  type TensorValue,
  tensorWith,
  withSpan,
} from "./value.ts";

/** `x[...]` on a tensor, a list or a record. */
export function evaluateSubscript(node: Subscript, context: Context): StaticValue {
  const object = evaluate(node.object, context);
  if (object.kind === "poison") return poison;
  if (object.kind === "tensor") {
    const range = node.indices[0];
    if (node.indices.length === 1 && range?.kind === "IndexRange") return takeSliceRange(object, range, node.span, context);
    return indexTensor(withSpan(object, node.object.span), node, context);
  }
  return indexList(object, node, context);
}

function indexList(object: StaticValue, node: Subscript, context: Context): StaticValue {
  const items = itemsOf(object);
  const index = node.indices[0];
  if (items === null || node.indices.length !== 1 || index === undefined || index.kind === "IndexRest" || index.kind === "IndexRange") {
    return report(context, "type/mismatch", node.span, {
      what: "what is indexed like this",
      expected: "a tensor, a list or a record",
      found: describe(object),
    });
  }
  if (index.kind === "IndexSlice") {
    const start = index.start === null ? 0 : toInteger(evaluate(index.start, context), index.start.span, "a list position", context);
    const stop = index.stop === null ? items.length : toInteger(evaluate(index.stop, context), index.stop.span, "a list position", context);
    return start === null || stop === null ? poison : { kind: "list", items: items.slice(start, stop) };
  }
  const key = evaluate(index.value, context);
  if (key.kind === "poison") return poison;
  if (key.kind === "string" && object.kind === "record") return fieldOf(object.fields, object.title, key.value, index.span, context);
  const position = toInteger(key, index.span, "a list position", context);
  if (position === null) return poison;
  const item = items[position < 0 ? position + items.length : position];
  return (
    item ??
    report(context, "type/range", index.span, {
      message: `position ${position} is outside of ${describe(object)}, which has ${items.length}`,
    })
  );
}

/** A field by name, or a finding with a suggestion. */
export function fieldOf(fields: ReadonlyMap<string, StaticValue>, title: string, name: string, span: Span, context: Context): StaticValue {
  const value = fields.get(name);
  if (value !== undefined) return value;
  const near = closest(name, [...fields.keys()]);
  const help = near !== null ? `did you mean \`${near}\`?` : fields.size > 0 ? `it has ${listNames([...fields.keys()])}` : null;
  return report(
    context,
    "name/unknown-member",
    span,
    { object: title, name },
    { help, fixes: near === null ? [] : [{ title: `change to \`${near}\``, safe: false, edits: [{ span, text: near }] }] },
  );
}

export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 12).map((name) => `\`${name}\``);
  return names.length > 12 ? `${shown.join(", ")} and ${names.length - 12} more` : shown.join(", ");
}

// ── named slices ────────────────────────────────────────────────────────────

/** `x.base`: the columns of a named slice, which keeps the slices inside of it. */
export function takeSlice(object: TensorValue, slice: SliceOf, span: Span, context: Context): StaticValue {
  return takeColumns(object, slice.start, slice.width, slice.slices, span, context);
}

function takeColumns(
  object: TensorValue,
  start: number,
  width: number,
  slices: readonly SliceOf[],
  span: Span,
  context: Context,
): TensorValue | PoisonValue {
  const moved = slices.map((slice) => moveSlice(slice, start));
  return makeTensor(context, "slice", [object], { axis: shapeOf(object).length - 1, start, stop: start + width }, span, {
    slices: moved.length > 0 ? moved : null,
  });
}

function moveSlice(slice: SliceOf, by: number): SliceOf {
  return { ...slice, start: slice.start - by, slices: slice.slices.map((inner) => moveSlice(inner, by)) };
}

function takeSliceRange(object: TensorValue, range: IndexRange, span: Span, context: Context): StaticValue {
  const from = findSlice(object, range.from, context);
  const to = findSlice(object, range.to, context);
  if (from === null || to === null) return poison;
  const stop = to.start + to.width;
  if (from.start >= stop) {
    return report(context, "dim/slice-past-end", span, { message: `slice \`${from.name}\` comes after \`${to.name}\`` });
  }
  const inside = (object.slices ?? []).filter((slice) => slice.start >= from.start && slice.start + slice.width <= stop);
  return takeColumns(object, from.start, stop - from.start, inside, span, context);
}

/** The slice that a path such as `base.rfm` names. */
function findSlice(object: TensorValue, path: Expr, context: Context): SliceOf | null {
  const parent = path.kind === "Member" ? findSlice(object, path.object, context) : null;
  if (path.kind === "Member" && parent === null) return null;
  const within = path.kind === "Member" ? (parent as SliceOf).slices : (object.slices ?? []);
  const name = path.kind === "Reference" ? path.name : path.kind === "Member" ? path.name.text : null;
  const found = within.find((slice) => slice.name === name);
  if (found !== undefined) return found;
  const near =
    name === null
      ? null
      : closest(
          name,
          within.map((slice) => slice.name),
        );
  report(
    context,
    "name/unknown-member",
    path.span,
    { object: "the tensor", name: name ?? "slice of this form" },
    {
      help:
        near !== null
          ? `did you mean \`${near}\`?`
          : within.length > 0
            ? `its slices are ${listNames(within.map((slice) => slice.name))}`
            : "it has no named slices",
    },
  );
  return null;
}

// ── positions ───────────────────────────────────────────────────────────────

function indexTensor(object: TensorValue, { indices, span }: Subscript, context: Context): StaticValue {
  const shape = shapeOf(object);
  const values = new Array<StaticValue | null>(indices.length);
  let consumed = 0;
  let rests = 0;
  let poisoned = false;
  for (let i = 0; i < indices.length; i += 1) {
    const index = indices[i] as Index;
    const value = index.kind === "IndexExpr" ? evaluate(index.value, context) : null;
    values[i] = value;
    poisoned ||= value?.kind === "poison";
    if (index.kind === "IndexRest") rests += 1;
    else if (value?.kind !== "none") consumed += 1;
  }
  if (poisoned) return poison;
  if (rests > 1 || consumed > shape.length) {
    return report(context, "dim/rank", span, {
      message: `${consumed} positions for ${describe(object)}, which has ${shape.length} axes`,
    });
  }
  let current: TensorValue | PoisonValue = object;
  // What is left of the axes, with those that `none` makes, and which of these may stretch.
  const result: Dim[] = [];
  let stretch: Set<number> | null = null;
  let axis = 0;
  // One step further than there are indices: the axes that are left then are kept.
  for (let i = 0; i <= indices.length; i += 1) {
    const index = indices[i];
    const value = values[i];
    let kept = index === undefined ? shape.length - axis : index.kind === "IndexRest" ? shape.length - consumed : 1;
    if (value?.kind === "none") {
      stretch = (stretch ?? new Set()).add(result.length);
      result.push(1);
      continue;
    }
    if (index !== undefined && index.kind !== "IndexRest") {
      current = takeAxis(current, shape, axis, index, value ?? null, context);
      if (current.kind === "poison") return poison;
      if (index.kind === "IndexExpr") {
        axis += 1;
        kept = 0;
      }
    }
    for (; kept > 0; kept -= 1) {
      if (object.stretch?.has(axis)) stretch = (stretch ?? new Set()).add(result.length);
      result.push(shapeOf(current)[axis] as Dim);
      axis += 1;
    }
  }
  return shapesEqual(result, shapeOf(current))
    ? tensorWith(current, { span, stretch })
    : makeTensor(context, "reshape", [current], { shape: result }, span, { stretch });
}

function takeAxis(
  current: TensorValue | PoisonValue,
  shape: readonly Dim[],
  axis: number,
  index: Index,
  value: StaticValue | null,
  context: Context,
): TensorValue | PoisonValue {
  if (current.kind === "poison") return poison;
  const size = shape[axis] as Dim;
  if (index.kind === "IndexSlice") {
    if (index.start === null && index.stop === null) return current;
    const bounds = sliceBounds(index, size, context);
    return bounds === null ? poison : makeTensor(context, "slice", [current], { axis, ...bounds }, index.span);
  }
  if (value === null || index.kind !== "IndexExpr") {
    return report(context, "type/mismatch", index.span, {
      what: "an index",
      expected: "a position, `a:b`, `..` or `none`",
      found: "a range of slices",
    });
  }
  const position =
    value.kind === "number" && typeof value.value !== "number" ? value.value : toInteger(value, index.span, "a position", context);
  if (position === null) return poison;
  const start = typeof position === "number" && position < 0 ? addDims(size, position) : position;
  if ((typeof start === "number" && typeof size === "number" && start >= size) || (typeof start === "number" && start < 0)) {
    return report(context, "dim/slice-past-end", index.span, {
      message: `position ${formatDim(position)} is past the end: axis ${axis} has ${formatDim(size)}`,
    });
  }
  return makeTensor(context, "slice", [current], { axis, start, stop: addDims(start, 1) }, index.span);
}

function sliceBounds(index: IndexSlice, size: Dim, context: Context): { start: Dim; stop: Dim } | null {
  const start = index.start === null ? 0 : boundOf(index.start, size, context);
  const stop = index.stop === null ? size : boundOf(index.stop, size, context);
  return start === null || stop === null ? null : { start, stop };
}

function boundOf(expr: Expr, size: Dim, context: Context): Dim | null {
  const value = evaluate(expr, context);
  if (value.kind === "number" && typeof value.value === "number" && value.value < 0 && Number.isInteger(value.value))
    return addDims(size, value.value);
  return toDim(value, expr.span, context);
}
