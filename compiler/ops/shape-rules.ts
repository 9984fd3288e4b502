import { type Dim, dimsEqual, formatDim, formatShape, SymbolicDim } from "../ir/dim.ts";
import type { DType, TensorType } from "../ir/graph.ts";
import type { ShapeError } from "./op.ts";

export type Inferred = readonly TensorType[] | ShapeError;

export function shapeError(
  problem: ShapeError["problem"],
  message: string,
  ...operands: readonly (readonly [input: number, axis?: number])[]
): ShapeError {
  return { problem, message, operands: operands.map(([input, axis]) => ({ input, axis: axis ?? null })) };
}

export function tensor(dtype: DType, shape: readonly Dim[]): TensorType {
  return { dtype, shape };
}

export function formatType({ dtype, shape }: TensorType): string {
  return `${dtype}${formatShape(shape)}`;
}

export function countError(types: readonly TensorType[], count: number): ShapeError | null {
  if (types.length === count) return null;
  return shapeError("count", `takes ${count} ${count === 1 ? "operand" : "operands"}, not ${types.length}`);
}

/** Checks the number of operands and that each dtype is among those allowed. */
export function operandError(types: readonly TensorType[], count: number, allowed: readonly DType[]): ShapeError | null {
  if (types.length !== count) return countError(types, count);
  for (let input = 0; input < count; input += 1) {
    const type = types[input] as TensorType;
    if (!allowed.includes(type.dtype)) return dtypeError(type, input, allowed);
  }
  return null;
}

export function dtypeError(type: TensorType, input: number, allowed: readonly DType[]): ShapeError {
  return shapeError("dtype", `takes ${allowed.join(" or ")}, not ${formatType(type)}`, [input]);
}

export function sameDTypeError(types: readonly TensorType[], first = 0): ShapeError | null {
  const dtype = types[first]?.dtype;
  for (let i = first + 1; i < types.length; i += 1) {
    const other = (types[i] as TensorType).dtype;
    if (other !== dtype) return shapeError("dtype", `the operands are ${dtype} and ${other}; convert one of them`, [i], [first]);
  }
  return null;
}

/** The operand at `input` must have an axis `axis`. */
export function axisError(types: readonly TensorType[], axis: number, input = 0): ShapeError | null {
  const { shape } = types[input] as TensorType;
  if (Number.isInteger(axis) && axis >= 0 && axis < shape.length) return null;
  return shapeError("axis", `there is no axis ${axis} in ${formatShape(shape)}, which has rank ${shape.length}`, [input]);
}

/** Whether the first operand has the shape that all have together, as far as that is seen at once. */
function firstHasAll(types: readonly TensorType[]): boolean {
  const first = shapeAt(types, 0);
  for (let input = 1; input < types.length; input += 1) {
    const shape = shapeAt(types, input);
    if (shape === first || shape.length === 0) continue;
    if (shape.length !== first.length) return false;
    for (let axis = 0; axis < shape.length; axis += 1) if (!dimsEqual(shape[axis] as Dim, first[axis] as Dim)) return false;
  }
  return true;
}

/** NumPy broadcasting over the leading axes of all operands, `skip` trailing axes left out. */
export function broadcastDims(types: readonly TensorType[], skip = 0): readonly Dim[] | ShapeError {
  if (skip === 0 && types.length > 0 && firstHasAll(types)) return shapeAt(types, 0);
  let rank = 0;
  for (let input = 0; input < types.length; input += 1) rank = Math.max(rank, shapeAt(types, input).length - skip);
  const result: Dim[] = [];
  for (let axis = 0; axis < rank; axis++) {
    let from = -1;
    for (let input = 0; input < types.length; input++) {
      const { shape } = types[input] as TensorType;
      const own = axis - rank + shape.length - skip;
      if (own < 0) continue;
      const dim = shape[own] as Dim;
      if (dim === 1 || (from >= 0 && dimsEqual(dim, result[axis] as Dim))) continue;
      if (from >= 0) {
        const other = shapeAt(types, from);
        const shapes = `${formatShape(other)} and ${formatShape(shape)}`;
        return shapeError(
          "dim",
          `the shapes ${shapes} do not go together: ${formatDim(result[axis] as Dim)} and ${formatDim(dim)} differ`,
          [from, axis - rank + other.length - skip],
          [input, own],
        );
      }
      from = input;
      result[axis] = dim;
    }
    if (from < 0) result[axis] = 1;
  }
  return result;
}

export function shapeAt(types: readonly TensorType[], input: number): readonly Dim[] {
  return (types[input] as TensorType).shape;
}

export function dimAt(types: readonly TensorType[], input: number, axis: number): Dim {
  return shapeAt(types, input)[axis] as Dim;
}

export function isDims(result: readonly Dim[] | ShapeError): result is readonly Dim[] {
  return Array.isArray(result);
}

/** True when the dim is at least 0 for all symbols at least 1. */
export function provablyNonNegative(dim: Dim): boolean {
  if (typeof dim === "number") return dim >= 0;
  const grows = dim.terms.every((term) => term.symbols.length === 0 || term.coefficient > 0);
  return grows && dim.terms.reduce((total, term) => total + term.coefficient, 0) >= 0;
}

const isNoDim = (dim: Dim): boolean => !(dim instanceof SymbolicDim) && !(Number.isInteger(dim) && dim >= 0);

/** Attribute dims must be whole numbers, not negative. */
export function dimsError(dims: readonly Dim[]): ShapeError | null {
  const wrong = dims.find(isNoDim);
  return wrong === undefined ? null : shapeError("range", `a dim must be a whole number and not negative, not ${formatDim(wrong)}`);
}
