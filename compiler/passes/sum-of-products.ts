import { Algebra, shapesEqual } from "../ir/algebra.ts";
import type { Dim } from "../ir/dim.ts";
import type { Value } from "../ir/graph.ts";
import type { Rule } from "./rewrite.ts";

/**
 * A sum of products is a product of matrices: Σ_n a[.., n, c] b[.., n, 1] → bᵀ a, and Σ_c a[.., n, c] b[.., 1, c] → a bᵀ. What is summed is then never written
 * to memory, which on a CPU takes a third of the time. Equal up to rounding.
 */
export const sumOfProducts: Rule = (node, [product], { builder }) => {
  if (node.op !== "reduce_sum" || product?.node.op !== "mul" || node.attributes.axes.length !== 1) return null;
  const [summed] = node.attributes.axes as readonly [number];
  const rank = product.type.shape.length;
  if (rank < 2 || summed < rank - 2) return null;
  const g = new Algebra(builder, node);
  const { shape } = (node.outputs as readonly [Value])[0].type;
  const [x, y] = product.node.inputs as readonly [Value, Value];
  for (const [whole, repeated] of [
    [x, y],
    [y, x],
  ] as const) {
    const along = summed === rank - 1 ? rank - 2 : rank - 1;
    const { shape: from } = whole.type;
    if (!shapesEqual(from, product.type.shape) || from[along] === 1 || !shapesEqual(repeated.type.shape, from.with(along, 1))) continue;
    const turned = g.reshape(repeated, from.with(along, from[summed] as Dim).with(summed, 1));
    return [g.reshape(along === rank - 1 ? g.matmul(turned, whole) : g.matmul(whole, turned), shape)];
  }
  return null;
};
