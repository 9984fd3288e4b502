import { childKeys, type Node } from "./ast.ts";

/** The child nodes of a node, in source order. */
export function children(node: Node): readonly Node[] {
  const found: Node[] = [];
  for (const key of childKeys[node.kind] as readonly string[]) {
    const child = (node as unknown as Record<string, Node | readonly Node[] | null>)[key];
    if (Array.isArray(child)) found.push(...(child as readonly Node[]));
    else if (child !== null && child !== undefined) found.push(child as Node);
  }
  return found;
}

/** Visits a node and all below it, parents first. */
export function walk(node: Node, enter: (node: Node) => void): void {
  enter(node);
  for (const child of children(node)) walk(child, enter);
}
