import type { Algebra } from "../ir/algebra.ts";
import { addDims, type Dim, subtractDims } from "../ir/dim.ts";
import type { Value } from "../ir/graph.ts";
import { provablyNonNegative } from "../ops/shape-rules.ts";

/** A cotangent that is zero outside of a range of one axis: what the slices of a value send back. */
interface Piece {
  readonly axis: number;
  readonly start: Dim;
  readonly stop: Dim;
  readonly value: Value;
}

/**
 * Adds up the cotangents of one value. Those of slices are put side by side wherever they do not overlap: a value cut in k parts costs one concatenation,
 * and not k additions of its whole size.
 */
export class CotangentSum {
  #sum: Value | null = null;
  /** Each in order along its axis. */
  readonly #rows: Piece[][] = [];

  add(cotangent: Value, g: Algebra): void {
    const piece = pieceOf(cotangent);
    if (piece === null) this.#sum = this.#sum === null ? cotangent : g.add(this.#sum, cotangent);
    else if (!this.#rows.some((row) => insert(row, piece))) this.#rows.push([piece]);
  }

  /** The sum, in the shape of the value that it belongs to. */
  total(g: Algebra, { type }: Value): Value {
    const joined = this.#rows.map((row) => join(g, row, type.shape));
    this.#rows.length = 0;
    for (const part of joined) this.#sum = this.#sum === null ? part : g.add(this.#sum, part);
    return this.#sum as Value;
  }
}

/** A concatenation of zeros, one other part, and zeros. */
function pieceOf({ node }: Value): Piece | null {
  if (node.op !== "concat") return null;
  const { axis } = node.attributes;
  const at = node.inputs.findIndex((part) => !isZero(part));
  const value = node.inputs[at];
  if (value === undefined || at > 1 || node.inputs.length > at + 2 || !node.inputs.slice(at + 1).every(isZero)) return null;
  const start = at === 0 ? 0 : (node.inputs[0]?.type.shape[axis] as Dim);
  return { axis, start, stop: addDims(start, value.type.shape[axis] as Dim), value };
}

function isZero({ node }: Value): boolean {
  return node.op === "full" && node.attributes.value === 0;
}

/** Puts a piece between those of a row, if it can be shown to overlap with none. */
function insert(row: Piece[], piece: Piece): boolean {
  if (row[0]?.axis !== piece.axis) return false;
  const next = row.findIndex((other) => isBefore(piece.stop, other.start));
  const at = next < 0 ? row.length : next;
  const before = row[at - 1];
  if (before !== undefined && !isBefore(before.stop, piece.start)) return false;
  row.splice(at, 0, piece);
  return true;
}

function isBefore(a: Dim, b: Dim): boolean {
  return provablyNonNegative(subtractDims(b, a));
}

function join(g: Algebra, row: readonly Piece[], shape: readonly Dim[]): Value {
  const { axis } = row[0] as Piece;
  const parts: Value[] = [];
  let end: Dim = 0;
  const fill = (until: Dim) => {
    const gap = subtractDims(until, end);
    if (gap !== 0) parts.push(g.full(shape.with(axis, gap), 0));
  };
  for (const { start, stop, value } of row) {
    fill(start);
    parts.push(value);
    end = stop;
  }
  fill(shape[axis] as Dim);
  return g.concat(parts, axis);
}
