import type { Span } from "../../../dsl/source.ts";
import type { Node, Value } from "../../ir/graph.ts";
import { evaluateShape, fullArray } from "../../ir/ndarray.ts";
import { elementwiseOps } from "./analysis/estimate.ts";
import { lossAt } from "./analysis/loss-probe.ts";
import { defineRule, type LintedModel } from "./engine/rule.ts";

/** What the last layer could give. */
const probes = [-100, -30, -10, -3, -1, -0.3, 0, 0.3, 1, 3, 10, 30, 100];
/** A flow ends within this many nodes of its last layer. */
const farthest = 64;

export const activatedLogit = defineRule({
  code: "lint/activated-logit",
  severity: "warning",
  message: "the logits of {tasks} pass `{op}` last, after which they {range}",
  why: "A loss on logits reads them as log-odds: every number has a meaning, and the loss itself keeps probabilities within bounds. An activation at the end of the flow makes some probabilities impossible: after a rectifier no prediction falls below one half, and where it is flat nothing trains.",
  help: "Remove the activation; plec applies sigmoid or softmax for the prediction. To keep logits small, scale it: `10 * tanh(z / 10)`.",
  options: {
    reach: {
      default: 4,
      least: 0,
      what: "logits that can reach this far to both sides are left alone: ±4 is a probability of 0.018 or 0.982",
    },
  },
  check({ models }, report, { reach }) {
    for (const model of models) {
      const found = new Map<string, { tasks: string[]; span: Span; op: Node; range: string }>();
      for (const { name, kind, logit } of model.checked.tasks) {
        if (logit === null || (kind !== "binary" && kind !== "classes") || !takesLogits(model, name)) continue;
        const range = rangeOf(logit, model);
        if (range === null || (range.low <= -reach && range.high >= reach)) continue;
        const op = lastActivation(logit);
        if (op === null) continue;
        const end = model.declarations.flows.get(name)?.body.statements.find((statement) => statement.kind === "Return");
        const span = end?.value.span ?? model.analysis.placeOf(op);
        const text = describeRange(range, reach);
        const key = `${span.start} ${op.op} ${text}`;
        const before = found.get(key);
        if (before === undefined) found.set(key, { tasks: [name], span, op, range: text });
        else before.tasks.push(name);
      }
      for (const { tasks, span, op, range } of found.values()) {
        const names = `${tasks.length === 1 ? "task" : "the tasks"} ${tasks.map((task) => `\`${task}\``).join(", ")}`;
        const notes = op.span === null || op.span === span ? [] : [{ message: "applied here", span: op.span }];
        report(span, { tasks: names, op: op.op, range }, { notes });
      }
    }
  },
});

interface Range {
  readonly low: number;
  readonly high: number;
}

/** A loss on probabilities is not finite for negative ones. */
function takesLogits(model: LintedModel, task: string): boolean {
  return [-3, 3].every((z) => lossAt(model, task, z, [0, 1]) !== null);
}

/** What logits can be, where they are an elementwise function of one tensor. */
function rangeOf(logit: Value, model: LintedModel): Range | null {
  const before = lastLayer(logit, model);
  if (before === null) return null;
  const shape = evaluateShape(before.type.shape, new Map([["B", 1]]));
  const values = probes.flatMap((probe) => {
    const estimate = model.analysis.estimate("mean", new Map([[before, fullArray(shape, probe)]]));
    return [...(estimate.of(logit)?.data ?? [])];
  });
  return values.length === 0 || values.some(Number.isNaN) ? null : { low: Math.min(...values), high: Math.max(...values) };
}

/** The one value behind the elementwise ops that end a flow, or null. */
function lastLayer(logit: Value, { analysis }: LintedModel): Value | null {
  const ends = new Set<Value>();
  const seen = new Set<Value>();
  const pending = [logit];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (seen.has(value) || !analysis.dependent.has(value.node)) continue;
    seen.add(value);
    if (elementwiseOps.has(value.node.op) && seen.size < farthest) pending.push(...value.node.inputs);
    else ends.add(value);
  }
  const [only] = ends;
  return ends.size === 1 && only !== undefined ? only : null;
}

const harmless = new Set(["add", "sub", "reshape", "transpose", "expand", "slice", "concat", "reverse", "stop_gradient", "dropout", "neg"]);

/** The op nearest to the end that may bound values. */
function lastActivation(logit: Value): Node | null {
  const seen = new Set<Node>([logit.node]);
  for (const node of seen) {
    if (!elementwiseOps.has(node.op)) return null;
    if (!harmless.has(node.op) && node.op !== "mul" && node.op !== "div") return node;
    for (const input of node.inputs) if (elementwiseOps.has(input.node.op)) seen.add(input.node);
  }
  return null;
}

function describeRange({ low, high }: Range, reach: number): string {
  const short = (value: number) => String(Math.abs(value) < 1e-3 ? 0 : Number(value.toPrecision(2)));
  if (low > -reach && high < reach) return `stay between ${short(low)} and ${short(high)}`;
  return low > -reach ? `never fall below ${short(low)}` : `never rise above ${short(high)}`;
}
