import { unreadable } from "../compiler/project.ts";
import { readText, UnreadableText } from "../compiler/read-text.ts";
import type { Diagnostic } from "../dsl/diagnostic.ts";
import { formatSource } from "../dsl/printer.ts";
import { Source } from "../dsl/source.ts";
import { writeFileAtomically } from "./atomic-write.ts";
import { printFindings } from "./findings.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { expandPaths, reading } from "./spec-files.ts";
import { plural } from "./table.ts";

interface FmtOptions {
  readonly check?: boolean;
  readonly stdin?: boolean;
}

export async function fmt(paths: readonly string[], options: FmtOptions, io: Io): Promise<number> {
  const fromStdin = options.stdin === true || paths.includes("-");
  if (fromStdin && paths.some((path) => path !== "-")) throw new CommandError("either files or standard input, not both");
  if (!fromStdin && paths.length === 0) throw new CommandError("name files or folders to format, or --stdin");
  if (fromStdin) return formatStdin(options, io);

  let changed = 0;
  let broken = 0;
  const files = expandPaths(paths);
  for (const file of files) {
    const source = open(file, io);
    const formatted = source === null ? null : format(source, io);
    if (formatted === null) broken += 1;
    else if (formatted !== source?.text) {
      changed += 1;
      if (options.check !== true) await writeFileAtomically(file, [formatted]);
      io.stdout.write(`${options.check === true ? "not formatted: " : "formatted "}${file}\n`);
    }
  }
  const verb = options.check === true ? "not formatted" : "formatted";
  io.stdout.write(`${plural(files.length, "file")}: ${changed} ${verb}${broken === 0 ? "" : `, ${broken} with errors left as they are`}\n`);
  return broken > 0 || (options.check === true && changed > 0) ? exitCodes.findings : exitCodes.clean;
}

async function formatStdin(options: FmtOptions, io: Io): Promise<number> {
  const source = new Source("<stdin>", await io.readStdin());
  const formatted = format(source, io);
  if (formatted === null) return exitCodes.findings;
  if (options.check === true) return formatted === source.text ? exitCodes.clean : exitCodes.findings;
  io.stdout.write(formatted);
  return exitCodes.clean;
}

/** null for what is no text, which is printed: other bytes than it has would be written back. */
function open(file: string, io: Io): Source | null {
  return reading(file, () => {
    try {
      return new Source(file, readText(file));
    } catch (error) {
      if (!(error instanceof UnreadableText)) throw error;
      printFindings([unreadable(null, file, error)], io.stderr, io);
      return null;
    }
  });
}

/** null for a file with syntax errors, which are printed. */
function format(source: Source, io: Io): string | null {
  const { text, diagnostics }: { readonly text: string | null; readonly diagnostics: readonly Diagnostic[] } = formatSource(source);
  if (text === null) printFindings(diagnostics, io.stderr, io);
  return text;
}
