import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { replaceFile } from "../runs/replace-file.ts";
import type { Page } from "./figures.ts";
import { readRun } from "./read-run.ts";
import { runReport } from "./run-report.ts";

/** Where the page's data stand in the built template. */
const slot = '"the data"';

/** Writes `report.html` into the folder of a run and returns its path. @throws NoRun, and errors of the file system */
export function writeReport(folder: string): string {
  const path = join(folder, "report.html");
  replaceFile(path, renderPage(runReport(readRun(folder))));
  return path;
}

/** One HTML file that needs nothing beside it. */
export function renderPage(page: Page): string {
  const [before, after] = readFileSync(templatePath(), "utf8").split(slot) as [string, string];
  // A script element ends at the first `</`, wherever it stands.
  return `${before}${JSON.stringify(page).replaceAll("<", "\\u003c")}${after}`;
}

/** The build's template, beside the bundle or, for code that runs as it was written, in `dist/`. */
function templatePath(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    for (const path of [join(at, "report.html"), join(at, "dist", "report.html")]) if (existsSync(path)) return path;
    if (dirname(at) === at) throw new Error("plec was not built: it lacks dist/report.html");
  }
}
