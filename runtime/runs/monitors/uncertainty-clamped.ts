import { formatFactor, type Monitor, percent } from "./monitor.ts";

export const uncertaintyClamped: Monitor = {
  name: "uncertainty-clamped",
  what: "A task's learned log variance stands at the clamp: the weight of its loss would go on, and no longer follows the loss.",
  threshold: 0.98,
  unit: "share",
  patience: 1,
  remedy:
    "At the upper end the task's loss is far larger than the others': scale its labels or its loss. At the lower end its loss is near zero: check that its label does not stand among the inputs. Else widen `clamp` of `uncertainty`.",
  watch: (run) => (record) => {
    const clamp = run.uncertaintyClamp;
    if (clamp === null || record.kind !== "epoch" || record.observed === null) return null;
    return Object.entries(record.observed.uncertainty).flatMap(([task, s]) => {
      const value = Math.abs(s) / clamp;
      if (value < uncertaintyClamped.threshold) return [];
      const message = `the log variance of task ${task} is ${s.toFixed(2)}, ${percent(value)} of its clamp: its loss counts ${formatFactor(Math.exp(-s))} times`;
      return [{ subject: task, value, message }];
    });
  },
};
