import type { Span } from "../../dsl/source.ts";
import type { OpAttributes, OpName } from "../ops/attributes.ts";
import { isShapeError, type ShapeError } from "../ops/op.ts";
import { inferTypes } from "../ops/table.ts";
import type { Body, Node, NodeOf, TensorType, Value } from "./graph.ts";

/** Where a node comes from. */
export interface Origin {
  readonly path: string;
  readonly span: Span | null;
}

interface Scope {
  readonly nodes: Node[];
  readonly depth: number;
}

const unhashed: ReadonlySet<OpName> = new Set(["input", "param", "body_input", "scan", "dropout", "random_uniform", "random_normal"]);

/**
 * Appends nodes to a graph. Equal nodes (same op, inputs and attributes) are made once, and a node inside a loop body that does not depend on the
 * loop is placed outside of it.
 */
export class GraphBuilder {
  #nextId = 0;
  #scopes: Scope[] = [{ nodes: [], depth: 0 }];
  /** Depth of the nodes that stand in a loop body; all others stand outside. */
  readonly #depthOf = new Map<Node, number>();
  readonly #made = new Map<string, Node>();
  readonly #keysOfScope: string[][] = [[]];

  /** A builder that appends to nodes that are there, in topological order: a graph's, or all that some values depend on. */
  static continuing(nodes: readonly Node[]): GraphBuilder {
    const builder = new GraphBuilder();
    for (const node of nodes) builder.#adopt(node);
    return builder;
  }

  get nodeCount(): number {
    return this.#nextId;
  }

