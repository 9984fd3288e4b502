import type { Session } from "../elaborate/context.ts";
import type { ModelScope } from "../elaborate/model-scope.ts";
import type { Graph, Node } from "../ir/graph.ts";
import type { ModelSlice } from "../model.ts";
import { finding } from "./catalogue.ts";
import type { Declarations } from "./declarations.ts";
import { type ColumnRange, readColumns } from "./read-columns.ts";

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

type SliceNode = Declarations["inputs"][number]["slices"][number];

/** Reports the outermost slices of which no column is read. */
function checkSlice(
  slice: ModelSlice,
  input: string,
  path: string,
  ranges: readonly ColumnRange[],
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

function checkExperts(scope: ModelScope, pruned: Graph, session: Session): void {
  const missing = new Set(scope.entries.map(({ tensor }) => tensor.value.node));
  const find = (nodes: readonly Node[]): void => {
    for (let i = 0; i < nodes.length && missing.size > 0; i += 1) {
      const node = nodes[i] as Node;
      missing.delete(node);
      if (node.op === "scan") find(node.attributes.body.nodes);
    }
  };
  find(pruned.nodes);
  const reported = new Set<unknown>();
  for (const { bank, entry, name, tensor } of scope.entries) {
    if (bank.role !== "experts" || !missing.has(tensor.value.node) || reported.has(entry)) continue;
    reported.add(entry);
    session.report(finding("expert/unused", entry.name.span, { name, bank: bank.name.text }));
  }
}
