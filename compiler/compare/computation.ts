import { formatDim, SymbolicDim } from "../ir/dim.ts";
import type { Graph, Node, Value } from "../ir/graph.ts";
import type { CheckedModel } from "../model.ts";
import { type Change, pair } from "./change.ts";

/**
 * Numbers for values such that two values, of whichever graph, have one number if and only if they are computed in the same way from inputs and
 * params of the same names. Names and places of the text do not count.
 */
export class Structure {
  readonly #numbers = new Map<string, number>();

  /** `paramName` gives the name under which a param counts. */
  numbering(paramName: (name: string) => string): Numbering {
    return new Numbering(this.#numbers, paramName);
  }
}

export class Numbering {
  readonly #known = new Map<Node, number>();
  /** The scan of each loop, which is met before its body. */
  readonly #loops = new Map<number, Node>();
  readonly #numbers: Map<string, number>;
  readonly #paramName: (name: string) => string;

  constructor(numbers: Map<string, number>, paramName: (name: string) => string) {
    this.#numbers = numbers;
    this.#paramName = paramName;
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

/** Ops that are told of elsewhere: inputs and params as such, constants with what reads them. */
const sources = new Set(["input", "param", "body_input", "constant", "full"]);
const isConstant = ({ op }: Node): boolean => op === "constant" || op === "full";

/**
 * Where the computation of outputs and penalties begins to differ: nodes of one graph that the other lacks although it has all that they read.
 * Grouped by path; what differs only since an input or a param does is not listed.
 */
export function compareComputation(a: CheckedModel, b: CheckedModel, numberings: readonly [Numbering, Numbering]): readonly Change[] {
  const [nodesA, nodesB] = [nodesOf(a, numberings[0]), nodesOf(b, numberings[1])];
  const [numbersA, numbersB] = [numbersOf(nodesA, numberings[0]), numbersOf(nodesB, numberings[1])];
  const before = beginnings(nodesA, numberings[0], numbersB);
  const after = beginnings(nodesB, numberings[1], numbersA);
  return pair([...before], [...after], ([path]) => path).flatMap(({ name, before: old, after: now }) => {
    const from = old?.[1].join(", ") ?? null;
    const to = now === null ? null : `${now[1].join(", ")}${now[1].join(", ") === from ? " of other operands" : ""}`;
    const kind = from === null ? "added" : to === null ? "removed" : "changed";
    return [
      {
        area: "computation" as const,
        kind: kind as Change["kind"],
        name: name === "" ? "(model)" : name,
        before: from,
        after: to,
        breaking: null,
      },
    ];
  });
}

/** Nodes that outputs and penalties need, bodies of loops included. */
function nodesOf({ graph, penalties }: CheckedModel, numbering: Numbering): readonly Node[] {
  const seen = new Set<Node>();
  const waiting: Node[] = [...graph.outputs, ...penalties].map(({ value }) => value.node);
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

function beginnings(nodes: readonly Node[], numbering: Numbering, others: ReadonlySet<number>): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  const seen = new Set<number>();
  for (const node of nodes) {
    const number = numbering.ofNode(node);
    if (sources.has(node.op) || others.has(number) || seen.has(number)) continue;
    if (!numbering.reads(node).every((read) => isConstant(read) || others.has(numbering.ofNode(read)))) continue;
    seen.add(number);
    const ops = found.get(node.path) ?? [];
    found.set(node.path, [...ops, describeNode(node)]);
  }
  return found;
}

/** `softmax(axis: 1)`, `mul(0.5)`. */
function describeNode(node: Node): string {
  const hidden = new Set(["dtype", "shape", "body", "states"]);
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
  return [data.length === 1 ? String(data[0]) : `[${data.slice(0, 6).join(", ")}${data.length > 6 ? ", …" : ""}]`];
}

/** Whether two graphs give every output and penalty of both in the same way. */
export function sameComputation(
  a: Pick<Graph, "outputs">,
  b: Pick<Graph, "outputs">,
  numberings: readonly [Numbering, Numbering],
): boolean {
  const outputs = pair(a.outputs, b.outputs, ({ name }) => name);
  return outputs.every(
    ({ before, after }) => before !== null && after !== null && numberings[0].of(before.value) === numberings[1].of(after.value),
  );
}
