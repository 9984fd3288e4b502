import { type Algebra, shapesEqual } from "../ir/algebra.ts";
import { type Dim, dimsEqual, formatShape } from "../ir/dim.ts";
import type { Value } from "../ir/graph.ts";

/** A cotangent in the shape of its value: summed over the axes along which the value was repeated, and stretched along those where it is even. */
export function fitTo(g: Algebra, cotangent: Value, shape: readonly Dim[]): Value {
  const from = cotangent.type.shape;
  if (shapesEqual(from, shape)) return cotangent;
  const missing = from.length - shape.length;
  if (missing < 0) throw new Error(`a cotangent of shape ${formatShape(from)} has fewer axes than its value of ${formatShape(shape)}`);
  const leading = Array.from({ length: missing }, (_, axis) => axis);
  const repeated = shape.flatMap((dim, axis) => (dim === 1 && !dimsEqual(from[missing + axis] as Dim, 1) ? [missing + axis] : []));
  const summed = g.reshape(
    g.sum(cotangent, [...leading, ...repeated], true),
    from.slice(missing).map((dim, axis) => (shape[axis] === 1 ? 1 : dim)),
  );
  return g.expand(summed, shape);
}
