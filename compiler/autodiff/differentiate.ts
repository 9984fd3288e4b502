import { Algebra } from "../ir/algebra.ts";
import type { GraphBuilder } from "../ir/builder.ts";
import type { Node, NodeOf, Value } from "../ir/graph.ts";
import { operandsOf, reachableNodes } from "../ir/reachable.ts";
import type { OpAttributes, OpName } from "../ops/attributes.ts";
import { opDefinition } from "../ops/table.ts";
import type { Seed, Vjp, VjpCall } from "../ops/vjp.ts";
import { CotangentSum } from "./cotangent-sum.ts";
import { fitTo } from "./fit.ts";

/**
 * Reverse-mode differentiation: appends to the builder, which holds the nodes of the forward pass, what computes Σ cotangent · ∂value/∂w over the seeds for
 * each w of `wrt`. Seeds have cotangents of their shape. Any f32 value may stand in `wrt`, one that others of `wrt` depend on too. Called again on the same
 * builder it shares what the sweeps have in common.
 *
 * @returns one value of the shape of each of `wrt`; null where nothing flows
 */
export function differentiate(builder: GraphBuilder, seeds: readonly Seed[], wrt: readonly Value[]): readonly (Value | null)[] {
  return sweep(builder, seeds, wrt, { constant: new Set(), known: new Map() });
}

interface Surroundings {
  /** Nodes that are not looked behind. */
  readonly constant: ReadonlySet<Node>;
  /** What stands for a value in formulas. */
  readonly known: ReadonlyMap<Value, Value>;
}

/** The reverse sweep, from the seeds to `wrt`. */
function sweep(
  builder: GraphBuilder,
  seeds: readonly Seed[],
  wrt: readonly Value[],
  { constant, known }: Surroundings,
): readonly (Value | null)[] {
  const nodes = reachableNodes(
    seeds.map((seed) => seed.value),
    constant,
  );
  const active = activeValues(nodes, wrt, constant);
  const sums = new Map<Value, CotangentSum>();
  const give = (value: Value, cotangent: Value, g: Algebra) => {
    const sum = sums.get(value) ?? new CotangentSum();
    sum.add(cotangent, g);
    sums.set(value, sum);
  };
  for (const { value, cotangent } of seeds) if (active.has(value)) give(value, cotangent, algebraAt(builder, value.node));

  for (const node of nodes.toReversed()) {
    const { vjp } = opDefinition(node.op) as { readonly vjp: Vjp<OpName> };
    if (typeof vjp !== "function" || constant.has(node) || !node.outputs.some((output) => sums.has(output))) continue;
    const g = algebraAt(builder, node);
    const operands = operandsOf(node);
    const cotangents = node.outputs.map((output) => sums.get(output)?.total(g, output) ?? null);
    const wants = (operand: number) => active.has(operands[operand] as Value);
    const pulled = vjp(callOf(node, cotangents, wants, known, g));
    for (const [i, operand] of operands.entries()) {
      const cotangent = pulled[i];
      if (cotangent && active.has(operand)) give(operand, fitTo(g, cotangent, operand.type.shape), g);
    }
  }
  return wrt.map((value) => sums.get(value)?.total(algebraAt(builder, value.node), value) ?? null);
}

/** What depends on `wrt` and can carry a gradient. */
function activeValues(nodes: readonly Node[], wrt: readonly Value[], constant: ReadonlySet<Node>): ReadonlySet<Value> {
  const active = new Set(wrt);
  for (const node of nodes) {
    const { vjp } = opDefinition(node.op) as { readonly vjp: Vjp<OpName> };
    if (typeof vjp !== "function" || constant.has(node)) continue;
    if (!operandsOf(node).some((operand) => active.has(operand))) continue;
    for (const output of node.outputs) if (output.type.dtype === "f32") active.add(output);
  }
  return active;
}

function callOf(
  node: Node,
  cotangents: readonly (Value | null)[],
  wants: (operand: number) => boolean,
  known: ReadonlyMap<Value, Value>,
  g: Algebra,
): VjpCall<OpName> {
  const standIn = (value: Value): Value => known.get(value) ?? value;
  const inputs = node.inputs.map(standIn);
  return {
    g,
    // The rule of the node's own op: the table guarantees it, a union of rows cannot say it.
    node: node as unknown as NodeOf<OpName>,
    attributes: node.attributes as OpAttributes[OpName],
    inputs,
    x: inputs[0] as Value,
    a: inputs[0] as Value,
    b: inputs[1] as Value,
    y: standIn(node.outputs[0] as Value),
    dy: cotangents[0] as Value,
    cotangents,
    wants,
    pullBack: (seeds, wrt, made) => sweep(g.builder, seeds, wrt, { constant: new Set(wrt.map((value) => value.node)), known: made }),
  };
}

function algebraAt(builder: GraphBuilder, node: Node): Algebra {
  return new Algebra(builder, { path: node.path.startsWith("gradient/") ? node.path : `gradient/${node.path}`, span: node.span });
}
