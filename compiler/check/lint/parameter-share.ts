import { median } from "./analysis/statistics.ts";
import { defineRule } from "./engine/rule.ts";

export const parameterShare = defineRule({
  code: "lint/parameter-share",
  severity: "warning",
  message: "expert `{name}` has {count} parameters, {share} of its bank and {times} times the median of the others",
  why: "Experts of a bank are alternatives that a gate weighs. One that holds most of the weights memorises most, costs most at every prediction, and makes the comparison that the gate learns one of capacity.",
  help: "Narrow it (`plec summary --depth 4` shows where its weights are), or widen the others.",
  options: {
    ratio: { default: 8, least: 1, what: "an expert with more than this many times the median of the others is out of proportion" },
    least: { default: 10_000, least: 0, what: "experts with fewer parameters are left alone" },
  },
  check({ models }, report, { ratio, least }) {
    for (const { entries, params } of models) {
      const sized = entries
        .filter(({ bank }) => bank.role === "experts")
        .map((entry) => ({ ...entry, count: countBelow(entry.path, params) }));
      const reported = new Set<unknown>();
      for (const { bank, unit, name, entry, count } of sized) {
        const own = sized.filter((other) => other.bank === bank && other.unit === unit);
        const others = own.filter((other) => other.name !== name).map((other) => other.count);
        const middle = median(others);
        if (others.length === 0 || middle === 0 || count < least || count <= ratio * middle || reported.has(entry)) continue;
        reported.add(entry);
        const total = own.reduce((sum, other) => sum + other.count, 0);
        const values = {
          name,
          count: count.toLocaleString("en-US"),
          share: `${Math.round((100 * count) / total)} %`,
          times: Number((count / middle).toPrecision(2)),
        };
        report(entry.name.span, values);
      }
    }
  },
});

function countBelow(
  path: string,
  params: readonly { readonly name: string; readonly value: { readonly type: { readonly shape: readonly unknown[] } } }[],
): number {
  return params
    .filter((param) => param.name.startsWith(`${path}/`))
    .reduce((sum, param) => sum + param.value.type.shape.reduce<number>((product, dim) => product * Number(dim), 1), 0);
}
