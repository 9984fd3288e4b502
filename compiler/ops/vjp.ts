import type { Algebra } from "../ir/algebra.ts";
import type { NodeOf, Value } from "../ir/graph.ts";
import type { OpAttributes, OpName } from "./attributes.ts";

/**
 * The reverse derivative of an op. A rule builds the cotangents of operands from those of results, as nodes; `differentiate` sums a cotangent that has
 * the shape of a broadcast, and stretches one of which every entry along an axis is the same, to the shape of its operand.
 */
export type Vjp<K extends OpName> = VjpRule<K> | NonDifferentiable;

/** Nothing flows through the op. */
export interface NonDifferentiable {
  readonly why: string;
}

/** Cotangents of the operands, and after them of what a loop body captures; null where nothing flows. */
export type VjpRule<K extends OpName> = (call: VjpCall<K>) => readonly (Value | null)[];

/** What a rule sees of the node that it differentiates. */
export interface VjpCall<K extends OpName> {
  /** Writes the nodes. */
  readonly g: Algebra;
  readonly node: NodeOf<K>;
  readonly attributes: OpAttributes[K];
  readonly inputs: readonly Value[];
  /** The first operand, under both of the names that formulas use. */
  readonly x: Value;
  readonly a: Value;
  /** The second operand. */
  readonly b: Value;
  /** The first result, and its cotangent, of the same shape. */
  readonly y: Value;
  readonly dy: Value;
  /** The cotangents of all results; null stands for zeros. */
  readonly cotangents: readonly (Value | null)[];
  /** Whether the cotangent of an operand (or capture, counted on from the operands) is needed. */
  wants(operand: number): boolean;
  /** For loops: the cotangents of `wrt` inside of a body, everything before `wrt` being constant. In formulas the values of `known` stand for its keys. */
  pullBack(seeds: readonly Seed[], wrt: readonly Value[], known: ReadonlyMap<Value, Value>): readonly (Value | null)[];
}

/** A value and the derivative by it of what is differentiated. */
export interface Seed {
  readonly value: Value;
  readonly cotangent: Value;
}

/** One formula for each operand, evaluated only where it is needed. */
export function each<K extends OpName>(...rules: readonly ((call: VjpCall<K>) => Value | null)[]): VjpRule<K> {
  return (call) => rules.map((rule, operand) => (call.wants(operand) ? rule(call) : null));
}

export function nonDifferentiable(why: string): NonDifferentiable {
  return { why };
}
