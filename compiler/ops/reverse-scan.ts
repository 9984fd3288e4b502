import { copyBody, copyNodes } from "../ir/copy-nodes.ts";
import { type Dim, subtractDims } from "../ir/dim.ts";
import type { TensorType, Value } from "../ir/graph.ts";
import { operandsOf } from "../ir/reachable.ts";
import type { VjpCall } from "./vjp.ts";

/**
 * A loop the other way round. Each step computes the forward step again from the states before it, so that of the forward pass the stacked
 * states alone are kept. Its own states are, in this order: cotangents of the scanned slices, stacked; cotangents of the states; sums of the cotangents of
 * captures. Of the latter two only the end counts.
 */
export function reverseScan(call: VjpCall<"scan">): readonly (Value | null)[] {
  const { g, node, attributes, inputs, cotangents } = call;
  const { axis, states, final = 0, backward = false, body } = attributes;
  const zeros = ({ type }: Value) => g.full(type.shape, 0);

  // positions among the states, the operands and the captures
  const read = new Set([...body.nodes.flatMap(operandsOf), ...body.results]);
  const isRead = (input: number) => read.has(body.inputs[input] as Value);
  const floats = positions(states, (state) => (inputs[state] as Value).type.dtype === "f32");
  const stacked = floats.filter((state) => state < states - final && cotangents[state]);
  const atEnd = floats.filter((state) => state >= states - final && cotangents[state]);
  const carried = floats.filter((state) => isRead(state) || atEnd.includes(state));
  const slices = positions(inputs.length, (input) => input >= states && call.wants(input));
  const captures = positions(body.captures.length, (capture) => call.wants(inputs.length + capture));
  const taken = positions(inputs.length, isRead);

  const initial = [
    ...slices.map((input) => zeros(body.inputs[input] as Value)),
    ...carried.map((state) => (atEnd.includes(state) ? (cotangents[state] as Value) : zeros(inputs[state] as Value))),
    ...captures.map((capture) => zeros(body.captures[capture] as Value)),
  ];
  const after = statesAfter(call);
  const over = [
    ...taken.map((input) => (input < states ? statesBefore(call, input, after[input] as Value) : (inputs[input] as Value))),
    ...stacked.map((state) => cotangents[state] as Value),
    ...after,
  ];
  const sliceTypes = over.map(({ type }): TensorType => ({ dtype: type.dtype, shape: type.shape.toSpliced(axis, 1) }));

  const reversed = g.builder.body([...initial.map(({ type }) => type), ...sliceTypes], node, (values) => {
    const counts = [slices.length, carried.length, captures.length, taken.length, stacked.length, after.length] as const;
    const [, fromLater, sums, step, given, made] = split(values, counts);
    const copies = new Map(taken.map((input, i) => [body.inputs[input] as Value, step[i] as Value]));
    copyNodes(g.builder, body.nodes, copies);
    const copyOf = (value: Value) => copies.get(value) ?? value;
    const seeds = [
      ...carried.map((state, i) => ({ value: copyOf(body.results[state] as Value), cotangent: fromLater[i] as Value })),
      ...stacked.map((state, i) => ({ value: copyOf(body.results[state] as Value), cotangent: given[i] as Value })),
    ];
    const by = [
      ...[...slices, ...carried].map((input) => copyOf(body.inputs[input] as Value)),
      ...captures.map((i) => body.captures[i] as Value),
    ];
    // what a step gave is there: formulas need not make it again
    const known = new Map(made.map((value, state) => [copyOf(body.results[state] as Value), value]));
    const found = call.pullBack(seeds, by, known).map((cotangent, i) => cotangent ?? zeros(by[i] as Value));
    const [ofStep, ofCaptures] = split(found, [slices.length + carried.length, captures.length]);
    return [...ofStep, ...ofCaptures.map((cotangent, i) => g.add(sums[i] as Value, cotangent))];
  });
  if (reversed === null) throw new Error("a reversed body always has results");
  const results = g.ops("scan", [...initial, ...over], {
    axis,
    states: initial.length,
    final: initial.length - slices.length,
    backward: !backward,
    body: reversed,
  });

  const [ofSlices, ofStates, ofCaptures] = split(results, [slices.length, carried.length, captures.length]);
  const cotangentsOf = new Array<Value | null>(inputs.length + body.captures.length).fill(null);
  for (const [i, input] of slices.entries()) cotangentsOf[input] = ofSlices[i] as Value;
  for (const [i, state] of carried.entries()) cotangentsOf[state] = ofStates[i] as Value;
  for (const [i, capture] of captures.entries()) cotangentsOf[inputs.length + capture] = ofCaptures[i] as Value;
  return cotangentsOf;
}

/** The states that the steps end with, stacked. */
function statesAfter({ g, node, attributes, inputs }: VjpCall<"scan">): readonly Value[] {
  const { final = 0, body, ...rest } = attributes;
  // A loop that keeps some states at the end only is run again, and keeps all.
  return final === 0 ? node.outputs : g.ops("scan", inputs, { ...rest, body: copyBody(g.builder, body, node) });
}

/** The values of a state that the steps start from, stacked. */
function statesBefore({ g, attributes, inputs }: VjpCall<"scan">, state: number, after: Value): Value {
  const { axis, states, backward = false } = attributes;
  const { type } = inputs[state] as Value;
  const length = (inputs[states] as Value).type.shape[axis] as Dim;
  const first = g.reshape(inputs[state] as Value, type.shape.toSpliced(axis, 0, 1));
  if (length === 1) return first;
  const others = backward ? g.slice(after, axis, 1, length) : g.slice(after, axis, 0, subtractDims(length, 1));
  return g.concat(backward ? [others, first] : [first, others], axis);
}

function positions(count: number, holds: (position: number) => unknown): readonly number[] {
  return Array.from({ length: count }, (_, i) => i).filter(holds);
}

/** Consecutive parts of a list. */
function split<Counts extends readonly number[]>(
  values: readonly Value[],
  counts: readonly [...Counts],
): { readonly [I in keyof Counts]: readonly Value[] } {
  let start = 0;
  const parts = counts.map((count) => {
    start += count;
    return values.slice(start - count, start);
  });
  return parts as unknown as { readonly [I in keyof Counts]: readonly Value[] };
}
