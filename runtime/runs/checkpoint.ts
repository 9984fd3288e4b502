import { existsSync } from "node:fs";
import { join } from "node:path";
import type { CheckedModel } from "../../compiler/model.ts";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { type Preparation, preparationFromJson, preparationToJson } from "../data/statistics.ts";
import { makeTensor } from "../engine.ts";
import { bytesOfFile } from "../file-bytes.ts";
import { checkpointKey, placeTensors, SafetensorsError, writeSafetensors } from "../safetensors.ts";
import type { EarlyStoppingProgress } from "../training/early-stopping.ts";
import type { State } from "../training/state.ts";
import { replaceFile } from "./replace-file.ts";

/** Where a run stands, beside its tensors. */
export interface Progress {
  /** The phase of the plan, from 0. */
  readonly phase: number;
  /** The epoch under way or about to begin, counted over all phases. */
  readonly epoch: number;
  /** The next batch of that epoch. */
  readonly batch: number;
  /** Batches trained on, over all epochs. */
  readonly step: number;
  /** Nothing has improved for long enough: the phase is over before its epochs are. */
  readonly stopped: boolean;
  readonly early: EarlyStoppingProgress;
  /** The lowest loss of all epochs, and where it was. */
  readonly best: { readonly epoch: number; readonly loss: number } | null;
  /** Sums of the terms of the epoch so far, with how often each came. */
  readonly sums: Readonly<Record<string, readonly [sum: number, count: number]>>;
  /** How much of the plan's timeline was told. */
  readonly told: number;
  /** Bytes of metrics.jsonl that belong to it. */
  readonly metricsBytes: number;
}

/** All that training goes on from, and that predictions need: it stands in the metadata of the tensors' file, and for people in a JSON file beside it. */
export interface Checkpoint {
  readonly version: 1;
  readonly plec: string;
  readonly model: string;
  /** sha256 of the model's sources. */
  readonly hash: string;
  readonly engine: string;
  readonly seed: number;
  readonly progress: Progress;
  /** The mapping with its statistics; without places in the source. */
  readonly preparation: Preparation;
}

export type CheckpointName = "last" | "best";

/** A checkpoint that cannot be read or does not belong to the model; the message is for the user. */
export class CheckpointError extends Error {
  override readonly name = "CheckpointError";
}

export function checkpointPath(run: string, name: CheckpointName): string {
  return join(run, "checkpoints", `${name}.safetensors`);
}

/**
 * Replaces a checkpoint in one step: whoever reads sees the old one or the new one, whatever happens meanwhile.
 *
 * @throws errors of the file system; the old checkpoint is there then as it was
 */
export function writeCheckpoint(run: string, names: readonly CheckpointName[], checkpoint: Checkpoint, state: State): void {
  const tensors = new Map(
    [...state].flatMap(([name, { dtype, shape, data }]) => (dtype === "f32" ? [[name, { shape, data }] as const] : [])),
  );
  const preparation = JSON.parse(preparationToJson(checkpoint.preparation)) as unknown;
  const text = JSON.stringify({ ...checkpoint, preparation });
  const bytes = writeSafetensors({ tensors, metadata: { [checkpointKey]: text } });
  const shown = `${JSON.stringify(JSON.parse(text), null, 2)}\n`;
  for (const name of names) {
    const path = checkpointPath(run, name);
    replaceFile(path, bytes);
    replaceFile(path.replace(/\.safetensors$/, ".json"), shown);
  }
}

export interface StoredCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly state: State;
}

/** Reads a checkpoint of a run; null where there is none. @throws CheckpointError for one that is broken, and errors of the file system */
export function readCheckpoint(run: string, name: CheckpointName): StoredCheckpoint | null {
  const path = checkpointPath(run, name);
  if (!existsSync(path)) return null;
  try {
    const { tensors, metadata } = placeTensors(bytesOfFile(path));
    const text = metadata[checkpointKey];
    if (text === undefined) throw new CheckpointError(`${path} holds weights and no checkpoint`);
    const checkpoint = parseCheckpoint(path, text);
    const state = new Map([...tensors].map(([key, { shape, read }]) => [key, makeTensor("f32", shape, read())] as const));
    return { checkpoint, state };
  } catch (error) {
    if (!(error instanceof SafetensorsError) && !(error instanceof SyntaxError)) throw error;
    throw new CheckpointError(`${path} is broken: ${error.message}`);
  }
}

/** The mapping and statistics that came with trained weights; null for weights without. @throws CheckpointError, SafetensorsError */
export function preparationOf(path: string): Preparation | null {
  const text = placeTensors(bytesOfFile(path)).metadata[checkpointKey];
  return text === undefined ? null : parseCheckpoint(path, text).preparation;
}

/** Past the version, the layout is what writeCheckpoint wrote. */
function parseCheckpoint(path: string, text: string): Checkpoint {
  const stored = JSON.parse(text) as Omit<Checkpoint, "preparation"> & { readonly preparation: unknown };
  if (stored.version !== 1) throw new CheckpointError(`${path} is of version ${String(stored.version)}, which this plec does not know`);
  const diagnostics: Diagnostic[] = [];
  const preparation = preparationFromJson(path, JSON.stringify(stored.preparation), diagnostics);
  if (preparation === null) throw new CheckpointError(diagnostics.map(({ message }) => message).join("; "));
  return { ...stored, preparation };
}

/** @throws CheckpointError when the checkpoint is of another model or of another version of it */
export function requireCheckpointOf(
  { checkpoint: { model: name, hash }, state }: StoredCheckpoint,
  model: CheckedModel,
  path: string,
): void {
  if (name !== model.name) throw new CheckpointError(`${path} is of the model ${name}, not of ${model.name}`);
  if (hash !== model.hash)
    throw new CheckpointError(`${path} is of another version of ${model.name}: the spec, or a file that it imports, has changed since`);
  for (const { name: param } of model.parameters)
    if (!state.has(`param/${param}`)) throw new CheckpointError(`${path} lacks the parameter ${param}`);
}

/** Whether two preparations read the same columns in the same way. */
export function sameMapping(a: Preparation, b: Preparation): boolean {
  const textOf = ({ mapping }: Preparation) => preparationToJson({ mapping, statistics: { rows: 0, moments: {}, vocabularies: {} } });
  return textOf(a) === textOf(b);
}
