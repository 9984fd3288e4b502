import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

/** The file that says which process trains in a folder. */
export const lockName = "lock";

/** Another process trains in the folder. */
export class RunLocked extends Error {
  override readonly name = "RunLocked";
}

/**
 * Takes a folder for this process; what it returns gives the folder back. The lock of a process that is gone counts for nothing.
 *
 * @throws RunLocked, and errors of the file system
 */
export function lockRun(folder: string): () => void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, lockName);
  const own = `${process.pid} ${hostname()}\n`;
  if (!writeNew(path, own)) {
    const [pid = "", host = ""] = readFileSync(path, "utf8").trim().split(" ");
    // One that a killed process has left empty names nobody.
    if (host !== "" && (host !== hostname() || isRunning(Number(pid))))
      throw new RunLocked(`process ${pid} on ${host} trains in ${folder}; wait for it, or remove ${path} if it is gone`);
    writeFileSync(path, own);
  }
  return () => rmSync(path, { force: true });
}

function writeNew(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** A lock of this process is left over: it gives back what it takes. */
function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
