import type { Value } from "../ir/graph.ts";
import type { CheckedModel, ModelTask } from "../model.ts";
import { type Change, changed, formatSettings, pair } from "./change.ts";
import { Structure } from "./computation.ts";

/** The name under which a change of a task's loss is told. */
export const lossName = (task: string): string => `${task} loss`;

/**
 * Tasks whose loss is another one. Names and settings count only where the rows' losses are computed differently from logits and labels: a definition
 * may be renamed, and a default written out. A loss of the same name and settings with another body is a change of the computation.
 */
export function compareLosses(a: CheckedModel, b: CheckedModel, newName: (name: string) => string): readonly Change[] {
  const structure = new Structure();
  const own = (model: CheckedModel, nameOf: (name: string) => string, task: string): string | null => {
    const loss = model.losses.find((candidate) => candidate.task === task);
    if (loss === undefined) return null;
    const logits = model.tasks.flatMap(({ name, logit }): [Value["node"], string][] => (logit === null ? [] : [[logit.node, name]]));
    return structure.numbering(nameOf, new Map(logits)).of(loss.rows);
  };
  return pair(a.tasks, b.tasks, ({ name }) => name).flatMap(({ name, before, after }) => {
    if (before === null || after === null) return [];
    const [old, now] = [own(a, newName, name), own(b, (param) => param, name)];
    return old !== null && old === now ? [] : changed("tasks", lossName(name), lossOf(before), lossOf(after));
  });
}

/** `focal(gamma: 2)`: the loss with what the spec sets. */
export function lossOf({ loss }: Pick<ModelTask, "loss">): string {
  return loss === null ? "none" : `${loss.name}(${formatSettings(loss.settings)})`;
}
