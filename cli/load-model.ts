import { readFileSync, statSync } from "node:fs";
import { type CheckedFile, checkFile } from "../compiler/driver.ts";
import type { CheckedModel } from "../compiler/model.ts";
import { describeTally, printFindings, tally } from "./findings.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { reading } from "./spec-files.ts";

/**
 * The model of a spec: the only one, or the one named. Findings go to standard error, warnings included.
 *
 * @throws CommandError when the spec has errors (exit code 1), or does not have the model (2)
 */
export function loadModel(path: string, name: string | undefined, io: Io): CheckedModel {
  return chooseModel(checkSpec(path), name, io);
}

/** @throws CommandError for a path that is no file that can be read */
export function checkSpec(path: string): CheckedFile {
  reading(path, () => {
    if (statSync(path).isDirectory()) throw new CommandError(`${path} is a folder; name a .ple file`);
    readFileSync(path);
  });
  return checkFile(path);
}

/** As `loadModel`, for a spec that is checked. */
export function chooseModel({ path, diagnostics, models }: CheckedFile, name: string | undefined, io: Io): CheckedModel {
  printFindings(diagnostics, io.stderr, io);
  const counts = tally(diagnostics);
  if (counts.errors > 0) throw new CommandError(`${path}: ${describeTally(counts)}`, exitCodes.findings);
  const [first] = models;
  if (first === undefined) throw new CommandError(`${path} has no model`);
  if (name === undefined) {
    if (models.length === 1) return first;
    throw new CommandError(`${path} has ${models.length} models; choose one with --model: ${models.map((model) => model.name).join(", ")}`);
  }
  const found = models.find((model) => model.name === name);
  if (found === undefined) throw new CommandError(`${path} has no model ${name}; it has ${models.map((model) => model.name).join(", ")}`);
  return found;
}
