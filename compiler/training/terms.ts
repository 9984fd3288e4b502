import type { Dim } from "../ir/dim.ts";
import type { Value } from "../ir/graph.ts";
import type { CheckedModel, ModelLoss, TaskKind } from "../model.ts";
import type { Formula } from "./formula.ts";

/** What one task adds to the total, before it is weighed. */
export interface TaskTerm {
  readonly task: string;
  /** The task's own weight in the spec. */
  readonly weight: number;
  readonly group: string | null;
  readonly regression: boolean;
  /** f32[]: the mean of the loss over rows with a label; 0 where there are none. */
  readonly loss: Value;
  /** f32[]: how many rows have a label. */
  readonly rows: Value;
  /** f32[]: 1 where any row has a label, else 0. */
  readonly present: Value;
}

/** The mean loss of every task that has one: sum(mask · l) / max(sum(mask), 1). */
export function taskTerms(model: CheckedModel, copyOf: (value: Value) => Value, f: Formula): readonly TaskTerm[] {
  return model.losses.map((loss) => {
    const task = model.tasks.find(({ name }) => name === loss.task);
    if (task === undefined) throw new Error(`${loss.task} has a loss and is no task`);
    const named = f.named(`loss/${task.name}`);
    const known = knownRows(loss, task.kind, copyOf, named);
    const rows = named.sumAll(known);
    const mean = named.div(named.sumAll(named.where(named.gt(known, 0), copyOf(loss.rows), 0)), named.max(rows, 1));
    const regression = task.kind === "regression";
    return { task: task.name, weight: task.weight, group: task.group, regression, loss: mean, rows, present: named.min(rows, 1) };
  });
}

/**
 * f32[B], 1 for rows that have a label: from 0 up for binary and classes, not NaN for regressions (any number of the row, where there are several), and not
 * all zeros or NaN for embeddings.
 */
export function knownRows({ label }: ModelLoss, kind: TaskKind, copyOf: (value: Value) => Value, f: Formula): Value {
  const y = copyOf(label);
  if (kind === "classes") return f.f32(f.ge(y, f.op("constant", [], { dtype: "i32", shape: [], data: [0] })));
  if (kind === "binary") return f.f32(f.ge(y, 0));
  const finite = f.isFinite(y);
  const rest = y.type.shape.map((_: Dim, axis) => axis).slice(1);
  if (kind === "regression") return f.largest(f.f32(finite), rest);
  return f.f32(f.gt(f.largest(f.abs(f.where(finite, y, 0)), rest), 0));
}
