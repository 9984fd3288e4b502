import type { Argument, Command, Option } from "commander";
import { allCodes } from "./codes.ts";
import { exitCodes, type Io } from "./io.ts";

export type Shell = "bash" | "zsh" | "fish";

/** What may stand as an argument or as the value of an option: one of some words, a file, or anything. */
export type Completed =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "files" }
  | { readonly kind: "anything" };

export interface CommandShape {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionShape[];
  /** What its arguments are; null for a command without any. */
  readonly argument: Completed | null;
}

export interface OptionShape {
  readonly short: string | null;
  readonly long: string;
  readonly description: string;
  /** null for a flag. */
  readonly value: Completed | null;
  readonly repeatable: boolean;
}

export async function completions(shell: Shell, program: Command, io: Io): Promise<number> {
  const { bashScript, fishScript, zshScript } = await import("./completion-scripts.ts");
  const write = { bash: bashScript, zsh: zshScript, fish: fishScript }[shell];
  io.stdout.write(write(shapesOf(program)));
  return exitCodes.clean;
}

/** The commands as the parser of the command line has them; the first is plec itself. */
export function shapesOf(program: Command): readonly CommandShape[] {
  const help = program.createHelp();
  const commands = help.visibleCommands(program);
  const names = commands.map((command) => command.name());
  const shapeOf = (command: Command): CommandShape => ({
    name: command.name(),
    summary: help.subcommandDescription(command),
    options: help.visibleOptions(command).map((option) => optionShape(option, names)),
    argument: merged(command.registeredArguments.map((argument) => completedOf(argument, argument.name(), names))),
  });
  return [{ ...shapeOf(program), argument: { kind: "words", words: names } }, ...commands.map(shapeOf)];
}

function optionShape(option: Option, commands: readonly string[]): OptionShape {
  const { short, long, flags, description, required, optional, variadic, defaultValue } = option;
  return {
    short: short ?? null,
    long: long ?? short ?? flags,
    description,
    value: required || optional ? completedOf(option, /[<[]([\w-]+)/.exec(flags)?.[1] ?? "", commands) : null,
    repeatable: variadic || Array.isArray(defaultValue),
  };
}

/** Values by what they are called in the usage: files, unless it is the name of something else. */
function completedOf({ argChoices }: Option | Argument, placeholder: string, commands: readonly string[]): Completed {
  if (argChoices !== undefined) return { kind: "words", words: argChoices };
  if (placeholder === "code") return { kind: "words", words: [...allCodes().keys()] };
  if (placeholder === "command") return { kind: "words", words: commands };
  return /^(n|names?|input)$/.test(placeholder) ? { kind: "anything" } : { kind: "files" };
}

function merged(values: readonly Completed[]): Completed | null {
  const [first] = values;
  if (first === undefined) return null;
  return values.find(({ kind }) => kind === "files") ?? first;
}