  /** The nodes of the outermost scope, in topological order. */
  get nodes(): readonly Node[] {
    return (this.#scopes[0] as Scope).nodes;
  }

  /** Appends a node and returns its outputs, or says why the operands do not fit. */
  add<K extends OpName>(op: K, inputs: readonly Value[], attributes: OpAttributes[K], origin: Origin): readonly Value[] | ShapeError {
    const key = nodeKey(op, inputs, attributes);
    const before = key === null ? undefined : this.#made.get(key);
    if (before !== undefined) return before.outputs;
    const types = inferTypes(op, typesOf(inputs), attributes);
    return isShapeError(types) ? types : this.#append(makeNode(this.#nextId, op, inputs, attributes, types, origin), key);
  }

  /** Appends what a node does, over other inputs of the same types, and returns the outputs. */
  copy(node: Node, inputs: readonly Value[], path: string, span: Span): readonly Value[] {
    const key = nodeKey(node.op, inputs, node.attributes as OpAttributes[OpName], keyOfCopied);
    const before = key === null ? undefined : this.#made.get(key);
    return before === undefined ? this.#append(copyNode(node, this.#nextId, inputs, path, span), key) : before.outputs;
  }

  #append(node: Node, key: string | null): readonly Value[] {
    this.#nextId += 1;
    const scopes = this.#scopes;
    const depth = node.op === "body_input" || scopes.length === 1 ? scopes.length - 1 : this.#depthFor(node);
    (scopes[depth] as Scope).nodes.push(node);
    if (depth > 0) this.#depthOf.set(node, depth);
    if (key !== null) {
      this.#made.set(key, node);
      // What stands outside of loops is never out of scope.
      if (depth > 0) (this.#keysOfScope[depth] as string[]).push(key);
    }
    return node.outputs;
  }

  /** Whether a value exists only inside the loop bodies that are being built, or were. */
  isInLoop({ node }: Value): boolean {
    return this.#depthOf.has(node);
  }

  /** Builds a loop body: `build` gets the body's inputs and returns the next states, or null to give up. */
  body(inputTypes: readonly TensorType[], origin: Origin, build: (inputs: readonly Value[]) => readonly Value[] | null): Body | null {
    const scope: Scope = { nodes: [], depth: this.#scopes.length };
    const loop = this.#nextId++;
    this.#scopes.push(scope);
    this.#keysOfScope.push([]);
    const inputs = inputTypes.map(
      ({ dtype, shape }, position) =>
        (this.add("body_input", [], { dtype, shape, position, loop }, origin) as readonly Value[])[0] as Value,
    );
    const results = build(inputs);
    this.#scopes.pop();
    for (const key of this.#keysOfScope.pop() as string[]) this.#made.delete(key);
    if (results === null) return null;
    return { inputs, nodes: scope.nodes, results, captures: findCaptures(scope.nodes, results) };
  }

  #adopt(node: Node): void {
    (this.#scopes[0] as Scope).nodes.push(node);
    this.#reserve(node);
    const key = nodeKey<OpName>(node.op, node.inputs, node.attributes as OpAttributes[OpName]);
    if (key !== null && !this.#made.has(key)) this.#made.set(key, node);
  }

  /** Keeps the ids of a node and of those of its loop body from being given again. */
  #reserve(node: Node): void {
    this.#nextId = Math.max(this.#nextId, node.id + 1);
    if (node.op === "scan") for (const inner of node.attributes.body.nodes) this.#reserve(inner);
  }

  #depthFor(node: Node): number {
    const captures = node.op === "scan" ? node.attributes.body.captures : [];
    return Math.max(0, ...[...node.inputs, ...captures].map((value) => this.#depthOf.get(value.node) ?? 0));
  }
}

function typesOf(values: readonly Value[]): readonly TensorType[] {
  const types = new Array<TensorType>(values.length);
  for (let i = 0; i < types.length; i += 1) types[i] = (values[i] as Value).type;
  return types;
}

/** Equal nodes have equal keys; null for a node that is equal to none but itself. */
function nodeKey<K extends OpName>(
  op: K,
  inputs: readonly Value[],
  attributes: OpAttributes[K],
  keyOf: (attributes: object) => string = attributeKey,
): string | null {
  if (unhashed.has(op)) return null;
  let key: string = op;
  for (let i = 0; i < inputs.length; i += 1) {
    const { node, index } = inputs[i] as Value;
    key += index === 0 ? ` ${node.id}` : ` ${node.id}.${index}`;
  }
  return key + keyOf(attributes);
}

/** Equal attributes have equal keys, since equal dims have equal texts. */
function attributeKey(attributes: object): string {
  let key = "";
  for (const name in attributes) key += ` ${name}:${(attributes as Readonly<Record<string, unknown>>)[name]}`;
  return key;
}

const copiedKeys = new WeakMap<object, string>();

/** The key of attributes that copies have in common. */
function keyOfCopied(attributes: object): string {
  let key = copiedKeys.get(attributes);
  if (key === undefined) {
    key = attributeKey(attributes);
    copiedKeys.set(attributes, key);
  }
  return key;
}

/** Makes a node with its output values; for the builder and for passes that rewrite graphs. */
export function makeNode<K extends OpName>(
  id: number,
  op: K,
  inputs: readonly Value[],
  attributes: OpAttributes[K],
  types: readonly TensorType[],
  origin: Origin,
): Node {
  const outputs = new Array<Value>(types.length);
  const node: NodeOf<K> = { id, op, inputs, attributes, outputs, path: origin.path, span: origin.span };
  for (let index = 0; index < types.length; index += 1) outputs[index] = { node: node as Node, index, type: types[index] as TensorType };
  return node as Node;
}

/** A node that does the same over other inputs of the same types. */
function copyNode({ op, attributes, outputs }: Node, id: number, inputs: readonly Value[], path: string, span: Span): Node {
  const copies = new Array<Value>(outputs.length);
  const node = { id, op, inputs, attributes, outputs: copies, path, span } as Node;
  for (let index = 0; index < copies.length; index += 1) copies[index] = { node, index, type: (outputs[index] as Value).type };
  return node;
}

/** Values that a body uses and does not make, in order of first use. */
export function findCaptures(nodes: readonly Node[], results: readonly Value[]): readonly Value[] {
  const own = new Set(nodes);
  const captures = new Set<Value>();
  const see = (value: Value) => {
    if (!own.has(value.node)) captures.add(value);
  };
  for (const node of nodes) {
    node.inputs.forEach(see);
    if (node.op === "scan") node.attributes.body.captures.forEach(see);
  }
  results.forEach(see);
  return [...captures];
}
