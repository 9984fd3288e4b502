import { readFileSync } from "node:fs";
import { exitCodes, type Io, type Output, type Terminal } from "./io.ts";
import { main, reportBug } from "./main.ts";

/** The command line of the real process. */
const io: Io = { stdout: outputOf(process.stdout), stderr: outputOf(process.stderr), readStdin, openTerminal, env: process.env };

process.on("uncaughtException", (error) => process.exit(reportBug(error, io)));
process.on("unhandledRejection", (error) => process.exit(reportBug(error, io)));

void main(process.argv.slice(2), io).then((code) => {
  process.exitCode = code;
  // Once all that was printed is written. A process that ends by itself waits for the garbage collector and takes its heap apart: a twentieth of a check.
  afterWrites(process.stdout, () => afterWrites(process.stderr, () => process.exit()));
});

/** Does what is to be done once all is written; where that failed, nothing. */
function afterWrites(stream: NodeJS.WriteStream, action: () => void): void {
  stream.write("", (error) => {
    if (error === undefined || error === null) action();
  });
}

function outputOf(stream: NodeJS.WriteStream): Output {
  let open = true;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    open = false;
    // Whoever read our output has gone (`plec ir model.ple | head`): say nothing more.
    if (error.code !== "EPIPE") void reportUnwritten(error);
  });
  return {
    write: (text) => {
      if (open) stream.write(text);
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

async function reportUnwritten(error: NodeJS.ErrnoException): Promise<void> {
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
