import type { Readable, Writable } from "node:stream";
import { isCancel, select, text } from "@clack/prompts";
import { CommandError, exitCodes } from "./io.ts";

/** Questions to a person at a terminal. Ctrl-C ends the command. */
export interface Prompts {
  /** `problemOf` says what is wrong with an answer, or nothing. */
  text(message: string, suggestion: string, problemOf: (answer: string) => string | undefined): Promise<string>;
  choose(message: string, choices: readonly { readonly value: string; readonly hint: string }[], suggestion: string): Promise<string>;
}

export function openPrompts({ input, output }: { readonly input: Readable; readonly output: Writable }): Prompts {
  return {
    async text(message, suggestion, problemOf) {
      const options = { message, placeholder: suggestion, defaultValue: suggestion, input, output };
      // An empty answer takes the suggestion.
      return answered(await text({ ...options, validate: (answer) => problemOf(answer || suggestion) }));
    },
    async choose(message, choices, suggestion) {
      const options = choices.map(({ value, hint }) => ({ value, label: value, hint }));
      return answered(await select({ message, options, initialValue: suggestion, maxItems: 12, input, output }));
    },
  };
}

function answered(answer: string | symbol): string {
  if (isCancel(answer) || typeof answer !== "string") throw new CommandError("cancelled; nothing was written", exitCodes.interrupted);
  return answer;
}
