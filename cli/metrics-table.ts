import type { SplitMetrics, TaskMetrics } from "../runtime/runs/records.ts";
import { formatCount, formatNumber, formatTable } from "./table.ts";

type MetricName = Exclude<keyof TaskMetrics, "calibration">;

const columns: readonly (readonly [metric: MetricName, title: string])[] = [
  ["loss", "loss"],
  ["base_loss", "(base)"],
  ["auc", "AUC"],
  ["log_loss", "log loss"],
  ["base_log_loss", "(base)"],
  ["accuracy", "accuracy"],
  ["base_accuracy", "(base)"],
  ["top3", "top 3"],
  ["rmse", "RMSE"],
  ["base_rmse", "(base)"],
  ["mae", "MAE"],
  ["recall_at_10", "recall@10"],
  ["ece", "ECE"],
];

/** A row for each task and split; metrics that no task has are left out. `(base)` is the predictor that knows only the training rows' labels. */
export function metricsTable(splits: SplitMetrics): string[] {
  const rows = Object.entries(splits).flatMap(([split, tasks]) =>
    Object.entries(tasks).map(([task, metrics]) => ({ split, task, metrics })),
  );
  const shown = columns.filter(([metric]) => rows.some(({ metrics }) => metrics[metric] !== undefined));
  const cell = (value: number | undefined) => (value === undefined ? "" : formatNumber(value));
  const table = [
    ["split", "task", "rows", ...shown.map(([, title]) => title)],
    ...rows.map(({ split, task, metrics }) => [split, task, formatCount(metrics.rows), ...shown.map(([metric]) => cell(metrics[metric]))]),
  ];
  return formatTable(table, new Set(table[0]?.map((_, i) => i).slice(2)));
}
