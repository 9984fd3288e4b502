import type { Span } from "./source.ts";

export type Severity = "error" | "warning" | "info";

/** A place that helps to understand a diagnostic, with its own source frame. */
export interface Note {
  readonly message: string;
  readonly span: Span | null;
}

/** Replace `span` by `text`; an empty span inserts. */
export interface Edit {
  readonly span: Span;
  readonly text: string;
}

/** A repair as data, applied by `plec check --fix` and offered by the editor. */
export interface Fix {
  readonly title: string;
  readonly edits: readonly Edit[];
  /** Safe fixes keep the meaning, or state the only possible one; `--fix` applies these alone. */
  readonly safe: boolean;
}

/** One finding. Codes are stable: the keys of the catalogues. */
export interface Diagnostic {
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  /** null only where there is no text to point into. */
  readonly span: Span | null;
  readonly notes: readonly Note[];
  readonly help: string | null;
  readonly fixes: readonly Fix[];
}

export interface DiagnosticDefinition {
  readonly severity: Severity;
  /** Message with `{placeholder}`s. */
  readonly message: string;
  /** What it is in general, where the message is put together by what finds it. */
  readonly summary?: string;
  /** Why this is a finding: one to three sentences for `plec explain`. */
  readonly why: string;
  /** What to do about it, in general, for `plec explain`. */
  readonly help: string;
  /** A smallest wrong example for `plec explain`, as `.ple` source. */
  readonly example?: string;
}

/** What a code says before any file is read: its message with the names of placeholders. */
export const generalMessage = ({ summary, message }: DiagnosticDefinition): string => summary ?? message;

type PlaceholdersOf<Text extends string> = Text extends `${string}{${infer Key}}${infer Rest}` ? Key | PlaceholdersOf<Rest> : never;

/** Values of every `{placeholder}` of a message, by name. */
export type Placeholders<Text extends string> = { readonly [K in PlaceholdersOf<Text>]: string | number };

/** Declares a catalogue while keeping the literal messages, so that `report` checks the placeholders. */
export function defineCatalogue<const T extends Record<string, DiagnosticDefinition>>(entries: T): T {
  return entries;
}

export interface Details {
  readonly notes?: readonly Note[];
  readonly help?: string | null;
  readonly fixes?: readonly Fix[];
}

/** A message with the values of its placeholders. */
export function fillMessage<M extends string>(message: M, values: Placeholders<M>): string {
  const lookup = values as Record<string, string | number>;
  return message.replace(/\{(\w+)\}/g, (_, key: string) => String(lookup[key]));
}

/** Makes a diagnostic of a catalogue; the placeholders of the message are checked by the compiler. */
export function makeDiagnostic<T extends Record<string, DiagnosticDefinition>, C extends keyof T & string>(
  catalogue: T,
  code: C,
  span: Span | null,
  values: Placeholders<T[C]["message"]>,
  details: Details = {},
): Diagnostic {
  const definition = catalogue[code] as DiagnosticDefinition;
  return {
    code,
    severity: definition.severity,
    message: fillMessage(definition.message, values),
    span,
    notes: details.notes ?? [],
    help: details.help ?? null,
    fixes: details.fixes ?? [],
  };
}
