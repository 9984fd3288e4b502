import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import type { RunDescription, RunRecord } from "./records.ts";
import { isUnfinished, removeUnfinished, replaceFile } from "./replace-file.ts";
import { requireFields } from "./require-fields.ts";
import { lockName } from "./run-lock.ts";

/** What is read of a description without asking whether it is there. */
const descriptionFields = {
  version: "number",
  spec: "string",
  model: "string",
  hash: "string",
  engine: "string",
  seed: "number",
  started: "string",
  batch: "number",
  parameters: "number",
  rows: "object",
  tasks: "list",
  phases: "list",
} as const;

/** The folder of a run: `run.json`, `metrics.jsonl`, the spec as it was, and checkpoints. */
export class RunFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Whether a run was begun here. */
  get isRun(): boolean {
    return existsSync(this.#descriptionPath);
  }

  get isInTheWay(): boolean {
    return existsSync(this.path) && !statSync(this.path).isDirectory();
  }

  /** Something that is in the way of a new run, other than what a killed process left half written; null for a folder that is not there or empty. */
  get firstItem(): string | null {
    return existsSync(this.path) ? (readdirSync(this.path).find((name) => !isUnfinished(name) && name !== lockName) ?? null) : null;
  }

  get #descriptionPath(): string {
    return join(this.path, "run.json");
  }

  get metricsPath(): string {
    return join(this.path, "metrics.jsonl");
  }

  /** The spec that was trained, below this folder, with all that it imports. */
  specPath({ spec }: RunDescription): string {
    return join(this.path, "spec", spec);
  }

  /** Begins a run: from the first file on it is one, that `--resume` begins again. @param specs  absolute paths of the spec and what it imports */
  create(description: RunDescription, specs: SpecFiles): void {
    this.describe(description);
    mkdirSync(join(this.path, "checkpoints"), { recursive: true });
    for (const file of specs.files) {
      const target = join(this.path, "spec", relative(specs.root, file));
      mkdirSync(dirname(target), { recursive: true });
      copyFileSync(file, target);
    }
    writeFileSync(this.metricsPath, "");
  }

  describe(description: RunDescription): void {
    replaceFile(this.#descriptionPath, `${JSON.stringify(description, null, 2)}\n`);
  }

  /** @throws SyntaxError for a file that describes no run, and errors of the file system */
  description(): RunDescription {
    return requireFields(JSON.parse(readFileSync(this.#descriptionPath, "utf8")) as RunDescription, descriptionFields);
  }

  /** Puts the metrics back to where a checkpoint was made, and clears away what a killed process left. */
  rewind(metricsBytes: number): void {
    if (!existsSync(this.metricsPath)) writeFileSync(this.metricsPath, "");
    truncateSync(this.metricsPath, Math.min(metricsBytes, statSync(this.metricsPath).size));
    removeUnfinished(this.path);
    const checkpoints = join(this.path, "checkpoints");
    if (existsSync(checkpoints)) removeUnfinished(checkpoints);
  }

  /** @throws SyntaxError for a line that is no JSON, and errors of the file system */
  records(): readonly RunRecord[] {
    const text = existsSync(this.metricsPath) ? readFileSync(this.metricsPath, "utf8") : "";
    return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as RunRecord]));
  }

  append(record: RunRecord): void {
    appendFileSync(this.metricsPath, `${JSON.stringify(record)}\n`);
  }

  get metricsBytes(): number {
    return statSync(this.metricsPath).size;
  }
}

/** Files of a spec below the folder that holds all of them. */
export interface SpecFiles {
  readonly root: string;
  readonly files: readonly string[];
  /** The spec's own path below the root. */
  readonly spec: string;
}

/** @param entry  the spec    @param dependencies  absolute paths that it depends on, there or not    @param library  the folder of the library, which every plec has */
export function specFiles(entry: string, dependencies: readonly string[], library: string): SpecFiles {
  const inLibrary = (path: string) => !relative(library, path).startsWith("..");
  const isFile = (path: string) => existsSync(path) && statSync(path).isFile();
  const files = [...new Set([resolve(entry), ...dependencies.map((path) => resolve(path))])].filter(
    (path) => isFile(path) && !inLibrary(path),
  );
  let root = dirname(resolve(entry));
  while (files.some((file) => !file.startsWith(root.endsWith(sep) ? root : root + sep))) root = dirname(root);
  return { root, files, spec: relative(root, resolve(entry)) };
}
