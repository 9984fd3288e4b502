import { defineRule } from "./engine/rule.ts";

export const expertUnpreferred = defineRule({
  code: "lint/expert-unpreferred",
  severity: "warning",
  message: "expert `{name}` of bank `{bank}` is preferred by no task",
  why: "Where tasks state which experts they prefer, priors of the gates are made from it: an expert that no task prefers starts low in every gate, gets little gradient from each of them, and often stays there.",
  help: "Let a task prefer it, give it a neutral prior, or remove it.",
  options: {},
  check({ models }, report) {
    for (const { checked, entries } of models) {
      const preferring = checked.tasks.filter((task) => task.enabled && task.prefer.length > 0);
      const preferred = new Set(preferring.flatMap((task) => task.prefer));
      const shared = entries.filter(({ bank, unit }) => bank.role === "experts" && unit === null);
      for (const { bank, entry, name } of shared) {
        const stated = shared.some((other) => other.bank === bank && preferred.has(other.name));
        if (!stated || preferred.has(name)) continue;
        report(entry.name.span, { name, bank: bank.name.text });
      }
    }
  },
});
