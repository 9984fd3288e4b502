import { eachObservation, type Monitor, percent } from "./monitor.ts";

export const expertCollapse: Monitor = {
  name: "expert-collapse",
  what: "A gate gives nearly all of its weight to one expert, so that its task hears nothing of the others, and they learn nothing from it.",
  threshold: 0.9,
  unit: "share",
  patience: 1,
  remedy:
    "Reward even weights with the gate's entropy penalty, bring its prior closer to even, or lower the learning rate; if one expert does suffice for the task, take the others from its gate.",
  watch: eachObservation(({ gates }) =>
    Object.entries(gates).flatMap(([gate, { entries, weights }]) => {
      const value = Math.max(...weights);
      const expert = entries[weights.indexOf(value)] ?? "";
      if (!(value > expertCollapse.threshold)) return [];
      return [{ subject: gate, value, message: `gate ${gate} gives ${percent(value)} of its weight to expert ${expert}` }];
    }),
  ),
};
