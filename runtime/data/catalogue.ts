import { type Details, type Diagnostic, defineCatalogue, makeDiagnostic, type Placeholders } from "../../dsl/diagnostic.ts";
import type { Span } from "../../dsl/source.ts";

/** Findings about data and its mapping. Rows count from 1, a header line not included. Codes are stable. */
export const dataCatalogue = defineCatalogue({
  "data/unreadable": {
    severity: "error",
    message: "{place}: {reason}",
    why: "DuckDB reads .csv, .tsv, .parquet, .json, .jsonl and .ndjson files, those of text also as .gz.",
    help: "Check the path, which starts at the mapping's folder, and the extension; for anything else write a query.",
  },
  "data/no-column": {
    severity: "error",
    message: "{place} has no column `{column}`",
    why: "A mapping names the columns that it reads, so a misspelt name is found before training.",
    help: "Check the spelling; a CSV file names its columns in the first line.",
  },
  "data/sql": {
    severity: "error",
    message: "this SQL does not run: {reason}",
    why: "Expressions and queries are DuckDB's SQL over the columns of the source.",
    help: "Try it in the DuckDB shell: SELECT (expression) FROM 'file'.",
  },
  "data/volatile": {
    severity: "error",
    message: "`{name}` gives other values each time it is asked",
    why: "Rows are read in several passes, and again by `eval`, `predict` and `--resume`: rows would wander between those that train and those that are held out.",
    help: "Choose rows by what they hold: `{ every: 5 }`, or `hash(customer_id) % 5 = 0`.",
  },
  "data/unknown-input": {
    severity: "error",
    message: "the model has no {what} `{name}`",
    why: "The keys under `inputs` are inputs of the model, slices of them (`features.base.rfm`) or elements (`features.3`); those under `labels` are tasks.",
    help: "Check the spelling with `plec summary`.",
  },
  "data/no-input": {
    severity: "error",
    message: "nothing is mapped to input `{input}`, which the model requires",
    why: "Only inputs whose type ends in `?` may be left out.",
    help: "Add it under `inputs`, or make it optional in the spec.",
  },
  "data/uncovered": {
    severity: "error",
    message: "{missing} of the {width} values of input `{input}` are not mapped",
    why: "A wide input may be mapped in slices and single elements, but all of it or none.",
    help: "Map the rest of it.",
  },
  "data/twice": {
    severity: "error",
    message: "this part of `{input}` is mapped twice",
    why: "Two columns for one value have no winner.",
    help: "Remove one of the two.",
  },
  "data/setting": {
    severity: "error",
    message: "{message}",
    summary: "a setting that does not go with this input or label",
    why: "Each setting belongs to a kind of input or label; one that has no effect is a mistake.",
    help: "See docs/data.md for what goes with what.",
  },
  "data/type": {
    severity: "error",
    message: "{place}: column `{column}` is {found}, and `{name}` takes {expected}",
    why: "Columns are not converted silently, except for numbers and lists that are written as text.",
    help: "Name another column, or convert it in SQL with `sql: ...`.",
  },
  "data/value": {
    severity: "error",
    message: "{place}: {value} is not {expected}",
    why: "One wrong value can spoil every gradient: nothing is repaired silently.",
    help: "Clean the value, filter the row with `where`, or convert it with `sql: ...`.",
  },
  "data/missing": {
    severity: "error",
    message: "{place}: there is no value",
    why: "Only optional inputs and labels may be missing.",
    help: "Say what stands for it with `missing: ...`, filter the rows with `where`, or make the input optional in the spec.",
  },
  "data/length": {
    severity: "error",
    message: "{place}: {found} where {expected}",
    why: "Lists fill the dims of an input exactly, unless the mapping says how to cut and to pad them.",
    help: "`keep: last` or `keep: first` cuts longer lists, `mask: INPUT` or `pad: end` fills up shorter ones.",
  },
  "data/range": {
    severity: "error",
    message: "{place}: {what} {value} is not in 0..{last}",
    why: "An id selects a row of an embedding table, a class one of the task's logits.",
    help: "Correct the value, or raise the number in the spec.",
  },
  "data/unknown-category": {
    severity: "error",
    message: "{place}: {value} is none of the categories of `{name}`",
    why: "A fixed list of categories is complete unless the mapping says which id stands for all others.",
    help: "Add it to `categories`, or give others an id with `unknown: 0`.",
  },
  "data/vocabulary": {
    severity: "error",
    message: "`{name}` has {found} categories and room for {room}",
    why: "Id 0 stands for categories that the training rows do not have; each other category takes one id of the embedding table.",
    help: "Raise the number in the input's type, keep the most frequent with `most: N`, or use `categories: hash`.",
  },
  "data/no-rows": {
    severity: "error",
    message: "{place}: there are no rows {which}",
    why: "Statistics and weights are learned on the training rows; a held-out split without rows measures nothing.",
    help: "Check `where`, `splits` and the source.",
  },
  "data/no-label": {
    severity: "warning",
    message: "task `{task}` has no label under `labels`: all of its labels are missing",
    why: "A task without labels learns nothing from its own loss.",
    help: "Map its label, or disable the task in the spec.",
  },
  "data/constant": {
    severity: "warning",
    message: "{what} of `{name}` has the same value in every training row: it is centred and not scaled",
    why: "A column without variance carries no information, and dividing by its deviation would divide by zero.",
    help: "Leave the column out, or check how it was made.",
  },
  "data/one-class": {
    severity: "warning",
    message: "all labels of task `{task}` in {split} are {value}",
    why: "With one outcome there is nothing to tell apart, and AUC is not defined.",
    help: "Check the label's expression and the split.",
  },
  "data/unordered": {
    severity: "warning",
    message: "this query has no ORDER BY",
    why: "Splits by row, the shuffle and `--resume` rely on the same order of rows each time.",
    help: "Order by a column that is unique.",
  },
  "data/statistics": {
    severity: "error",
    message: "{place}: {problem}",
    why: "Statistics belong to the mapping that they were learned with.",
    help: "Learn them again from the training data.",
  },
});

export type DataCode = keyof typeof dataCatalogue & string;

/** Adds a finding about data. */
export type ReportData = <C extends DataCode>(
  code: C,
  span: Span | null,
  values: Placeholders<(typeof dataCatalogue)[C]["message"]>,
  details?: Details,
) => void;

export function dataReporter(into: Diagnostic[]): ReportData {
  return (code, span, values, details) => {
    into.push(makeDiagnostic(dataCatalogue, code, span, values, details));
  };
}

/** Ends the reading of data; `diagnostics` are for the user. */
export class DataError extends Error {
  override readonly name = "DataError";
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map(({ code, message }) => `${code}: ${message}`).join("\n"));
    this.diagnostics = diagnostics;
  }
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some(({ severity }) => severity === "error");
}
