import type { Value } from "../../../ir/graph.ts";
import { evaluateShape, makeArray, type NdArray, sizeOf } from "../../../ir/ndarray.ts";
import type { LintedModel } from "../engine/rule.ts";

/**
 * What the loss of a task is for logits that are all `z`, one row for each label; null where that depends on more than the two, or is not finite.
 */
export function lossAt(model: LintedModel, task: string, z: number, labels: readonly number[]): readonly number[] | null {
  const loss = model.checked.losses.find((candidate) => candidate.task === task);
  const logit = model.checked.tasks.find((candidate) => candidate.name === task)?.logit ?? null;
  if (loss === undefined || logit === null) return null;
  const symbols = new Map([["B", labels.length]]);
  const filled = ({ type }: Value, fill: (row: number) => number): NdArray => {
    const shape = evaluateShape(type.shape, symbols);
    const each = sizeOf(shape) / labels.length;
    return makeArray(
      shape,
      Float64Array.from({ length: sizeOf(shape) }, (_, i) => fill(Math.floor(i / each))),
    );
  };
  const given = new Map([
    [logit, filled(logit, () => z)],
    [loss.label, filled(loss.label, (row) => labels[row] ?? 0)],
  ]);
  const rows = model.analysis.estimate("mean", given, labels.length).of(loss.rows);
  return rows?.data.every(Number.isFinite) ? [...rows.data] : null;
}
