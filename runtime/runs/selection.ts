import { trainSplit } from "../data/mapping.ts";
import type { EpochRecord, RunDescription } from "./records.ts";

/** The split by which the best weights are chosen and training stops early: the first that is not called `test`; null for the training rows' own loss. */
export function selectionSplit(splits: readonly string[]): string | null {
  return splits.find((name) => name !== trainSplit && name !== "test") ?? null;
}

/** What the best epoch of a run has least of: the tasks' mean losses on the split that chooses, weighed as the spec says. */
export function selectionLoss(
  { rows, tasks }: Pick<RunDescription, "rows" | "tasks">,
  { splits, train }: Pick<EpochRecord, "splits" | "train">,
): number {
  const split = selectionSplit(Object.keys(rows));
  const lossOf = (task: string) => (split === null ? train[`loss/${task}`] : splits[split]?.[task]?.loss) ?? 0;
  return tasks.reduce((total, { name, weight }) => total + weight * lossOf(name), 0);
}
