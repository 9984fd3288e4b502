import type { TaskMetrics } from "../runs/records.ts";

export type MetricName = Exclude<keyof TaskMetrics, "calibration" | "rows">;

/** Metrics as people read them, in the order of tables. A base is the predictor that knows only the training rows' labels. */
export const metricTitles: Readonly<Record<MetricName, string>> = {
  loss: "loss",
  base_loss: "(base)",
  auc: "AUC",
  log_loss: "log loss",
  base_log_loss: "(base)",
  accuracy: "accuracy",
  base_accuracy: "(base)",
  top3: "top 3",
  rmse: "RMSE",
  base_rmse: "(base)",
  mae: "MAE",
  recall_at_10: "recall@10",
  ece: "ECE",
};

/** The metrics that any of the tasks has. */
export function metricsOf(tasks: readonly TaskMetrics[]): readonly MetricName[] {
  return (Object.keys(metricTitles) as MetricName[]).filter((name) => tasks.some((found) => found[name] !== undefined));
}
