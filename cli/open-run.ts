import { libraryFolder } from "../compiler/library-folder.ts";
import type { CheckedModel } from "../compiler/model.ts";
import { closest } from "../dsl/suggest.ts";
import type { DataContract } from "../runtime/data/contract.ts";
import type { Dataset } from "../runtime/data/dataset.ts";
import { trainSplit } from "../runtime/data/mapping.ts";
import {
  CheckpointError,
  type CheckpointName,
  checkpointPath,
  readCheckpoint,
  requireCheckpointOf,
  type StoredCheckpoint,
} from "../runtime/runs/checkpoint.ts";
import type { RunDescription } from "../runtime/runs/records.ts";
import { RunFolder } from "../runtime/runs/run-folder.ts";
import { describeTally, printFindings, tally } from "./findings.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { checkSpec } from "./load-model.ts";
import { loadMapping, openData } from "./open-data.ts";

/** A run with the model that it trained, as it was then, and one of its checkpoints. */
export interface OpenRun {
  readonly path: string;
  readonly description: RunDescription;
  readonly model: CheckedModel;
  readonly stored: StoredCheckpoint;
  readonly checkpoint: CheckpointName;
}

/** @throws CommandError for a folder that is no run, and one without the checkpoint */
export function openRun(path: string, checkpoint: CheckpointName, io: Io): OpenRun {
  const folder = new RunFolder(path);
  if (!folder.isRun) throw new CommandError(`${path} is no run of \`plec train\`: it has no run.json`);
  try {
    const description = folder.description();
    const model = modelOf(folder, description, io);
    const stored = readCheckpoint(path, checkpoint);
    if (stored === null)
      throw new CommandError(`${path} has no checkpoint \`${checkpoint}\`${checkpoint === "best" ? ": no epoch is finished yet" : ""}`);
    requireCheckpointOf(stored, model, checkpointPath(path, checkpoint));
    return { path, description, model, stored, checkpoint };
  } catch (error) {
    if (error instanceof CheckpointError) throw new CommandError(error.message, exitCodes.findings);
    if (error instanceof SyntaxError) throw new CommandError(`${path}/run.json is broken: ${error.message}`, exitCodes.findings);
    throw error;
  }
}

function modelOf(folder: RunFolder, description: RunDescription, io: Io): CheckedModel {
  const spec = folder.specPath(description);
  const { diagnostics, models } = checkSpec(spec);
  const counts = tally(diagnostics);
  if (counts.errors > 0) {
    printFindings(diagnostics, io.stderr, io);
    throw new CommandError(`${spec}: ${describeTally(counts)}`, exitCodes.findings);
  }
  const model = models.find(({ name }) => name === description.model);
  if (model === undefined) throw new CommandError(`${spec} has no model ${description.model}`, exitCodes.findings);
  if (model.hash === description.hash) return model;
  const reason = `it was trained by plec ${description.plec} with another library than the one in ${libraryFolder()}, or its spec was changed`;
  throw new CommandError(`${folder.path}: the model is not the one that was trained: ${reason}`, exitCodes.findings);
}

/** The name of all rows of a file that is named by itself. */
const wholeFile = "all";

/** Data for a run, prepared as its training rows were: rows of a mapping, or all rows of data files. */
export interface RunData {
  readonly data: Dataset;
  /** Splits to read, with the names to show: the one asked for, or those that are held out, or all rows. */
  readonly splits: readonly { readonly name: string; readonly shown: string }[];
}

/**
 * Opens data for a run.
 *
 * @param given  a mapping, of which source, `where` and splits are taken, or a data file
 */
export async function openRunData(
  run: OpenRun,
  contract: DataContract,
  given: string,
  split: string | undefined,
  io: Io,
): Promise<RunData> {
  const { mapping, statistics } = run.stored.checkpoint.preparation;
  const prepared = contract.labels.length === 0 ? { ...mapping, labels: [] } : mapping;
  if (!/\.ya?ml$/i.test(given)) {
    if (split !== undefined) throw new CommandError(`--split goes with a mapping; all rows of ${given} are taken`);
    const data = await openData(
      contract,
      { path: given, mapping: { ...prepared, where: null, splits: [] }, folder: "." },
      { statistics, files: [given] },
      io,
    );
    return { data, splits: [{ name: trainSplit, shown: wholeFile }] };
  }
  const { mapping: rows, folder } = loadMapping(given, io);
  const { source, where, splits } = rows;
  const data = await openData(contract, { path: given, mapping: { ...prepared, source, where, splits }, folder }, { statistics }, io);
  const names = data.splits.map(({ name }) => name);
  if (split !== undefined && !names.includes(split)) {
    data.close();
    const near = closest(split, names);
    throw new CommandError(`${given} has no split ${split}; ${near === null ? `it has ${names.join(", ")}` : `did you mean ${near}?`}`);
  }
  const held = names.filter((name) => name !== trainSplit);
  const chosen = split !== undefined ? [split] : held.length > 0 ? held : names;
  return { data, splits: chosen.map((name) => ({ name, shown: name })) };
}
