import type { Diagnostic } from "./types.ts";

/** Thrown by what needs a spec without errors; the message shows each error with its source frame. */
export class SpecError extends Error {
  override readonly name = "SpecError";
  readonly diagnostics: readonly Diagnostic[];

  constructor(message: string, diagnostics: readonly Diagnostic[]) {
    super(message);
    this.diagnostics = diagnostics;
  }
}

/** Thrown for rows that do not fit the inputs of a model; the message names each row, input and problem. */
export class InputError extends Error {
  override readonly name = "InputError";
  readonly diagnostics: readonly Diagnostic[];

  constructor(message: string, diagnostics: readonly Diagnostic[]) {
    super(message);
    this.diagnostics = diagnostics;
  }
}

/** Thrown for a model that cannot be opened: no file of plec's, another model than the types were generated for, an engine that is not installed. */
export class ModelError extends Error {
  override readonly name = "ModelError";
}
