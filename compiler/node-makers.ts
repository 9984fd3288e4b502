import type { Span } from "../dsl/source.ts";

/** Makes a node of a syntax tree: `next` gives its fields, one by one, and then `span` its place. */
export type NodeMaker = (next: () => unknown, span: () => Span) => object;

/**
 * Makers by what they make, `Kind field field ...`. The build puts object literals here: V8 makes a node from the literal of its shape in a quarter of the
 * time that it takes for one of many shapes.
 */
const storedMakers: Readonly<Record<string, NodeMaker>> = {};

/** A maker of nodes of a shape, `span` last. */
export function makerOf(shape: string): NodeMaker {
  return storedMakers[shape] ?? makerByName(shape);
}

function makerByName(shape: string): NodeMaker {
  const [kind, ...fields] = shape.split(" ");
  return (next, span) => {
    const node: Record<string, unknown> = { kind };
    for (const field of fields) node[field] = next();
    node.span = span();
    return node;
  };
}

/** The text of an object of such makers. */
export function textOfMakers(shapes: readonly string[]): string {
  const makers = shapes.map((shape) => {
    const [kind, ...fields] = shape.split(" ");
    const parts = [`kind: ${JSON.stringify(kind)}`, ...fields.map((field) => `${field}: next()`), "span: span()"];
    return `${JSON.stringify(shape)}: (next, span) => ({ ${parts.join(", ")} })`;
  });
  return `{ ${makers.join(",\n")} }`;
}
