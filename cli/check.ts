import { checkFile } from "../compiler/driver.ts";
import { type FoundFile, fixFiles, isSafe } from "./fix-files.ts";
import type { Io } from "./io.ts";
import { type ReportOptions, reportFindings, uniqueFindings } from "./report.ts";
import { expandPaths, reading } from "./spec-files.ts";

interface CheckOptions extends ReportOptions {
  readonly fix?: boolean;
}

export async function check(paths: readonly string[], options: CheckOptions, io: Io): Promise<number> {
  const files = expandPaths(paths);
  const find = (): readonly FoundFile[] => files.map((file) => ({ ...reading(file, () => checkFile(file)), file }));
  const fixed = options.fix === true ? await fixFiles(find, isSafe) : 0;
  return reportFindings(files, uniqueFindings(find().flatMap(({ diagnostics }) => diagnostics)), fixed, options, io);
}
