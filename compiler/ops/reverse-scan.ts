import { copyNodes } from "../ir/copy-nodes.ts";
import { type Dim, subtractDims } from "../ir/dim.ts";
import type { TensorType, Value } from "../ir/graph.ts";
import type { VjpCall } from "./vjp.ts";

/**
 * A loop from the last step to the first. Each step computes the forward step again from the states before it, so that of the forward pass the stacked
 * states alone are kept. Its own states are, in this order: cotangents of the scanned slices, stacked; cotangents of the states; sums of the cotangents of
 * captures. Of the latter two only the end counts.
 */
export function reverseScan(call: VjpCall<"scan">): readonly (Value | null)[] {
  const { g, node, attributes, inputs, cotangents } = call;
  const { axis, states, final = 0, body } = attributes;
  const zeros = ({ type }: Value) => g.full(type.shape, 0);
  const backwards = (value: Value) => g.reverse(value, axis);

  // positions among the states, the operands and the captures
  const floats = positions(states, (state) => (inputs[state] as Value).type.dtype === "f32");
  const slices = positions(inputs.length, (input) => input >= states && call.wants(input));
  const captures = positions(body.captures.length, (capture) => call.wants(inputs.length + capture));
  const stacked = floats.filter((state) => state < states - final && cotangents[state]);

  const initial = [
    ...slices.map((input) => zeros(body.inputs[input] as Value)),
    ...floats.map((state) => (stacked.includes(state) ? null : cotangents[state]) ?? zeros(inputs[state] as Value)),
    ...captures.map((capture) => zeros(body.captures[capture] as Value)),
  ];
  const over = [...statesBefore(call), ...inputs.slice(states), ...stacked.map((state) => cotangents[state] as Value)].map(backwards);
  const sliceTypes = over.map(({ type }): TensorType => ({ dtype: type.dtype, shape: type.shape.toSpliced(axis, 1) }));

  const reversed = g.builder.body([...initial.map(({ type }) => type), ...sliceTypes], node, (values) => {
    const [, fromLater, sums, taken, given] = split(values, [slices.length, floats.length, captures.length, inputs.length, stacked.length]);
    const copies = new Map(body.inputs.map((value, i) => [value, taken[i] as Value]));
    copyNodes(g.builder, body.nodes, copies);
    const seeds = floats.map((state, i) => {
      const result = body.results[state] as Value;
      const own = given[stacked.indexOf(state)];
      const later = fromLater[i] as Value;
      return { value: copies.get(result) ?? result, cotangent: own === undefined ? later : g.add(later, own) };
    });
    const by = [...[...slices, ...floats].map((input) => taken[input] as Value), ...captures.map((i) => body.captures[i] as Value)];
    const found = call.pullBack(seeds, by).map((cotangent, i) => cotangent ?? zeros(by[i] as Value));
    const [ofStep, ofCaptures] = split(found, [slices.length + floats.length, captures.length]);
    return [...ofStep, ...ofCaptures.map((cotangent, i) => g.add(sums[i] as Value, cotangent))];
  });
  if (reversed === null) throw new Error("a reversed body always has results");
  const results = g.ops("scan", [...initial, ...over], {
    axis,
    states: initial.length,
    final: initial.length - slices.length,
    body: reversed,
  });

  const [ofSlices, ofStates, ofCaptures] = split(results, [slices.length, floats.length, captures.length]);
  const cotangentsOf = new Array<Value | null>(inputs.length + body.captures.length).fill(null);
  for (const [i, input] of slices.entries()) cotangentsOf[input] = backwards(ofSlices[i] as Value);
  for (const [i, state] of floats.entries()) cotangentsOf[state] = ofStates[i] as Value;
  for (const [i, capture] of captures.entries()) cotangentsOf[inputs.length + capture] = ofCaptures[i] as Value;
  return cotangentsOf;
}

/** The states that the steps start from, stacked. */
function statesBefore({ g, node, attributes, inputs }: VjpCall<"scan">): readonly Value[] {
  const { axis, states, final = 0, body } = attributes;
  // A loop that keeps some states at the end only is run again, and keeps all.
  const after = final === 0 ? node.outputs : g.ops("scan", inputs, { axis, states, body });
  const beforeLast = subtractDims((inputs[states] as Value).type.shape[axis] as Dim, 1);
  return inputs.slice(0, states).map((state, i) => {
    const first = g.reshape(state, state.type.shape.toSpliced(axis, 0, 1));
    return beforeLast === 0 ? first : g.concat([first, g.slice(after[i] as Value, axis, 0, beforeLast)], axis);
  });
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
