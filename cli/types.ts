import { existsSync, readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { CheckedFile } from "../compiler/driver.ts";
import { writeFileAtomically } from "./atomic-write.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { checkSpec, chooseModel } from "./load-model.ts";
import { reading } from "./spec-files.ts";
import { plecVersion } from "./version.ts";

interface TypesOptions {
  readonly output?: string;
  readonly model?: string;
  readonly check?: boolean;
  readonly watch?: boolean;
  readonly json?: boolean;
}

/** What one generation did to the file. */
type Outcome = "written" | "unchanged" | "outdated";

export async function types(spec: string, options: TypesOptions, io: Io): Promise<number> {
  const output = options.output === "-" ? undefined : options.output;
  if (output === undefined) {
    for (const option of ["check", "watch", "json"] as const) {
      if (options[option] === true) throw new CommandError(`--${option} needs the file: name it with -o FILE`);
    }
    io.stdout.write((await generate(checkSpec(spec), options, io)).text);
    return exitCodes.clean;
  }
  return options.watch === true ? watch(spec, output, options, io) : update(checkSpec(spec), output, options, io);
}

async function generate(checked: CheckedFile, options: TypesOptions, io: Io) {
  const model = chooseModel(checked, options.model, io);
  const { emitTypes } = await import("../compiler/emit/types.ts");
  return { model, text: emitTypes(model, { spec: checked.path, version: plecVersion() }) };
}

/** Brings the file up to date, or says whether it is; gives the exit code. */
async function update(checked: CheckedFile, output: string, options: TypesOptions, io: Io): Promise<number> {
  const { model, text } = await generate(checked, options, io);
  const before = existsSync(output) ? reading(output, () => readFileSync(output, "utf8")) : null;
  // A checkout may have turned line ends into those of its system.
  const outcome: Outcome = before?.replaceAll("\r\n", "\n") === text ? "unchanged" : options.check === true ? "outdated" : "written";
  if (outcome === "written") await writeFileAtomically(output, [text]);
  if (options.json === true) {
    io.stdout.write(`${JSON.stringify({ version: 1, spec: checked.path, output, model: model.name, hash: model.hash, outcome })}\n`);
  } else {
    const outdated = `${before === null ? "missing" : "out of date"}; write it with \`plec types ${checked.path} -o ${output}\``;
    io.stdout.write(`${output}: ${{ written: "written", unchanged: "up to date", outdated }[outcome]}\n`);
  }
  return outcome === "outdated" ? exitCodes.findings : exitCodes.clean;
}

/** Milliseconds between two looks at the files: looking sees every kind of change on every file system, and missing files that appear. */
const interval = 150;

/** Updates now and after each change of the spec or of what it imports, until Ctrl-C. What is wrong in a spec is said, and waited out. */
async function watch(spec: string, output: string, options: TypesOptions, io: Io): Promise<number> {
  let stopped = false;
  const stop = () => {
    stopped = true;
  };
  for (const signal of signals) process.once(signal, stop);
  let paths: readonly string[] = [resolve(spec)];
  while (!stopped) {
    // Stamped before they are read, so that no change falls between; a path that the reading finds is stamped and everything read again.
    const stamps = stampsOf(paths);
    const checked = attempt(() => checkSpec(spec));
    const known = checked.value?.dependencies ?? [resolve(spec)];
    const found = known.some((path) => !paths.includes(path));
    paths = known;
    if (found) continue;
    await report(checked, spec, output, options, io);
    while (!stopped && same(stampsOf(paths), stamps)) await sleep(interval);
    await settled(paths);
  }
  for (const signal of signals) process.off(signal, stop);
  return exitCodes.clean;
}

const signals = ["SIGINT", "SIGTERM"] as const;

/** What was checked, or the error that stood in its way. */
type Attempt = { readonly value: CheckedFile; readonly error?: undefined } | { readonly value?: undefined; readonly error: CommandError };

function attempt(check: () => CheckedFile): Attempt {
  try {
    return { value: check() };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { error };
  }
}

async function report(checked: Attempt, spec: string, output: string, options: TypesOptions, io: Io): Promise<void> {
  try {
    if (checked.error !== undefined) throw checked.error;
    await update(checked.value, output, options, io);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (options.json === true)
      io.stdout.write(`${JSON.stringify({ version: 1, spec, output, outcome: "failed", message: error.message })}\n`);
    else io.stderr.write(`plec: ${error.message}\n`);
  }
}

/** Waits until the files have stood still for an interval: an editor empties a file before it fills it. */
async function settled(paths: readonly string[]): Promise<void> {
  let before: readonly string[];
  do {
    before = stampsOf(paths);
    await sleep(interval);
  } while (!same(stampsOf(paths), before));
}

/** What differs after a change of a file, or after it appeared or went. */
function stampsOf(paths: readonly string[]): readonly string[] {
  return paths.map((path) => {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats === undefined ? "none" : `${stats.mtimeMs} ${stats.size} ${stats.ino}`;
  });
}

const same = (a: readonly string[], b: readonly string[]) => a.every((stamp, i) => stamp === b[i]);
