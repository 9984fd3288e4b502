import { Alternation, LLkLookaheadStrategy, Option, Repetition, RepetitionMandatory } from "chevrotain";
import { expect, it } from "vitest";
import { OneTokenLookahead } from "../../dsl/lookahead.ts";
import { PleParser } from "../../dsl/parser.ts";
import { tokenTypes } from "../../dsl/tokens.ts";

const parser = new PleParser({ skipValidations: true });
const rules = Object.values(parser.getGAstProductions());
const [own, usual] = [new OneTokenLookahead(), new LLkLookaheadStrategy({ maxLookahead: 1 })];

interface Part {
  readonly idx?: number;
  readonly definition?: readonly Part[];
}

/** Every production of a rule that is there to be decided about. */
function partsOf(part: Part): readonly Part[] {
  return "referencedRule" in part ? [] : [part, ...(part.definition ?? []).flatMap(partsOf)];
}

it.each(rules.map((rule) => [rule.name, rule] as const))("decides as Chevrotain does: %s", (_, rule) => {
  for (const part of partsOf(rule as Part)) {
    expect(part).not.toBeInstanceOf(RepetitionMandatory);
    const options = { rule, prodOccurrence: part.idx ?? 0, maxLookahead: 1, dynamicTokensEnabled: false, hasPredicates: false } as const;
    const decisionOf = (strategy: typeof own | typeof usual): ((this: never) => unknown) | null => {
      if (part instanceof Alternation) return strategy.buildLookaheadForAlternation(options) as (this: never) => unknown;
      const prodType = part instanceof Option ? "Option" : part instanceof Repetition ? "Repetition" : null;
      return prodType && (strategy.buildLookaheadForOptional({ ...options, prodType } as never) as (this: never) => unknown);
    };
    for (const { tokenTypeIdx } of tokenTypes) {
      const input = { LA_FAST: () => ({ tokenTypeIdx }) } as never;
      expect(decisionOf(own)?.call(input)).toBe(decisionOf(usual)?.call(input));
    }
  }
});

it("sees decisions", () => {
  const decisions = rules.flatMap((rule) => partsOf(rule as Part)).filter((part) => part instanceof Alternation || part instanceof Option);
  expect(decisions.length).toBeGreaterThan(30);
});

it("decides the same by what was stored of an analysis", () => {
  const { decisions } = parser;
  expect(decisions.length).toBeGreaterThan(30);
  expect(new PleParser({ skipValidations: true, decisions }).decisions).toEqual(decisions);
});
