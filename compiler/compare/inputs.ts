import { formatShape } from "../ir/dim.ts";
import type { CheckedModel, ModelInput, ModelSlice } from "../model.ts";
import { added, type Change, changed, pair, removed } from "./change.ts";

/** Inputs and their named columns, from the point of view of whoever feeds the model. */
export function compareInputs(a: CheckedModel, b: CheckedModel): readonly Change[] {
  return pair(a.inputs, b.inputs, ({ name }) => name).flatMap(({ name, before, after }) => {
    if (before === null && after !== null)
      return [added("inputs", name, describeInput(after), after.optional ? null : "callers do not give this input yet")];
    if (before === null) return [];
    if (after === null) return [removed("inputs", name, describeInput(before), "callers that give it name an input that is gone")];
    return compareInput(before, after);
  });
}

/** `id[B] of 20?`, `f32[B, 8]`. */
export function describeInput({ dtype, shape, vocabulary, optional }: ModelInput): string {
  const base = vocabulary === null ? `${dtype}${formatShape(shape)}` : `id${formatShape(shape)} of ${vocabulary}`;
  return `${base}${optional ? "?" : ""}`;
}

function compareInput(before: ModelInput, after: ModelInput): readonly Change[] {
  const { name } = after;
  return [
    ...changed("inputs", name, describeInput(before), describeInput(after), typeBreaks(before, after)),
    ...(before.optional && after.optional ? changed("inputs", `${name} when absent`, String(before.fill), String(after.fill)) : []),
    ...compareSlices(name, before.slices, after.slices),
  ];
}

/** Optional inputs may become required only at the cost of callers; whatever was given before must still be taken. */
function typeBreaks(before: ModelInput, after: ModelInput): string | null {
  if (before.dtype !== after.dtype || (before.vocabulary === null) !== (after.vocabulary === null)) return "its element type is another";
  if (formatShape(before.shape) !== formatShape(after.shape)) return "its shape is another";
  if (before.vocabulary !== null && after.vocabulary !== null && after.vocabulary < before.vocabulary)
    return `ids from ${after.vocabulary} to ${before.vocabulary - 1} are no longer taken`;
  return before.optional && !after.optional ? "it is required now" : null;
}

/** Columns have a meaning by their names: a name that moves or goes breaks callers, a new one within old columns does not. */
function compareSlices(path: string, before: readonly ModelSlice[], after: readonly ModelSlice[]): readonly Change[] {
  return pair(before, after, ({ name }) => name).flatMap(({ name, before: old, after: now }) => {
    const full = `${path}.${name}`;
    if (old === null && now !== null) return [added("inputs", full, describeSlice(now))];
    if (old === null) return [];
    if (now === null) return [removed("inputs", full, describeSlice(old), "callers that name these columns do not find them")];
    const moved = changed("inputs", full, describeSlice(old), describeSlice(now), "its columns are others");
    // What is inside moved along with it, and is said already.
    const inner = moved.length > 0 ? compareInside(full, old, now) : compareSlices(full, old.slices, now.slices);
    return [...moved, ...inner];
  });
}

/** Names inside of slices that moved, each compared by where it is within its parent. */
function compareInside(path: string, before: ModelSlice, after: ModelSlice): readonly Change[] {
  const within = ({ slices, start }: ModelSlice, from = start): readonly ModelSlice[] =>
    slices.map((slice) => ({ ...slice, start: slice.start - from, slices: within(slice, from) }));
  return compareSlices(path, within(before), within(after));
}

const describeSlice = ({ start, width }: ModelSlice): string =>
  width === 1 ? `column ${start}` : `columns ${start} to ${start + width - 1}`;
