import { expect } from "vitest";
import { childKeys, type Node } from "../../dsl/ast.ts";
import { children } from "../../dsl/visit.ts";

/** Keys that hold no nodes. */
const plainKeys = new Set([
  ...["kind", "span", "text", "doc", "role", "dtype", "optional", "unit", "value", "op", "parenthesised", "column"],
  // the name of a Reference; other nodes have a node there, and `childKeys` lists it
  "name",
]);

/** What holds for every tree: the keys of a node are those of `childKeys` and plain ones, and spans nest in source order. */
export function expectSoundTree(root: Node): void {
  const problems: string[] = [];
  const visit = (node: Node): void => {
    const keys: readonly string[] = childKeys[node.kind];
    for (const key of Object.keys(node))
      if (!keys.includes(key) && !plainKeys.has(key)) problems.push(`${node.kind} has ${key}, which childKeys does not list`);
    for (const key of keys) if (!(key in node)) problems.push(`${node.kind} lacks ${key}`);
    if (!(node.span.start >= 0 && node.span.end >= node.span.start && node.span.end <= node.span.source.text.length)) {
      problems.push(`${node.kind} spans ${node.span.start}..${node.span.end}`);
    }
    let end = node.span.start;
    for (const child of children(node)) {
      if (child.span.start < end || child.span.end > node.span.end) {
        problems.push(`${child.kind} ${child.span.start}..${child.span.end} leaves ${node.kind} ${end}..${node.span.end}`);
      }
      end = child.span.end;
      visit(child);
    }
  };
  visit(root);
  expect(problems).toEqual([]);
}
