import { childKeys, type Node } from "./ast.ts";

/** Calls `visit` on each child of a node, in source order. */
export function forEachChild(node: Node, visit: (child: Node) => void): void {
  const fields = node as unknown as Record<string, Node | readonly Node[] | null>;
  const keys: readonly string[] = childKeys[node.kind];
  for (let i = 0; i < keys.length; i += 1) {
    const value = fields[keys[i] as string] ?? null;
    if (Array.isArray(value)) value.forEach(visit);
    else if (value !== null) visit(value as Node);
  }
}

/** The children of a node in source order. */
export function children(node: Node): readonly Node[] {
  const result: Node[] = [];
  forEachChild(node, (child) => result.push(child));
  return result;
}

/** Calls `enter` on a node and all below it, parents first; where it gives false, the children are left out. Does not recurse. */
export function walk(node: Node, enter: (node: Node, parent: Node | null) => unknown): void {
  const stack: { readonly node: Node; readonly parent: Node | null }[] = [{ node, parent: null }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (enter(next.node, next.parent) === false) continue;
    const below = children(next.node);
    for (let i = below.length - 1; i >= 0; i -= 1) stack.push({ node: below[i] as Node, parent: next.node });
  }
}

/** A node that has more than `limit` ancestors below `root`, or null. Does not recurse. */
export function firstDeeperThan(root: Node, limit: number): Node | null {
  let level: readonly Node[] = [root];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > limit) return level[0] as Node;
    const below: Node[] = [];
    const add = (child: Node) => below.push(child);
    // No character opens more than two nodes, such as an argument and the reference that it is, and the last one a few more: what is short is not deep.
    for (const node of level) if (depth + 2 * (node.span.end - node.span.start) > limit - 8) forEachChild(node, add);
    level = below;
  }
  return null;
}
