import type { Readable, Writable } from "node:stream";

/** What a command may touch of the outside world; tests pass their own. */
export interface Io {
  /** The terminal of a person who can be asked; null, or absent, when there is none. */
  readonly openTerminal?: () => Terminal | null;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly readStdin: () => Promise<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Terminal {
  readonly input: Readable;
  readonly output: Writable;
}

export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Width in columns; null when not a terminal. */
  readonly columns: number | null;
  /** Height in lines; null or absent where it is not known. */
  readonly rows?: number | null;
}

/** Whether to colour: NO_COLOR wins, then FORCE_COLOR, then whether this output is a terminal that understands it. */
export function wantsColour(output: Output, env: Io["env"]): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "") return env.FORCE_COLOR !== "0";
  return output.isTerminal && env.TERM !== "dumb";
}

export const exitCodes = { clean: 0, findings: 1, usage: 2, internal: 70, interrupted: 130 } as const;

/** Ends a command with a message for the user; never a bug of plec. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = exitCodes.usage) {
    super(message);
    this.exitCode = exitCode;
  }
}
