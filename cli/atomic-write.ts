import { chmodSync, existsSync, realpathSync, rmSync, statSync } from "node:fs";
import { mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { CommandError, exitCodes } from "./io.ts";

const unfinished = new Set<string>();
let counter = 0;

/** Temporary files of writes under way, for tests. */
export function unfinishedWrites(): readonly string[] {
  return [...unfinished];
}

export interface FileToWrite {
  readonly path: string;
  readonly chunks: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;
}

/**
 * Replaces a file in one step: the chunks go to a temporary file in the same folder, which then takes the name. Whoever reads sees the old content or the
 * new one. A symbolic link stays one, and an existing file keeps its mode. While it writes, Ctrl-C removes the temporary file and exits with 130.
 *
 * @throws CommandError when the file cannot be written
 */
export async function writeFileAtomically(path: string, chunks: FileToWrite["chunks"]): Promise<void> {
  await writeFilesAtomically([{ path, chunks }]);
}

/**
 * Replaces files that belong together, each as `writeFileAtomically` does: none takes its name before all are written. They take their names in the order
 * given, so what others refer to comes first.
 */
export async function writeFilesAtomically(files: readonly FileToWrite[]): Promise<void> {
  const written: { readonly target: string; readonly temporary: string }[] = [];
  let path = "";
  try {
    for (const file of files) {
      path = file.path;
      const target = existsSync(path) ? realpathSync(path) : path;
      const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.${counter++}.tmp`);
      beginWrite(temporary);
      written.push({ target, temporary });
      await writeTemporary(temporary, file.chunks);
      if (existsSync(target)) chmodSync(temporary, statSync(target).mode & 0o7777);
    }
    for (const [index, { target, temporary }] of written.entries()) {
      path = files[index]?.path ?? target;
      await rename(temporary, target);
    }
  } catch (error) {
    for (const { temporary } of written) if (existsSync(temporary)) rmSync(temporary, { force: true });
    if (isSystemError(error)) throw new CommandError(`cannot write ${path}: ${describeSystemError(error)}`);
    throw error;
  } finally {
    for (const { temporary } of written) endWrite(temporary);
  }
}

/**
 * Replaces a file that something else writes: `write` gets the path of a temporary file in the same folder, which then takes the name.
 *
 * @throws CommandError when the file cannot take its name, and whatever `write` throws
 */
export async function replaceWrittenFile(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const target = existsSync(path) ? realpathSync(path) : path;
  const temporary = join(dirname(target), `.${process.pid}.${counter++}.tmp.${basename(target)}`);
  beginWrite(temporary);
  try {
    await write(temporary);
    if (existsSync(target)) chmodSync(temporary, statSync(target).mode & 0o7777);
    await rename(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    if (isSystemError(error)) throw new CommandError(`cannot write ${path}: ${describeSystemError(error)}`);
    throw error;
  } finally {
    endWrite(temporary);
  }
}

async function writeTemporary(temporary: string, chunks: FileToWrite["chunks"]): Promise<void> {
  const file = await open(temporary, "wx");
  try {
    for await (const chunk of chunks) for (const piece of pieces(chunk)) await file.writeFile(piece);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Replaces a folder by one with these files: they go to a temporary folder beside it, which then takes the name. While it writes, Ctrl-C removes the
 * temporary folder and exits with 130.
 *
 * @throws CommandError when it cannot be written
 */
export async function replaceFolder(
  path: string,
  files: readonly { readonly name: string; readonly content: string | Uint8Array }[],
): Promise<void> {
  const target = existsSync(path) ? realpathSync(path) : resolve(path);
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.${counter++}.tmp`);
  const before = `${temporary}.old`;
  beginWrite(temporary);
  try {
    await mkdir(temporary);
    for (const { name, content } of files) await writeFile(join(temporary, name), content);
    // A folder with content cannot be renamed over: the old one steps aside, and back when the new one does not arrive.
    if (existsSync(target)) await rename(target, before);
    try {
      await rename(temporary, target);
    } catch (error) {
      if (existsSync(before)) await rename(before, target);
      throw error;
    }
    await rm(before, { recursive: true, force: true });
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    if (isSystemError(error)) throw new CommandError(`cannot write ${path}: ${describeSystemError(error)}`);
    throw error;
  } finally {
    endWrite(temporary);
  }
}

/** Pieces small enough that a signal is seen between two of them. */
function* pieces(chunk: string | Uint8Array): Iterable<string | Uint8Array> {
  const size = 4 << 20;
  if (typeof chunk === "string" || chunk.length <= size) yield chunk;
  else for (let start = 0; start < chunk.length; start += size) yield chunk.subarray(start, start + size);
}

// A handler is installed only while something is being written: otherwise Ctrl-C ends the process at once, even in the middle of long computations.
function beginWrite(temporary: string): void {
  if (unfinished.size === 0) for (const signal of signals) process.on(signal, cleanAndExit);
  unfinished.add(temporary);
}

function endWrite(temporary: string): void {
  unfinished.delete(temporary);
  if (unfinished.size === 0) for (const signal of signals) process.off(signal, cleanAndExit);
}

const signals = ["SIGINT", "SIGTERM"] as const;

function cleanAndExit(signal: (typeof signals)[number]): void {
  for (const temporary of unfinished) rmSync(temporary, { recursive: true, force: true });
  process.exit(signal === "SIGINT" ? exitCodes.interrupted : 143);
}

export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).code === "string" && "syscall" in error;
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is not a folder",
  EEXIST: "a part of the path is not a folder",
  ENOSPC: "no space left on the device",
  EFBIG: "the file would be larger than files may be (ulimit -f)",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
};

/** `no such file or folder` rather than `ENOENT: ...`. */
export function describeSystemError(error: NodeJS.ErrnoException): string {
  return reasons[error.code ?? ""] ?? error.message;
}
