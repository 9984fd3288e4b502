import type { Node, Reference } from "../../dsl/ast.ts";
import { children } from "../../dsl/visit.ts";

/** Every name that is read inside a node, in source order. */
export function referencedNames(node: Node): readonly Reference[] {
  const found: Reference[] = [];
  const visit = (at: Node): void => {
    if (at.kind === "Reference") found.push(at);
    // The ends of `x[a .. b]` name slices, not values.
    if (at.kind === "IndexRange") return;
    for (const child of children(at)) visit(child);
  };
  visit(node);
  return found;
}
