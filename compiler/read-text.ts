import { closeSync, openSync, readSync } from "node:fs";

/** The most bytes that a spec, or what it names, may have. */
const largestText = 4 * 1024 * 1024;
/** What is read at once; most specs are smaller. */
const chunk = new Uint8Array(64 * 1024);
const decoder = new TextDecoder("utf-8", { fatal: true });

/** What is at a path is no text that plec reads; the message says why. */
export class UnreadableText extends Error {}

/**
 * The text of a file, without a byte order mark. Reads no more than a spec may have, so that a device without an end is too large as well.
 *
 * @throws UnreadableText for what is not UTF-8 or larger than 4 MB, and the system's error for what cannot be opened
 */
export function readText(path: string): string {
  const file = openSync(path, "r");
  const chunks: Uint8Array[] = [];
  try {
    for (let size = 0; size <= largestText; ) {
      const count = readSync(file, chunk);
      if (count === 0) return decode(Buffer.concat(chunks));
      chunks.push(chunk.slice(0, count));
      size += count;
    }
  } finally {
    closeSync(file);
  }
  throw new UnreadableText("it is larger than 4 MB");
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new UnreadableText("it is not UTF-8 text");
  }
}
