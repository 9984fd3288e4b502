import type { Span } from "../../../dsl/source.ts";
import type { Node } from "../../ir/graph.ts";
import type { Mix } from "./analysis/mixes.ts";
import type { ModelAnalysis } from "./analysis/model-analysis.ts";
import { defineRule } from "./engine/rule.ts";

export const gateStartsClosed = defineRule({
  code: "lint/gate-starts-closed",
  severity: "warning",
  message: "{gates} with a weight of {weight} on expert `{expert}`, {share} of an even one",
  why: "The gradient that reaches an expert through a gate is scaled by its weight there. A prior that nearly closes the gate leaves the expert untrained, and what it then says gives the gate no reason to open.",
  help: "Move the prior of the expert closer to that of the others: 1 and -1 differ by a factor of 7, 3 and -3 by 400.",
  options: {
    share: {
      default: 0.1,
      least: 0,
      what: "a weight below this share of an even one (1 / experts; one half for a sigmoid) counts as closed",
    },
  },
  check({ models }, report, { share }) {
    for (const { analysis, checked } of models) {
      const found = new Map<string, { span: Span; expert: string; weight: number; relative: number; gates: Set<string> }>();
      for (const { gate, expert, weight, even } of startingWeights(analysis)) {
        if (weight >= share * even) continue;
        const span = analysis.placeOf(gate);
        const key = `${span.source.name} ${span.start} ${expert}`;
        const before = found.get(key);
        const entry = before ?? { span, expert, weight, relative: weight / even, gates: new Set<string>() };
        entry.gates.add(gate.path.split("/").slice(0, 2).join("/"));
        found.set(key, weight <= entry.weight ? { ...entry, weight, relative: weight / even } : entry);
      }
      for (const { span, expert, weight, relative, gates } of found.values()) {
        const [first] = gates;
        const which = gates.size === 1 ? `the gate \`${first}\` starts` : `${gates.size} gates (\`${first}\`, ...) start`;
        const values = { gates: which, weight: percent(weight), expert, share: percent(relative) };
        const tasks = checked.tasks.filter((task) => task.enabled && task.prefer.includes(expert)).map((task) => `\`${task.name}\``);
        report(span, values, { help: tasks.length === 0 ? null : `it is preferred by ${tasks.join(", ")}` });
      }
    }
  },
});

interface StartingWeight {
  readonly gate: Node;
  readonly expert: string;
  readonly weight: number;
  readonly even: number;
}

/** The largest weight that each gate starts with on each expert, where that does not depend on data. */
function startingWeights(analysis: ModelAnalysis): readonly StartingWeight[] {
  const estimate = analysis.estimate("mean");
  const found = new Map<string, StartingWeight>();
  for (const pair of analysis.mixes.flatMap((mix: Mix) => mix.pairs)) {
    const { gate, slot } = pair;
    const entry = analysis.entryOf(pair);
    const value = gate.outputs[0];
    const weights = value === undefined ? null : estimate.of(value);
    if (value === undefined || weights === null) continue;
    const axis = gate.op === "softmax" ? gate.attributes.axis : value.type.shape.length - 1;
    const count = weights.shape[axis] ?? 1;
    const inner = weights.shape.slice(axis + 1).reduce((total, dim) => total * dim, 1);
    const own = weights.data.filter((_, i) => Math.floor(i / inner) % count === slot);
    const key = `${gate.id} ${entry.bank.name.text} ${entry.unit} ${entry.name}`;
    const weight = Math.max(found.get(key)?.weight ?? 0, ...own);
    found.set(key, { gate, expert: entry.name, weight, even: gate.op === "softmax" ? 1 / count : 0.5 });
  }
  return [...found.values()];
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}
