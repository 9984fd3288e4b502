import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "../../cli/main.ts";

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line in this process, with streams that collect. */
export async function runCli(
  argv: readonly string[],
  options: {
    readonly stdin?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly terminal?: boolean;
    readonly rows?: number;
  } = {},
): Promise<CliResult> {
  const collected = { stdout: "", stderr: "" };
  const output = (name: "stdout" | "stderr") => ({
    write: (text: string) => {
      collected[name] += text;
    },
    isTerminal: options.terminal === true,
    columns: options.terminal === true ? 100 : null,
    rows: options.rows ?? null,
  });
  const code = await main(argv, {
    stdout: output("stdout"),
    stderr: output("stderr"),
    readStdin: async () => options.stdin ?? "",
    env: options.env ?? {},
  });
  return { code, ...collected };
}

/** A folder for one test file, with files in it; `remove` in afterAll. */
export function temporaryFolder(files: Readonly<Record<string, string>> = {}): {
  readonly path: (name: string) => string;
  readonly remove: () => void;
} {
  const folder = mkdtempSync(join(tmpdir(), "plec-test-"));
  const path = (name: string) => join(folder, name);
  for (const [name, text] of Object.entries(files)) writeFileSync(path(name), text);
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
