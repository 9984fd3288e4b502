import type { Monitor } from "./monitor.ts";

export const labelsMissing: Monitor = {
  name: "labels-missing",
  what: "No row that was trained on has a label of the task, so that its tower stays as it was drawn.",
  threshold: 0,
  unit: "number",
  patience: 1,
  remedy: "Check the mapping of the label and the filter of the rows, or disable the task: `enabled: false`.",
  watch:
    ({ tasks }) =>
    (record) => {
      if (record.kind !== "epoch") return null;
      return tasks.flatMap(({ name }) =>
        record.train[`rows/${name}`] === labelsMissing.threshold
          ? [{ subject: name, value: 0, message: `task ${name} had no label in epoch ${record.epoch}` }]
          : [],
      );
    },
};
