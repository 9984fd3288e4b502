import { formatDim, SymbolicDim } from "../ir/dim.ts";
import type { Node, Value } from "../ir/graph.ts";
import { type Change, changed, pair } from "./change.ts";

/**
 * Numbers for values such that two values, of whichever graph, have one number if and only if they are computed in the same way from inputs and
 * params of the same names. Names and places of the text do not count.
 */
export class Structure {
  readonly #numbers = new Map<string, number>();

  /** `paramName` gives the name under which a param counts; `given` are nodes that count as what they are called, however they are computed. */
  numbering(paramName: (name: string) => string, given: ReadonlyMap<Node, string> = new Map()): Numbering {
    return new Numbering(this.#numbers, paramName, given);
  }
}

export class Numbering {
  readonly #known = new Map<Node, number>();
  /** The scan of each loop, which is met before its body. */
  readonly #loops = new Map<number, Node>();
  readonly #numbers: Map<string, number>;
  readonly #paramName: (name: string) => string;

  constructor(numbers: Map<string, number>, paramName: (name: string) => string, given: ReadonlyMap<Node, string>) {
    this.#numbers = numbers;
    this.#paramName = paramName;
    for (const [node, name] of given) this.#known.set(node, this.#number(formatKey(["given", name])));
  }

  of(value: Value): string {
    return `${this.ofNode(value.node)}.${value.index}`;
  }

  /** Graphs are too deep for recursion: nodes wait on a stack until what they read has a number. */
  ofNode(node: Node): number {
    const waiting = [node];
    for (let top = waiting.at(-1); top !== undefined; top = waiting.at(-1)) {
      const missing = this.#known.has(top) ? [] : this.reads(top).filter((read) => !this.#known.has(read));
      if (missing.length > 0) waiting.push(...missing);
      else {
        if (!this.#known.has(top)) this.#known.set(top, this.#number(this.#keyOf(top)));
        waiting.pop();
      }
    }
    return this.#known.get(node) as number;
  }

  /** What a node is computed from: its operands; for a scan what its body gives as well; for the input of a body what its loop runs over. */
  reads(node: Node): readonly Node[] {
    if (node.op === "body_input") return this.#loops.get(node.attributes.loop)?.inputs.map((value) => value.node) ?? [];
    const operands = node.inputs.map((value) => value.node);
    if (node.op !== "scan") return operands;
    const { inputs, results } = node.attributes.body;
    const [first] = inputs;
    if (first?.node.op === "body_input") this.#loops.set(first.node.attributes.loop, node);
    return [...operands, ...results.map((value) => value.node)];
  }

  #number(key: string): number {
    const number = this.#numbers.get(key) ?? this.#numbers.size;
    this.#numbers.set(key, number);
    return number;
  }

  #keyOf(node: Node): string {
    const operands = node.inputs.map((value) => this.of(value));
    if (node.op === "param") return formatKey(["param", this.#paramName(node.attributes.name), node.attributes.shape]);
    // A loop is told from others by what it runs over, not by its number.
    if (node.op === "body_input")
      return formatKey(["body_input", node.attributes.position, this.reads(node).map((read) => this.ofNode(read))]);
    if (node.op !== "scan") return formatKey([node.op, node.attributes, operands]);
    const { body, ...rest } = node.attributes;
    return formatKey(["scan", rest, operands, body.results.map((value) => this.of(value))]);
  }
}

const formatKey = (parts: unknown): string =>
  JSON.stringify(parts, (_, value: unknown) => {
    if (value instanceof SymbolicDim) return formatDim(value);
    return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  });

/** What is compared of a model, by name. */
export type Results = readonly { readonly name: string; readonly value: Value }[];

/** Ops that are told of elsewhere: inputs and params as such, constants with what reads them. */
const sources = new Set(["input", "param", "body_input", "constant", "full"]);
const isConstant = ({ op }: Node): boolean => op === "constant" || op === "full";

/**
 * Where results are computed differently, by path: ops, their settings and constants that one graph has at a path and the other has not,
 * and places that read other operands than before. What differs only since an input or a param does is not listed, nor what follows from it.
 */
export function compareComputation(a: Results, b: Results, numberings: readonly [Numbering, Numbering]): readonly Change[] {
  const [nodesA, nodesB] = [nodesOf(a, numberings[0]), nodesOf(b, numberings[1])];
  const [numbersA, numbersB] = [numbersOf(nodesA, numberings[0]), numbersOf(nodesB, numberings[1])];
  const before = new Differing(nodesA, numberings[0], numbersB);
  const after = new Differing(nodesB, numberings[1], numbersA);
  return pair([...before.paths], [...after.paths], ([path]) => path).flatMap(({ name, before: old, after: now }): readonly Change[] => {
    const own = { area: "computation", name: name === "" ? "(model)" : name, breaking: null } as const;
    if (old !== null && now !== null) {
      const [gone, fresh] = [without(old[1], now[1]).join(", "), without(now[1], old[1]).join(", ")];
      if (gone !== "" || fresh !== "")
        return changed(own.area, own.name, gone === "" ? "as before" : gone, fresh === "" ? "without" : fresh);
    }
    const [from, to] = [before.beginnings.get(name)?.join(", "), after.beginnings.get(name)?.join(", ")];
    if (from === undefined && to === undefined) return [];
    if (from !== undefined && to !== undefined) return [{ ...own, kind: "changed", before: from, after: `${to} of other operands` }];
    return [
      from === undefined
        ? { ...own, kind: "added", before: null, after: to ?? "" }
        : { ...own, kind: "removed", before: from, after: null },
    ];
  });
}

/** The nodes of a graph that another one lacks. */
class Differing {
  /** What stands at each path, as text. */
  readonly paths = new Map<string, string[]>();
  /** The part that does not follow from other nodes, inputs or params that differ. */
  readonly beginnings = new Map<string, string[]>();

