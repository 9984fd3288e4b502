import { existsSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";
import { plainDiagnostic } from "../api/diagnostics.ts";
import { checkSource } from "../compiler/driver.ts";
import { importConfig } from "../compiler/import/import-config.ts";
import { readText } from "../compiler/read-text.ts";
import type { Diagnostic } from "../dsl/diagnostic.ts";
import { Source } from "../dsl/source.ts";
import { writeFileAtomically } from "./atomic-write.ts";
import { describeTally, printFindings, tally } from "./findings.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { reading } from "./spec-files.ts";

interface ImportOptions {
  readonly output: string;
  readonly features?: string;
  readonly name: string;
  readonly maxWarnings?: number;
  readonly json?: boolean;
}

export async function importSpec(config: string, options: ImportOptions, io: Io): Promise<number> {
  if (!/^[A-Za-z_]\w*$/.test(options.name)) throw new CommandError(`--name ${options.name} is no name: letters, digits and _`);
  const prints = options.output === "-";
  if (prints && options.json === true) throw new CommandError("-o - and --json both print; name a file to write");
  const source = open(config);
  const { features } = options;
  const folder = prints ? process.cwd() : dirname(resolve(options.output));
  if (!existsSync(folder)) throw new CommandError(`there is no folder ${folder} to write into`);
  const schema = features === undefined ? null : { source: open(features), path: pathFrom(folder, features) };
  const { text, diagnostics } = importConfig(source, { schema, modelName: options.name });
  const checked = text === null ? [] : checkSource(prints ? "imported.ple" : options.output, text).diagnostics;
  const all = [...diagnostics, ...checked];
  const counts = tally(all);
  const written = text !== null && counts.errors === 0 && counts.warnings <= (options.maxWarnings ?? Number.POSITIVE_INFINITY);
  if (written && !prints) await writeFileAtomically(options.output, [text]);
  if (options.json === true) io.stdout.write(`${JSON.stringify(toJson(options.output, written, all), null, 2)}\n`);
  else {
    printFindings(all, io.stderr, io);
    if (written && prints) io.stdout.write(text);
    else io.stdout.write(`${options.output}: ${written ? "written" : "not written"}, ${describeTally(counts)}\n`);
  }
  return written ? exitCodes.clean : exitCodes.findings;
}

function open(path: string): Source {
  return reading(path, () => new Source(path, readText(path)));
}

/** The path of a file as a spec in `folder` names it. */
const pathFrom = (folder: string, file: string): string => relative(folder, resolve(file)).split(sep).join("/");

function toJson(output: string, written: boolean, diagnostics: readonly Diagnostic[]): object {
  const withCode = (code: string) => diagnostics.filter((found) => found.code === code).length;
  return {
    version: 1,
    output,
    written,
    notCarried: withCode("config/not-carried"),
    assumed: withCode("config/assumed"),
    diagnostics: diagnostics.map(plainDiagnostic),
  };
}
