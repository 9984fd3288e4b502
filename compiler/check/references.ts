import type { Node, Reference } from "../../dsl/ast.ts";
import { children, walk } from "../../dsl/visit.ts";

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

/** Every name that is declared inside a node: locals, parameters of functions, names of comprehensions. */
export function declaredNames(node: Node): ReadonlySet<string> {
  const found = new Set<string>();
  walk(node, (at) => {
    if (at.kind === "Let") for (const name of at.names) found.add(name.text);
    else if (at.kind === "Param" || at.kind === "Output") found.add(at.name.text);
    else if (at.kind === "Lambda") for (const name of at.parameters) found.add(name.text);
    else if (at.kind === "Clause") for (const name of [at.name, at.index]) if (name !== null) found.add(name.text);
  });
  return found;
}