  constructor(nodes: readonly Node[], numbering: Numbering, others: ReadonlySet<number>) {
    const seen = new Set<number>();
    const add = (to: Map<string, string[]>, node: Node) => to.set(node.path, [...(to.get(node.path) ?? []), describeNode(node)]);
    for (const node of nodes) {
      const number = numbering.ofNode(node);
      if (sources.has(node.op) || others.has(number) || seen.has(number)) continue;
      seen.add(number);
      add(this.paths, node);
      if (numbering.reads(node).every((read) => isConstant(read) || others.has(numbering.ofNode(read)))) add(this.beginnings, node);
    }
  }
}

/** What `items` has beyond `others`, repeats counted. */
function without(items: readonly string[], others: readonly string[]): readonly string[] {
  const left = [...others];
  return items.filter((item) => {
    const at = left.indexOf(item);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

/** Nodes that results need, bodies of loops included. */
function nodesOf(results: Results, numbering: Numbering): readonly Node[] {
  const seen = new Set<Node>();
  const waiting: Node[] = results.map(({ value }) => value.node);
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    waiting.push(...numbering.reads(node));
  }
  return [...seen].sort((x, y) => x.id - y.id);
}

function numbersOf(nodes: readonly Node[], numbering: Numbering): ReadonlySet<number> {
  return new Set(nodes.map((node) => numbering.ofNode(node)));
}

/** `softmax(axis: 1)`, `mul(0.5)`. */
function describeNode(node: Node): string {
  // Dims follow from widths, which are told of where they are stated.
  const hidden = new Set(["dtype", "shape", "body", "states", "start", "stop", "depth"]);
  const attributes = Object.entries(node.attributes).flatMap(([key, value]) =>
    hidden.has(key) ? [] : [`${key}: ${formatKey(value).replaceAll('"', "")}`],
  );
  const constants = node.inputs.flatMap((value) => describeConstant(value.node));
  const told = [...constants, ...attributes].join(", ");
  return told === "" ? node.op : `${node.op}(${told})`;
}

function describeConstant(node: Node): readonly string[] {
  if (node.op === "full") return [String(node.attributes.value)];
  if (node.op !== "constant") return [];
  const { data } = node.attributes;
  const shown = data.slice(0, 6).map((value) => String(Number(value.toPrecision(6))));
  return [data.length === 1 ? String(data[0]) : `[${shown.join(", ")}${data.length > 6 ? ", …" : ""}]`];
}

/** Whether two models give every result of both in the same way. */
export function sameComputation(a: Results, b: Results, numberings: readonly [Numbering, Numbering]): boolean {
  return pair(a, b, ({ name }) => name).every(
    ({ before, after }) => before !== null && after !== null && numberings[0].of(before.value) === numberings[1].of(after.value),
  );
}
