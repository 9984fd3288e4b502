import { settingOf } from "../declarations.ts";
import { lossAt } from "./analysis/loss-probe.ts";
import { defineRule } from "./engine/rule.ts";

export const positivesWeight = defineRule({
  code: "lint/positives-weight",
  severity: "warning",
  message: "the loss of task `{task}` weighs a positive {ratio} a negative, and {rate} of the rows are positive: {verdict}",
  why: "A class weight, such as the α of a focal loss, is there to balance classes: α above ½ raises positives, below ½ it lowers them. Measured from the loss itself, at a logit of 0, it should not turn against the rarer class, nor balance it many times over.",
  help: "Turn the weight around (α to 1 - α), or move it towards balance, which is at α = 1 - the share of positives.",
  options: {
    beyond: {
      default: 10,
      least: 1,
      what: "positives (or negatives) may count this many times the other class after weighting, if they are the rarer one",
    },
  },
  check({ models }, report, { beyond }) {
    for (const model of models) {
      for (const { name, positives, enabled } of model.checked.tasks) {
        if (!enabled || positives === null) continue;
        const [negative = 0, positive = 0] = lossAt(model, name, 0, [0, 1]) ?? [];
        if (!(negative > 0 && positive > 0)) continue;
        const ratio = positive / negative;
        const verdict = judge(ratio, positives, beyond);
        if (verdict === null) continue;
        const declared = model.declarations.tasks.get(name)?.settings ?? null;
        const span = settingOf(declared, "loss")?.span;
        const stated = settingOf(declared, "positives")?.span ?? null;
        if (span === undefined) continue;
        const values = { task: name, ratio: describeRatio(ratio), rate: `${Number((positives * 100).toPrecision(3))} %`, verdict };
        report(span, values, { notes: [{ message: "the share of positives is stated here", span: stated }] });
      }
    }
  },
});

/** What is wrong with weighing a positive `ratio` times a negative at this share of positives, or null. */
function judge(ratio: number, positives: number, beyond: number): string | null {
  const rare = positives < 0.5 ? "positives" : "negatives";
  const raised = positives < 0.5 ? ratio : 1 / ratio;
  const share = Math.min(positives, 1 - positives);
  if (raised < 0.99 && share < 0.45) return `it lowers the ${rare}, which are rare already`;
  if ((raised * share) / (1 - share) > beyond) return `the rare ${rare} count ${Math.round((raised * share) / (1 - share))} times the rest`;
  return null;
}

function describeRatio(ratio: number): string {
  return `${Number(ratio.toPrecision(2))} times as much as`;
}
