import type { Session } from "../elaborate/context.ts";
import type { ModelScope } from "../elaborate/model-scope.ts";
import type { Graph, Node, Value } from "../ir/graph.ts";
import type { ModelSlice } from "../model.ts";
import { finding } from "./catalogue.ts";
import type { Declarations } from "./declarations.ts";

/** Inputs, slices and experts that nothing of the pruned graph reads. */
export function checkUnused(declarations: Declarations, scope: ModelScope, pruned: Graph, session: Session): void {
  const reads = readColumns(pruned);
  for (const { info } of scope.inputs.values()) {
    if (info === null) continue;
    const ranges = reads.get(info.name);
    const declared = declarations.inputs.find((input) => input.name.text === info.name);
    if (ranges === undefined) session.report(finding("input/unused", info.span, { name: info.name }));
    else
      for (const slice of info.slices) if (!slice.column) checkSlice(slice, info.name, slice.name, ranges, declared?.slices ?? [], session);
  }
  checkExperts(scope, pruned, session);
}

interface Range {
  readonly start: number;
  readonly stop: number;
}

type SliceNode = Declarations["inputs"][number]["slices"][number];

/** Reports the outermost slices of which no column is read. */
function checkSlice(
  slice: ModelSlice,
  input: string,
  path: string,
  ranges: readonly Range[],
  nodes: readonly SliceNode[],
  session: Session,
): void {
  const node = nodes.find((candidate) => candidate.name.text === slice.name);
  const read = ranges.some((range) => range.start < slice.start + slice.width && slice.start < range.stop);
  if (!read && slice.width > 0) session.report(finding("slice/unused", node?.name.span ?? null, { name: path, input }));
  else
    for (const inner of slice.slices)
      if (!inner.column) checkSlice(inner, input, `${path}.${inner.name}`, ranges, node?.slices ?? [], session);
}

/** The columns of each input's last axis that are read, by input name. */
function readColumns(graph: Graph): ReadonlyMap<string, readonly Range[]> {
  const reads = new Map<string, Range[]>();
  /** Where the columns of a slice of an input begin in the input. */
  const origin = new Map<Value, { readonly input: string; readonly start: number }>();
  const everything: Range = { start: 0, stop: Number.POSITIVE_INFINITY };
  const visit = (node: Node): void => {
    const value = node.outputs[0] as Value;
    if (node.op === "input") origin.set(value, { input: node.attributes.name, start: 0 });
    const from = node.inputs[0] === undefined ? undefined : origin.get(node.inputs[0]);
    if (
      node.op === "slice" &&
      from !== undefined &&
      node.attributes.axis === value.type.shape.length - 1 &&
      typeof node.attributes.start === "number"
    ) {
      origin.set(value, { input: from.input, start: from.start + node.attributes.start });
      return;
    }
    for (const input of node.inputs) noteRead(input);
    if (node.op === "scan") {
      for (const inner of node.attributes.body.nodes) visit(inner);
      node.attributes.body.results.forEach(noteRead);
    }
  };
  const noteRead = (value: Value): void => {
    const from = origin.get(value);
    if (from === undefined) return;
    const width = value.type.shape.at(-1);
    const range = typeof width === "number" && value.type.shape.length > 1 ? { start: from.start, stop: from.start + width } : everything;
    const known = reads.get(from.input);
    if (known === undefined) reads.set(from.input, [range]);
    else known.push(range);
  };
  graph.nodes.forEach(visit);
  for (const output of graph.outputs) noteRead(output.value);
  return reads;
}

function checkExperts(scope: ModelScope, pruned: Graph, session: Session): void {
  const kept = new Set<Node>();
  const collect = (node: Node): void => {
    kept.add(node);
    if (node.op === "scan") node.attributes.body.nodes.forEach(collect);
  };
  pruned.nodes.forEach(collect);
  const reported = new Set<unknown>();
  for (const { bank, entry, name, tensor } of scope.entries) {
    if (bank.role !== "experts" || kept.has(tensor.value.node) || reported.has(entry)) continue;
    reported.add(entry);
    session.report(finding("expert/unused", entry.name.span, { name, bank: bank.name.text }));
  }
}
