import type { InputDescription, ModelDescription, SliceDescription } from "./description.ts";

/** The part of one row of an input that a column gives: `length` values from `start`, or null for all of a row whose dims are not all fixed. */
export interface ColumnTarget {
  readonly input: InputDescription;
  readonly start: number;
  readonly length: number | null;
  /** True for the whole input under its own name. */
  readonly whole: boolean;
}

/** Values in one row of an input (the axes after the batch), or null where a dim is symbolic. */
export function rowWidth(input: InputDescription): number | null {
  let width = 1;
  for (const dim of input.shape.slice(1)) {
    if (typeof dim === "string") return null;
    width *= dim;
  }
  return width;
}

/**
 * Resolves `name`, `name.3`, `name.slice.slice` or `name.slice.3`; null when there is no such place. An index counts within what stands before it;
 * slices are of the last axis.
 */
export function resolveColumn(model: ModelDescription, column: string): ColumnTarget | null {
  const [name, ...steps] = column.split(".");
  const input = model.inputs.find((candidate) => candidate.name === name);
  if (input === undefined) return null;
  const width = rowWidth(input);
  if (steps.length === 0) return { input, start: 0, length: width, whole: true };
  const shape = input.shape.slice(1);
  if (width === null) return null;
  let start = 0;
  let length = width;
  let axis = 0;
  let sliceOffset = 0;
  let slices: readonly SliceDescription[] = input.slices;
  for (const step of steps) {
    const onLastAxis = axis === shape.length - 1;
    const slice = onLastAxis ? slices.find((candidate) => candidate.name === step) : undefined;
    if (slice !== undefined) {
      // Slices count from the start of the axis, nested ones too.
      start += slice.start - sliceOffset;
      sliceOffset = slice.start;
      length = slice.width;
      slices = slice.slices;
      continue;
    }
    if (!/^\d+$/.test(step) || axis >= shape.length) return null;
    const size = onLastAxis ? length : (shape[axis] as number);
    const index = Number(step);
    if (index >= size) return null;
    length /= size;
    start += index * length;
    slices = onLastAxis ? [] : input.slices;
    axis += 1;
  }
  return { input, start, length, whole: false };
}
