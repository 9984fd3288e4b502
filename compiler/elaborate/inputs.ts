import type { Input, Slice, TensorType } from "../../dsl/ast.ts";
import type { Dim } from "../ir/dim.ts";
import { dimsEqual, formatShape, symbolDim } from "../ir/dim.ts";
import type { DType, Value } from "../ir/graph.ts";
import type { ModelInput, ModelSlice } from "../model.ts";
import { type Context, report } from "./context.ts";
import { evaluateDimExpr, toNumber } from "./dims.ts";
import { evaluate } from "./evaluate.ts";
import { formatType } from "./match-type.ts";
import { makeTensor } from "./tensors.ts";
import { type PoisonValue, poison, type SliceOf, type TensorValue } from "./value.ts";

/** An input as a value of the language and as the model's caller sees it. */
export interface DeclaredInput {
  readonly tensor: TensorValue | PoisonValue;
  readonly info: ModelInput | null;
}

/** Declares an `input`: checks its type, vocabulary, default and slices. */
export function declareInput(input: Input, context: Context): DeclaredInput {
  const name = input.name.text;
  const { type } = input;
  if (type === null) return nothing(poison); // The schema that gives it was reported.
  if (type.kind !== "TensorType") {
    return nothing(
      report(context, "type/mismatch", type.span, {
        what: `the type of input \`${name}\``,
        expected: "a tensor such as f32[B, 64] or id[B] of 20",
        found: formatType(type),
      }),
    );
  }
  const unclear = type.dims.find((dim) => dim.kind !== "DimExpr");
  if (unclear !== undefined)
    return nothing(
      report(context, "type/mismatch", unclear.span, { what: "a dim of an input", expected: "stated", found: formatType(type) }),
    );
  const shape = type.dims.map((dim) => (dim.kind === "DimExpr" ? evaluateDimExpr(dim.value, context, 1) : null));
  if (shape.some((dim) => dim === null)) return nothing(poison);
  const dims = shape as Dim[];
  if (dims.length === 0 || !dimsEqual(dims[0] as Dim, symbolDim("B"))) {
    return nothing(report(context, "dim/batch-lost", type.span, { what: `input \`${name}\``, shape: `${type.dtype}${formatShape(dims)}` }));
  }
  const vocabulary = inputVocabulary(type, name, context);
  const fill =
    input.defaultValue === null
      ? 0
      : toNumber(evaluate(input.defaultValue, context), input.defaultValue.span, `the default of input \`${name}\``, context);
  const slices = inputSlices(input, dims, context);
  if (vocabulary === "wrong" || fill === null || slices === null) return nothing(poison);
  if (input.defaultValue !== null && !type.optional) {
    return nothing(
      report(context, "type/mismatch", input.defaultValue.span, {
        what: `input \`${name}\`, which has a default,`,
        expected: `optional: \`${formatType(type)}?\``,
        found: "required",
      }),
    );
  }
  if (
    type.dtype !== "f32" &&
    !(Number.isInteger(fill) && fill >= (vocabulary === null ? -(2 ** 31) : 0) && fill < (vocabulary ?? 2 ** 31))
  ) {
    const values = vocabulary === null ? `a whole number` : `an id from 0 to ${vocabulary - 1}`;
    return nothing(
      report(context, "type/range", input.defaultValue?.span ?? type.span, {
        message: `the default of input \`${name}\` is ${values}, not ${fill}`,
      }),
    );
  }
  const dtype: DType = type.dtype === "id" ? "i32" : type.dtype;
  const tensor = makeTensor(context, "input", [], { name, dtype, shape: dims }, input.name.span, {
    slices: slices.length > 0 ? slices.map(toSliceOf) : null,
    vocabulary,
  });
  const info = { name, dtype, shape: dims, optional: type.optional, fill, vocabulary, slices, doc: input.doc, span: input.name.span };
  return { tensor, info };
}

function nothing(tensor: PoisonValue): DeclaredInput {
  return { tensor, info: null };
}

/** The graph value of a declared input. */
export function inputValue(declared: DeclaredInput): Value | null {
  return declared.tensor.kind === "tensor" ? declared.tensor.value : null;
}

function inputVocabulary(type: TensorType, name: string, context: Context): number | null | "wrong" {
  if (type.dtype === "id" && type.of === null) {
    report(context, "type/mismatch", type.span, {
      what: `the type of input \`${name}\``,
      expected: "ids with a vocabulary: `id[B] of 20`",
      found: formatType(type),
    });
    return "wrong";
  }
  if (type.of === null) return null;
  const size = evaluateDimExpr(type.of, context, 1);
  if (size === null) return "wrong";
  if (type.dtype === "id" && typeof size === "number" && size >= 1 && size < 2 ** 31) return size;
  report(context, "type/range", type.of.span, {
    message: type.dtype === "id" ? `a vocabulary has 1 to 2^31 - 1 ids, and this has ${size}` : "only `id` inputs have a vocabulary",
  });
  return "wrong";
}

/** Named slices with their starts; null once something was reported. */
function inputSlices(input: Input, shape: readonly Dim[], context: Context): readonly ModelSlice[] | null {
  if (input.slices.length === 0) return [];
  const last = shape.at(-1) as Dim;
  if (typeof last !== "number" || shape.length < 2) {
    report(context, "type/not-static", input.name.span, { what: "the last dim of an input with slices", found: formatShape(shape) });
    return null;
  }
  return layOut(input.slices, 0, last, input.name.text, input.name.span, context);
}

function layOut(
  slices: readonly Slice[],
  start: number,
  width: number,
  owner: string,
  ownerSpan: Slice["span"],
  context: Context,
): readonly ModelSlice[] | null {
  const placed: ModelSlice[] = [];
  const seen = new Map<string, Slice>();
  let at = start;
  let fits = true;
  for (const slice of slices) {
    const before = seen.get(slice.name.text);
    if (before !== undefined) {
      report(
        context,
        "name/duplicate",
        slice.name.span,
        { name: slice.name.text },
        { notes: [{ message: "declared here first", span: before.name.span }] },
      );
      fits = false;
    }
    seen.set(slice.name.text, slice);
    const own = evaluateDimExpr(slice.width, context, 1);
    if (typeof own !== "number") {
      if (own !== null) report(context, "type/not-static", slice.width.span, { what: "the width of a slice", found: String(own) });
      return null;
    }
    const inner = slice.slices.length === 0 ? [] : layOut(slice.slices, at, own, `${owner}.${slice.name.text}`, slice.name.span, context);
    if (inner === null) fits = false;
    else placed.push({ name: slice.name.text, start: at, width: own, slices: inner, column: slice.column, doc: slice.doc });
    at += own;
  }
  const sum = at - start;
  if (fits && sum !== width) {
    const difference = width - sum;
    const help = `${Math.abs(difference)} ${Math.abs(difference) === 1 ? "column" : "columns"} ${difference > 0 ? "without a name" : "too many"}`;
    const parts = placed.map((slice) => slice.width).join(" + ");
    report(context, "dim/slices-sum", ownerSpan, { name: owner, sum, width }, { help: `${parts} = ${sum}: ${help}` });
    fits = false;
  }
  return fits ? placed : null;
}

function toSliceOf(slice: ModelSlice): SliceOf {
  return { name: slice.name, start: slice.start, width: slice.width, slices: slice.slices.map(toSliceOf), column: slice.column };
}
