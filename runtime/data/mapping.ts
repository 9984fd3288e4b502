import type { Span } from "../../dsl/source.ts";

/**
 * What a mapping says, before it meets a model and the data. Plain data: the spans are for messages, and null in a mapping that travelled with weights.
 */
export interface Mapping {
  readonly source: SourceMapping;
  /** SQL: the rows to take; all of them without it. */
  readonly where: Expression | null;
  /** Rows held out, by name of the split; the first that fits takes a row, and the rest are training rows. */
  readonly splits: readonly SplitMapping[];
  readonly inputs: readonly ColumnMapping[];
  readonly labels: readonly ColumnMapping[];
}

export type SourceMapping =
  | { readonly kind: "files"; readonly patterns: readonly string[]; readonly span: Span | null }
  | { readonly kind: "query"; readonly sql: string; readonly span: Span | null };

export interface Expression {
  readonly sql: string;
  readonly span: Span | null;
}

export interface SplitMapping {
  readonly name: string;
  readonly rule: { readonly kind: "every"; readonly n: number } | { readonly kind: "sql"; readonly sql: string };
  readonly span: Span | null;
}

/** Where the values of an input, a part of one, or a label come from, and what happens to them on the way. */
export interface ColumnMapping {
  /** `features.base.rfm`, or the task. */
  readonly target: string;
  readonly from:
    | { readonly kind: "column"; readonly name: string; readonly span: Span | null }
    | { readonly kind: "columns"; readonly names: readonly string[]; readonly span: Span | null }
    | { readonly kind: "sql"; readonly sql: string; readonly span: Span | null };
  /** Applied in order. */
  readonly scale: readonly ScaleName[];
  readonly categories: CategoryMapping | null;
  /** The id of categories that are none of the known ones; null where they are an error. */
  readonly unknown: number | null;
  /** What stands for a missing value, as it would stand in the data; "mean" for the training rows' mean. */
  readonly missing: number | string | null;
  /** For lists: the input that tells elements from padding. */
  readonly mask: string | null;
  /** Which end of a list that is too long is kept; null where that is an error. */
  readonly keep: "first" | "last" | null;
  /** Where a list that is too short is filled up; null where that is an error. */
  readonly pad: "start" | "end" | null;
  /** The most steps, where the model leaves the length open. */
  readonly length: number | null;
  /** For lists of structs: the fields that make up a step. */
  readonly fields: readonly string[] | null;
  readonly span: Span | null;
}

export const scaleNames = ["standard", "log", "symlog"] as const;
export type ScaleName = (typeof scaleNames)[number];

export type CategoryMapping =
  /** The training rows' categories by frequency, from id 1; 0 stands for all others. */
  | { readonly kind: "learn"; readonly most: number | null }
  | { readonly kind: "hash" }
  /** The column holds ids. */
  | { readonly kind: "ids" }
  /** Ids from 0 in this order. */
  | { readonly kind: "list"; readonly values: readonly string[] };

/** The name of the rows that no split holds out. */
export const trainSplit = "train";
