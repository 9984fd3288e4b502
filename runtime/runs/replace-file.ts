import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * Writes a file under another name, makes sure that it is on the disk, and gives it its own name in one step: whoever reads sees the old content or the new
 * one, even after a loss of power.
 *
 * @throws errors of the file system; the old content is there then
 */
export function replaceFile(path: string, content: string | Uint8Array): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true });
  const temporary = join(folder, `.${basename(path)}.tmp`);
  try {
    const file = openSync(temporary, "w");
    try {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, Math.min(bytes.length - done, 2 ** 30));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(folder);
}

/** Removes what a killed process has left half written. */
export function removeUnfinished(folder: string): void {
  for (const name of readdirSync(folder)) if (isUnfinished(name)) rmSync(join(folder, name), { force: true });
}

export function isUnfinished(name: string): boolean {
  return /^\..*\.tmp$/.test(name);
}

/** The new name is on the disk, too; not every system can say so of a folder. */
function syncFolder(folder: string): void {
  if (process.platform === "win32") return;
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
