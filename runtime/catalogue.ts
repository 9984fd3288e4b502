import { type Details, type Diagnostic, defineCatalogue, makeDiagnostic, type Placeholders } from "../dsl/diagnostic.ts";

/** Findings about batches of inputs. Their place is in the message: a file, a row (from 1) and a column. */
export const inputCatalogue = defineCatalogue({
  "input/unreadable": {
    severity: "error",
    message: "{place}: {reason}",
    why: "A batch is JSON (an array of row objects, or an object of arrays) or CSV with a header line.",
    help: "Check the file; its extension says how it is read: .json or .csv.",
  },
  "input/empty": {
    severity: "error",
    message: "{place}: there are no rows",
    why: "Predictions are made for rows, and a batch without any has no answer.",
    help: "Give at least one row, or let `--generate N` make some.",
  },
  "input/unknown-column": {
    severity: "error",
    message: "{place}: no input of the model is called `{column}`",
    why: "A column names an input, a slice of one (`features.base.rfm`) or an element of one (`features.3`). A column that nothing reads is a misspelling more often than not.",
    help: "Check the spelling with `plec summary`, or remove the column.",
  },
  "input/missing": {
    severity: "error",
    message: "{place}: input `{input}` is required and missing",
    why: "Only inputs whose type ends in `?` may be missing; to guess a value for another would make a prediction about nobody.",
    help: "Add the column, or make the input optional in the spec.",
  },
  "input/uncovered": {
    severity: "error",
    message: "{place}: {missing} of the {width} values of input `{input}` are not given, the first being `{first}`",
    why: "A wide input may be given in slices and single elements, but all of it or none: zeros in place of forgotten columns would go unnoticed.",
    help: "Add the columns that are missing.",
  },
  "input/twice": {
    severity: "error",
    message: "{place}: this value of input `{input}` is given by another column too",
    why: "Two columns that cover the same element have no winner.",
    help: "Remove one of the two.",
  },
  "input/width": {
    severity: "error",
    message: "{place}: {found} values where {expected} are expected",
    why: "The widths of an input are part of the model.",
    help: "Compare with `plec summary`, which lists every input with its slices and their widths.",
  },
  "input/ragged": {
    severity: "error",
    message: "{place}: {problem}",
    why: "A tensor is rectangular: rows of one batch have the same lengths in every dimension.",
    help: "Pad the shorter rows, or run them in batches of their own.",
  },
  "input/not-a-number": {
    severity: "error",
    message: "{place}: {value} is not {expected}",
    why: "NaN and infinities spread through every layer to every prediction, and text has no place in a tensor.",
    help: "Clean the value, or leave it out if the input is optional.",
  },
  "input/id-range": {
    severity: "error",
    message: "{place}: id {value} is not in 0..{last}",
    why: "An id selects a row of an embedding table, which has as many rows as the input's type says.",
    help: "Map ids to 0, 1, 2, ... or raise the number in the input's type, as in `id[B] of 20`.",
  },
});

/** Adds a finding about a place in a batch. */
export type ReportInput = <C extends keyof typeof inputCatalogue & string>(
  code: C,
  values: Placeholders<(typeof inputCatalogue)[C]["message"]>,
  details?: Details,
) => void;

export function inputReporter(into: Diagnostic[]): ReportInput {
  return (code, values, details) => {
    into.push(makeDiagnostic(inputCatalogue, code, null, values, details));
  };
}
