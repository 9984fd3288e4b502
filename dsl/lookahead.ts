import {
  Alternation,
  type ILookaheadStrategy,
  type IToken,
  LLkLookaheadStrategy,
  NonTerminal,
  Option,
  Repetition,
  type Rule,
  Terminal,
  type TokenType,
} from "chevrotain";
import { tokenTypes } from "./tokens.ts";

/** What Chevrotain asks before an alternation, for the number of the alternative to take, or before what may be left out. */
export type Decision = (this: unknown) => number | boolean | undefined;
type Production = ConstructorParameters<typeof Option>[0]["definition"][number];
/** What Chevrotain gives a decision as `this`. */
interface Input {
  LA_FAST(offset: number): IToken;
}

/**
 * Decisions by the next token, which is all that the grammar needs. Chevrotain's own strategy takes the same ones from lists of the paths of k tokens, and
 * half of the time in which the parser is made.
 */
export class OneTokenLookahead extends LLkLookaheadStrategy {
  constructor() {
    super({ maxLookahead: 1 });
  }

  override buildLookaheadForAlternation(options: Parameters<ILookaheadStrategy["buildLookaheadForAlternation"]>[0]) {
    if (options.hasPredicates) throw new Error(`an alternative of the rule ${options.rule.name} has a GATE, of which no table knows`);
    const { definition } = find(options.rule, Alternation, options.prodOccurrence);
    const choices: (number | undefined)[] = [];
    for (const [choice, alternative] of definition.entries()) for (const type of firstTypes(alternative)) choices[type] ??= choice;
    return choosing(choices);
  }

  override buildLookaheadForOptional(options: Parameters<ILookaheadStrategy["buildLookaheadForOptional"]>[0]) {
    if (options.prodType !== "Option" && options.prodType !== "Repetition") return super.buildLookaheadForOptional(options);
    return entering(firstTypes(find(options.rule, options.prodType === "Option" ? Option : Repetition, options.prodOccurrence)));
  }
}

/** Decides by a choice for each type of token. */
function choosing(choices: readonly (number | undefined)[]): (this: unknown) => number | undefined {
  return function (): number | undefined {
    return choices[(this as Input).LA_FAST(1).tokenTypeIdx];
  };
}

function entering(types: readonly number[]): (this: unknown) => boolean {
  const known = new Set(types);
  return function (): boolean {
    return known.has((this as Input).LA_FAST(1).tokenTypeIdx);
  };
}

/** A decision by its key in Chevrotain. */
export interface StoredDecision {
  readonly key: number;
  /** Places in `tokenTypes` of tokens before which the part is entered, or each with the alternative to take. */
  readonly enter?: readonly number[];
  readonly choose?: readonly (readonly [type: number, choice: number])[];
}

/** What decisions say before each type of token. */
export function storeDecisions(decisions: ReadonlyMap<number, Decision>): readonly StoredDecision[] {
  return [...decisions].map(([key, decide]) => {
    const said = tokenTypes.map(({ tokenTypeIdx }, type) => [type, decide.call({ LA_FAST: () => ({ tokenTypeIdx }) })] as const);
    const choose = said.filter((pair): pair is readonly [number, number] => typeof pair[1] === "number");
    return choose.length > 0 ? { key, choose } : { key, enter: said.filter(([, enters]) => enters).map(([type]) => type) };
  });
}

export function readDecisions(stored: readonly StoredDecision[]): ReadonlyMap<number, Decision> {
  const indexOf = (type: number): number => tokenTypes[type]?.tokenTypeIdx as number;
  return new Map(
    stored.map(({ key, enter = [], choose }): [number, Decision] => {
      if (choose === undefined) return [key, entering(enter.map(indexOf))];
      const choices: number[] = [];
      for (const [type, choice] of choose) choices[indexOf(type)] = choice;
      return [key, choosing(choices)];
    }),
  );
}

/** The production of a rule by its kind and number, as `OPTION2` has them. */
function find<T extends Production>(rule: Rule, kind: new (...given: never[]) => T, occurrence: number): T {
  const found = productionsOf(rule).find(
    (production): production is T => production instanceof kind && occurrenceOf(production) === occurrence,
  );
  if (found === undefined) throw new Error(`the rule ${rule.name} has no ${kind.name} ${occurrence}`);
  return found;
}

function occurrenceOf(production: Production): number | undefined {
  return (production as { readonly idx?: number }).idx;
}

function partsOf(production: Production): readonly Production[] {
  return production instanceof NonTerminal ? [] : ((production as { readonly definition?: readonly Production[] }).definition ?? []);
}

function productionsOf(production: Production): readonly Production[] {
  return [production, ...partsOf(production).flatMap(productionsOf)];
}

/** The indices of the token types with which a production can begin. */
function firstTypes(production: Production): readonly number[] {
  if (production instanceof Terminal) return [production.terminalType.tokenTypeIdx as number, ...matching(production.terminalType)];
  if (production instanceof NonTerminal) return firstTypes(production.referencedRule);
  if (production instanceof Alternation) return production.definition.flatMap(firstTypes);
  const types: number[] = [];
  for (const part of partsOf(production)) {
    types.push(...firstTypes(part));
    if (!(part instanceof Option || part instanceof Repetition)) break;
  }
  return types;
}

/** The types in a category. */
function matching({ categoryMatches }: TokenType): readonly number[] {
  return (categoryMatches ?? []) as unknown as readonly number[];
}
