import { defineRule } from "./engine/rule.ts";

export const adattEpochs = defineRule({
  code: "lint/adatt-epochs",
  severity: "warning",
  message: "adaTT never acts: {reason}",
  why: "adaTT measures gradients of the shared experts from the first epoch, weighs losses once its warm-up has ended, and stops at `freeze`. Outside the planned epochs, or while what it measures is frozen, it costs time and does nothing.",
  help: "End the warm-up within the epochs in which the shared experts are trained.",
  options: {},
  check({ models }, report) {
    for (const { checked, declarations } of models) {
      const { adatt, phases } = (checked.train ?? {}) as { readonly adatt?: Adatt; readonly phases?: readonly Phase[] };
      const span = declarations.train?.settings.fields.find((field) => field.name.text === "adatt")?.value.span;
      if (adatt === undefined || phases === undefined || span === undefined) continue;
      const warmup = adatt.warmup ?? 0;
      const plan = phases.flatMap((phase) => new Array<Phase>(phase.epochs ?? 0).fill(phase));
      const notes = [
        { message: "the phases", span: declarations.train?.settings.fields.find((field) => field.name.text === "phases")?.span ?? null },
      ];
      if (warmup >= plan.length) {
        report(span, { reason: `its warm-up of ${warmup} epochs is as long as the ${plan.length} planned` }, { notes });
        continue;
      }
      const shared = checked.banks.filter((bank) => bank.role === "experts" && bank.per === null).map((bank) => bank.name);
      const measured = adatt.over ?? shared;
      const acting = plan.slice(warmup, adatt.freeze ?? plan.length);
      if (measured.length === 0 || acting.length === 0) continue;
      if (!acting.every(({ freeze = [] }) => measured.every((name) => freeze.includes(name)))) continue;
      const names = measured.map((name) => `\`${name}\``).join(", ");
      const epochs = `epoch${acting.length === 1 ? "" : "s"} ${warmup}${acting.length === 1 ? "" : ` to ${warmup + acting.length - 1}`}`;
      report(span, { reason: `in ${epochs}, when it would, ${names} ${measured.length === 1 ? "is" : "are"} frozen` }, { notes });
    }
  },
});

interface Adatt {
  readonly warmup?: number;
  readonly freeze?: number;
  readonly over?: readonly string[];
}

interface Phase {
  readonly epochs?: number;
  readonly freeze?: readonly string[];
}
