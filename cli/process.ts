import { readFileSync } from "node:fs";
import type { Io, Output, Terminal } from "./io.ts";
import { main, reportBug } from "./main.ts";

/** The command line of the real process. The exit code is set, not forced: what was printed still flushes. */
const io: Io = { stdout: outputOf(process.stdout), stderr: outputOf(process.stderr), readStdin, openTerminal, env: process.env };

process.on("uncaughtException", (error) => process.exit(reportBug(error, io)));
process.on("unhandledRejection", (error) => process.exit(reportBug(error, io)));

void main(process.argv.slice(2), io).then((code) => {
  process.exitCode = code;
});

function outputOf(stream: NodeJS.WriteStream): Output {
  let open = true;
  // Whoever read our output has gone (`plec ir model.ple | head`): say nothing more.
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    open = false;
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

function openTerminal(): Terminal | null {
  return process.stdin.isTTY && process.stdout.isTTY ? { input: process.stdin, output: process.stdout } : null;
}

async function readStdin(): Promise<string> {
  return readFileSync(0, "utf8");
}
