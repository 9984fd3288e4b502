import { eachObservation, type Monitor, percent } from "./monitor.ts";

export const gateUniform: Monitor = {
  name: "gate-uniform",
  what: "A gate weighs all experts alike for every row, epoch after epoch: it has learned nothing and is a mean.",
  threshold: 0.9995,
  unit: "share",
  patience: 3,
  remedy:
    "See that the gate's parameters are trained (frozen or tagged parts stand still), lower its entropy penalty, or raise the learning rate; experts that are all alike leave a gate nothing to choose from.",
  watch: eachObservation(({ gates }) =>
    Object.entries(gates).flatMap(([gate, { entropy }]) => {
      if (!(entropy > gateUniform.threshold)) return [];
      const message = `gate ${gate} weighs its experts alike: its weights have ${percent(entropy)} of the entropy of even ones`;
      return [{ subject: gate, value: entropy, message }];
    }),
  ),
};
