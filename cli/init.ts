import { existsSync, mkdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { checkSource } from "../compiler/driver.ts";
import type { CheckedModel } from "../compiler/model.ts";
import { parse } from "../dsl/parser.ts";
import { Source } from "../dsl/source.ts";
import { describeSystemError, isSystemError, writeFilesAtomically } from "./atomic-write.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { architectureNames, architectureText, describeArchitecture } from "./project/architectures.ts";
import { plecVersion } from "./version.ts";

interface InitOptions {
  readonly architecture?: string;
  readonly name?: string;
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

const defaultArchitecture = "mmoe";

export async function init(folder: string, options: InitOptions, io: Io): Promise<number> {
  const { architecture, name } = await settle(folder, options, io);
  const { spec, model } = instantiate(architecture, name);
  const { projectFiles } = await import("./project/files.ts");
  const files = projectFiles({ name, architecture, spec, model, version: plecVersion() });

  const taken = [...files.keys()].filter((path) => existsSync(join(folder, path)));
  if (taken.length > 0 && options.force !== true) {
    throw new CommandError(
      `${join(folder, taken[0] as string)} exists already${taken.length > 1 ? `, and ${taken.length - 1} more` : ""}; name another folder, or overwrite with --force`,
    );
  }
  try {
    for (const path of files.keys()) mkdirSync(dirname(join(folder, path)), { recursive: true });
  } catch (error) {
    if (isSystemError(error)) throw new CommandError(`cannot make ${folder}: ${describeSystemError(error)}`);
    throw error;
  }
  await writeFilesAtomically([...files].map(([path, text]) => ({ path: join(folder, path), chunks: [text] })));

  if (options.json === true) {
    io.stdout.write(`${JSON.stringify({ version: 1, folder, name, architecture, model: model.name, files: [...files.keys()] })}\n`);
  } else {
    for (const path of files.keys()) io.stdout.write(`  ${join(folder, path)}\n`);
    io.stdout.write(
      `\nA ${architecture} model, ${model.name}. Next:\n\n${folder === "." ? "" : `  cd ${folder}\n`}  npm install\n  npm test\n`,
    );
  }
  return exitCodes.clean;
}

/** The architecture and the name: from options, from a person at the terminal, or the defaults where `--yes` accepts them. */
async function settle(folder: string, options: InitOptions, io: Io): Promise<{ readonly architecture: string; readonly name: string }> {
  const suggested = options.name ?? packageName(basename(resolve(folder)));
  const problem = problemOfName(suggested);
  if (options.name !== undefined && problem !== undefined) throw new CommandError(`--name ${options.name}: ${problem}`);
  const missing = options.yes !== true && (options.architecture === undefined || options.name === undefined);
  const terminal = missing ? (io.openTerminal?.() ?? null) : null;
  if (terminal === null) {
    if (options.yes !== true && options.architecture === undefined) {
      throw new CommandError(
        `name an architecture with --architecture, or accept ${defaultArchitecture} with --yes; there are ${architectureNames().join(", ")}`,
      );
    }
    if (problem !== undefined) throw new CommandError(`name the project with --name: ${suggested} cannot be one, as ${problem}`);
    return { architecture: options.architecture ?? defaultArchitecture, name: suggested };
  }
  const { openPrompts } = await import("./prompts.ts");
  const prompts = openPrompts(terminal);
  const choices = architectureNames().map((value) => ({ value, hint: describeArchitecture(value) }));
  const architecture = options.architecture ?? (await prompts.choose("Which architecture?", choices, defaultArchitecture));
  return { architecture, name: options.name ?? (await prompts.text("What is the project called?", suggested, problemOfName)) };
}

/** A name that npm takes, near to that of a folder. */
function packageName(folder: string): string {
  return (
    folder
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]+/g, "-")
      .replaceAll(/^[^a-z]+|-+$/g, "") || "model"
  );
}

function problemOfName(name: string): string | undefined {
  if (/^[a-z][a-z0-9_-]{0,99}$/.test(name)) return undefined;
  return "a name starts with a small letter, and has small letters, digits, - and _";
}

/** The spec of an architecture with its model renamed after the project: `churn-model` has `ChurnModel`. */
function instantiate(architecture: string, name: string): { readonly spec: string; readonly model: CheckedModel } {
  const text = architectureText(architecture);
  const { file } = parse(new Source(architecture, text));
  const declared = file.items.find((item) => item.kind === "Model");
  if (declared === undefined) throw new Error(`${architecture} has no model`);
  const modelName = name.replaceAll(/(?:^|[-_])([a-z0-9]?)/g, (_, first: string) => first.toUpperCase());
  const { start, end } = declared.name.span;
  const spec = text.slice(0, start) + modelName + text.slice(end);
  const [model] = checkSource("model.ple", spec).models;
  if (model === undefined) throw new Error(`${architecture} does not check as ${modelName}`);
  return { spec, model };
}
