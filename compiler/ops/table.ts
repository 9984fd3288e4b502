import type { TensorType } from "../ir/graph.ts";
import { alongAxes } from "./along-axes.ts";
import type { OpAttributes, OpName } from "./attributes.ts";
import { elementwise } from "./elementwise.ts";
import { linearAlgebra } from "./linear-algebra.ts";
import type { OpDefinition, OpRows, ShapeError } from "./op.ts";
import { recurrences } from "./recurrences.ts";
import { shapeOps } from "./shape-ops.ts";
import { sources } from "./sources.ts";

/** Every op of the IR. Total: an op without a row does not compile. */
export const ops: OpRows<OpName> = { ...sources, ...elementwise, ...alongAxes, ...linearAlgebra, ...shapeOps, ...recurrences };

export function opDefinition<K extends OpName>(op: K): OpDefinition<K> {
  return ops[op];
}

/** The types of an op's outputs, or why the operands do not fit. */
export function inferTypes<K extends OpName>(
  op: K,
  types: readonly TensorType[],
  attributes: OpAttributes[K],
): readonly TensorType[] | ShapeError {
  return opDefinition(op).infer(types, attributes);
}
