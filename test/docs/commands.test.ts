import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "plec-docs-"));
for (const name of ["specs", "examples"]) cpSync(name, join(folder, name), { recursive: true });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The plec commands of a page's shell examples, in order: later ones may read what earlier ones wrote. */
function commandsOf(page: string): readonly string[] {
  const blocks = [...readFileSync(page, "utf8").matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? "");
  return blocks.flatMap((block) => block.split("\n")).filter((line) => line.startsWith("npx plec "));
}

const pages = [
  "README.md",
  "docs/data.md",
  "docs/diff.md",
  "docs/import.md",
  "docs/ir.md",
  "docs/lint/README.md",
  "examples/browser/README.md",
  "examples/import/README.md",
  "docs/training-graph.md",
  "docs/reports.md",
  "docs/starting.md",
  "docs/training.md",
  "docs/typescript.md",
];

test.each(pages.flatMap(commandsOf))("%s", { timeout: 60_000 }, (line) => {
  const args = line
    .replace(/\s+#.*$/, "")
    .split(/\s+/)
    .slice(2)
    .map((argument) => argument.replace(/^'(.*)'$/, "$1"));
  const { status, stderr } = spawnSync(process.execPath, [resolve("bin/plec.cjs"), ...args], { cwd: folder, encoding: "utf8" });
  // What an import leaves out is said on standard error; everything else succeeds silently.
  const said =
    args[0] === "import"
      ? stderr
          .split("\n")
          .filter((text) => / error |^plec: /.test(text))
          .join("\n")
      : stderr;
  expect({ status, said }).toEqual({ status: 0, said: "" });
});
