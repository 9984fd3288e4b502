import { defineCatalogue, type Details, type Diagnostic, makeDiagnostic, type Placeholders } from "./diagnostic.ts";
import type { Span } from "./source.ts";

/** Findings of the lexer and the parser. */
export const syntaxCatalogue = defineCatalogue({
  "syntax/stray": {
    severity: "error",
    message: "{found} has no meaning here",
    why: "A `.ple` file is made of names, numbers, strings, comments and the marks of the grammar in docs/language.md.",
    help: "Remove it; the help of the finding names what is usually meant.",
    example: "model M { const a = 1 && 2 }",
  },
  "syntax/open-string": {
    severity: "error",
    message: "this string is not closed on its line",
    why: "A string begins and ends with a double quote on one line.",
    help: 'Close it with `"`; write a line end in it as `\\n`.',
    example: 'import { Tower } from "std/layers',
  },
  "syntax/escape": {
    severity: "error",
    message: "`{escape}` is no escape",
    why: 'Strings know `\\"`, `\\\\`, `\\n` and `\\t`.',
    help: "Write `\\\\` for a backslash.",
  },
  "syntax/number": {
    severity: "error",
    message: "{number} is beyond what a number can hold",
    why: "Whole numbers are exact up to 2^53, and floats reach 1.8e308.",
    help: "Use a smaller number.",
  },
  "syntax/expected": {
    severity: "error",
    message: "expected {expected}, found {found}",
    why: "The text does not follow the grammar in docs/language.md.",
    help: "Compare with the examples in docs/language.md.",
    example: "model M { input x f32[B, 4] }",
  },
  "syntax/too-deep": {
    severity: "error",
    message: "{what} nest more than {limit} deep",
    why: "No spec that a person reads is nested like this; the limit keeps hostile input from exhausting memory.",
    help: "Give parts names with `let`.",
  },
  "syntax/too-large": {
    severity: "error",
    message: "the file has {size}, and plec reads up to {limit}",
    why: "A spec is read by people; a file of this size was not written by one.",
    help: "Split it by imports.",
  },
});

export type SyntaxCode = keyof typeof syntaxCatalogue;

/** A finding of the front end. */
export function syntaxFinding<C extends SyntaxCode>(code: C, span: Span | null, values: Placeholders<(typeof syntaxCatalogue)[C]["message"]>, details: Details = {}): Diagnostic {
  return makeDiagnostic(syntaxCatalogue, code, span, values, details);
}
