import { fstatSync, readFileSync, writeSync } from "node:fs";
import { exitCodes, type Io, type Output, type Terminal } from "./io.ts";
import { main, reportBug } from "./main.ts";

/** An output of the process, which says when all is written. */
interface ProcessOutput extends Output {
  /** Does what is to be done once all is written; where that failed, nothing. */
  afterWrites(action: () => void): void;
}

const stdout = outputOf(1, () => process.stdout);
const stderr = outputOf(2, () => process.stderr);

/** The command line of the real process. */
const io: Io = { stdout, stderr, readStdin, openTerminal, env: process.env };

process.on("uncaughtException", (error) => process.exit(reportBug(error, io)));
process.on("unhandledRejection", (error) => process.exit(reportBug(error, io)));

void main(process.argv.slice(2), io).then((code) => {
  process.exitCode = code;
  // Once all that was printed is written. A process that ends by itself waits for the garbage collector and takes its heap apart: a twentieth of a check.
  stdout.afterWrites(() => stderr.afterWrites(() => process.exit()));
});

/** A terminal by Node's stream, which knows its size; files and pipes without, since Node's streams take a sixtieth of a check to load. */
function outputOf(descriptor: number, stream: () => NodeJS.WriteStream): ProcessOutput {
  return fstatSync(descriptor).isCharacterDevice() ? outputOfStream(stream()) : outputOfFile(descriptor);
}

function outputOfFile(descriptor: number): ProcessOutput {
  let open = true;
  return {
    write(text) {
      if (!open) return;
      try {
        writeAll(descriptor, Buffer.from(text));
      } catch (error) {
        open = false;
        void reportUnwritten(error as NodeJS.ErrnoException);
      }
    },
    afterWrites(action) {
      if (open) action();
    },
    isTerminal: false,
    columns: null,
    rows: null,
  };
}

/** Waits for whoever reads a pipe: one that another process has made not to wait says that it is full. */
function writeAll(descriptor: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(descriptor, bytes, written);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

function outputOfStream(stream: NodeJS.WriteStream): ProcessOutput {
  let open = true;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    open = false;
    void reportUnwritten(error);
  });
  return {
    write(text) {
      if (open) stream.write(text);
    },
    afterWrites(action) {
      stream.write("", (error) => {
        if (error === undefined || error === null) action();
      });
    },
    isTerminal: stream.isTTY === true,
    // asked each time: a window changes its size
    get columns() {
      return stream.isTTY === true ? stream.columns : null;
    },
    get rows() {
      return stream.isTTY === true ? stream.rows : null;
    },
  };
}

/** Whoever read our output may have gone (`plec ir model.ple | head`): then nothing more is said. */
async function reportUnwritten(error: NodeJS.ErrnoException): Promise<void> {
  if (error.code === "EPIPE") return;
  const { describeSystemError } = await import("./atomic-write.ts");
  io.stderr.write(`plec: cannot print: ${describeSystemError(error)}\n`);
  process.exit(exitCodes.usage);
}

function openTerminal(): Terminal | null {
  return process.stdin.isTTY && process.stdout.isTTY ? { input: process.stdin, output: process.stdout } : null;
}

async function readStdin(): Promise<string> {
  return readFileSync(0, "utf8");
}
