import type { GraphInput, Node, Value } from "../ir/graph.ts";
import { interpret } from "../ir/interpreter.ts";
import type { CheckedModel } from "../model.ts";

/** Logits that are tried: probabilities from 6e-6 to 1 - 6e-6. */
const logits = Float64Array.from({ length: 2401 }, (_, i) => (i - 1200) / 100);

/**
 * What the best constant logit of a binary task costs under the task's own loss, for a label of 0 and for one of 1: the best that can be had without looking at
 * a row. Null for a loss that depends on more than logit and label.
 *
 * @param rate  the share of labels that are 1
 */
export function constantLoss(model: CheckedModel, task: string, rate: number): readonly [ofZero: number, ofOne: number] | null {
  const loss = model.losses.find((candidate) => candidate.task === task);
  const logit = model.tasks.find(({ name }) => name === task)?.logit;
  if (loss === undefined || logit === undefined || logit === null) return null;
  const nodes = between([logit, loss.label], loss.rows);
  if (nodes === null) return null;
  const count = logits.length;
  const given = (name: string, value: Value): GraphInput => ({ name, value, optional: false, fill: 0, vocabulary: null, doc: null });
  const graph = {
    name: "constant",
    inputs: [given("logit", logit), given("label", loss.label)],
    params: [],
    nodes: model.training.nodes.filter((node) => nodes.has(node)),
    outputs: [{ name: "rows", value: loss.rows, doc: null }],
  };
  const costsOf = (label: number): Float64Array => {
    const inputs = new Map([
      ["logit", { shape: [count, 1], data: logits }],
      ["label", { shape: [count], data: new Float64Array(count).fill(label) }],
    ]);
    return interpret(graph, { inputs, params: new Map() }).get("rows")?.data ?? new Float64Array(count);
  };
  const [ofZero, ofOne] = [costsOf(0), costsOf(1)];
  let best = 0;
  const cost = (i: number) => rate * (ofOne[i] as number) + (1 - rate) * (ofZero[i] as number);
  for (let i = 1; i < count; i++) if (cost(i) < cost(best)) best = i;
  return [ofZero[best] as number, ofOne[best] as number];
}

/** The nodes from some values to another one; null where it depends on other inputs or on parameters. */
function between(from: readonly Value[], to: Value): ReadonlySet<Node> | null {
  const nodes = new Set<Node>();
  const pending = [to];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    if (from.includes(at) || nodes.has(at.node)) continue;
    const { node } = at;
    if (node.op === "input" || node.op === "param") return null;
    nodes.add(node);
    pending.push(...node.inputs);
    if (node.op === "scan") pending.push(...node.attributes.body.captures);
  }
  return nodes;
}
