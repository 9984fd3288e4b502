import { type Details, type Diagnostic, defineCatalogue, makeDiagnostic, type Placeholders } from "../../dsl/diagnostic.ts";
import type { Span } from "../../dsl/source.ts";

/** Findings in YAML files: feature schemas and configurations to import. Codes are stable. */
export const yamlCatalogue = defineCatalogue({
  "yaml/syntax": {
    severity: "error",
    message: "{message}",
    summary: "a file that is not YAML of one document",
    why: "The file is not YAML 1.2 of one document: a key stands twice, an indentation or a bracket is wrong, or an anchor is missing.",
    help: "Correct the YAML; the frame shows where its parser stopped.",
  },
  "yaml/too-large": {
    severity: "error",
    message: "{what}",
    why: "The size of a file, its nesting and what its aliases unfold to are limited, so that no input can exhaust the memory of the compiler.",
    help: "Split the file, or write fewer aliases of aliases.",
  },
  "yaml/type": {
    severity: "error",
    message: "{what} must be {expected}, not {found}",
    why: "Every key takes one kind of value; nothing is converted silently.",
    help: "Write a value of the stated kind. In YAML 1.2 the booleans are `true` and `false`; `yes` and `on` are text.",
  },
  "yaml/unknown-key": {
    severity: "error",
    message: "{what} has no key `{key}`",
    why: "Keys are a fixed list, so that a misspelt one is found.",
    help: "Check the spelling.",
  },
  "yaml/missing-key": {
    severity: "error",
    message: "{what} has no `{key}`",
    why: "Nothing stands for a value that is not given.",
    help: "Add the key.",
  },
  "schema/no-input": {
    severity: "error",
    message: "`{path}` has no columns for an input `{input}`",
    why: "The keys at the top of a feature schema are names of inputs; each lists the groups of columns of one.",
    help: "Name the key after the input, or the input after the key.",
  },
  "schema/name": {
    severity: "error",
    message: '"{name}" cannot name {what}',
    why: "Groups and columns are read by name in a spec (`features.base.rfm`), so their names are made of the letters A-Z and a-z, digits and `_`, and do not begin with a digit.",
    help: "Rename it; what people read can stand in `doc`.",
  },
  "schema/width": {
    severity: "error",
    message: "{message}",
    summary: "a width of a feature schema that does not add up",
    why: "The groups of a schema partition the columns: a stated width is proven against what stands inside.",
    help: "Correct the width, or what it adds up.",
  },
  "schema/dtype": {
    severity: "error",
    message: "input `{input}` is {stated} in the spec and {found} in the schema",
    why: "The schema says what the columns hold; a type stated in the spec is a claim about them.",
    help: "Correct one of the two.",
  },
});

export type YamlCode = keyof typeof yamlCatalogue;

/** A finding in a YAML file; the compiler checks that every placeholder of the message has a value. */
export function yamlFinding<C extends YamlCode>(
  code: C,
  span: Span | null,
  values: Placeholders<(typeof yamlCatalogue)[C]["message"]>,
  details: Details = {},
): Diagnostic {
  return makeDiagnostic(yamlCatalogue, code, span, values, details);
}
