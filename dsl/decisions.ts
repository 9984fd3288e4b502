import type { StoredDecision } from "./lookahead.ts";

/** The decisions of the parser, which the build puts here: to find them it takes longer than to parse a spec. Null where the grammar is to be analysed. */
export const storedDecisions: readonly StoredDecision[] | null = null;
