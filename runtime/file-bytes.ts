import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type ByteSource, SafetensorsError } from "./safetensors.ts";

/** A read of more than 2 GiB at once is refused by the system. */
const largestRead = 2 ** 30;

/**
 * A file as bytes that are read where they are needed, so that a file of any size can be. It is opened for each read, and must stay the file that it was.
 *
 * @throws the system's errors, and SafetensorsError where the file has changed between two reads
 */
export function bytesOfFile(path: string): ByteSource {
  const { size, identity } = withFile(path, ({ size, identity }) => ({ size, identity }));
  return {
    size,
    read: (start, stop) =>
      withFile(path, (file) => {
        if (file.identity !== identity) throw new SafetensorsError("changed", "the file has changed while it was read");
        const bytes = new Uint8Array(stop - start);
        file.readInto(bytes, start);
        return bytes;
      }),
  };
}

/** sha256 of a file, in hexadecimal. */
export function hashOfFile(path: string): string {
  return withFile(path, ({ size, readInto }) => {
    const hash = createHash("sha256");
    const buffer = new Uint8Array(2 ** 22);
    for (let at = 0; at < size; at += buffer.length) {
      const part = buffer.subarray(0, Math.min(buffer.length, size - at));
      readInto(part, at);
      hash.update(part);
    }
    return hash.digest("hex");
  });
}

interface OpenFile {
  readonly size: number;
  /** Another one for another file, and for the same one once it was written to. */
  readonly identity: string;
  /** Fills the bytes with those of the file from an offset on. */
  readonly readInto: (bytes: Uint8Array, offset: number) => void;
}

function withFile<T>(path: string, use: (file: OpenFile) => T): T {
  const descriptor = openSync(path, "r");
  try {
    const { size, ino, mtimeMs } = fstatSync(descriptor);
    const readInto = (bytes: Uint8Array, offset: number) => {
      for (let done = 0; done < bytes.length; ) {
        const read = readSync(descriptor, bytes, done, Math.min(largestRead, bytes.length - done), offset + done);
        if (read === 0) throw new SafetensorsError("truncated", `the file ends at byte ${offset + done}`);
        done += read;
      }
    };
    return use({ size, identity: `${ino} ${size} ${mtimeMs}`, readInto });
  } finally {
    closeSync(descriptor);
  }
}
