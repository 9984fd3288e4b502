import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkSource } from "../../compiler/driver.ts";

/** The model that `ple items` examples stand in. */
function inModel(items: string): string {
  return [
    'import { Tower } from "std/layers"',
    'import { bce } from "std/losses"',
    "model Example {",
    "input x: f32[B, 64]",
    "task a: binary { loss: bce }",
    "task b: binary { loss: bce }",
    "flow per task { return x |> Tower(task.width) }",
    items,
    "}",
  ].join("\n");
}

const pages = ["README.md", "docs/language.md", "docs/lint/README.md"];

for (const page of pages) {
  const text = readFileSync(page, "utf8");
  const examples = [...text.matchAll(/^ *```ple *(.*)\n([\s\S]*?)^ *```$/gm)].map((match, i) => ({
    name: `example ${i + 1}`,
    info: match[1] ?? "",
    source: match[2] ?? "",
  }));
  describe(page, () => {
    test("has examples", () => expect(examples.length).toBeGreaterThan(0));
    test.each(examples)("$name compiles as it says", ({ info, source }) => {
      const checked = checkSource("example.ple", info === "items" ? inModel(source) : source);
      const codes = checked.diagnostics.filter((found) => found.severity === "error").map((found) => found.code);
      const wrong = /^wrong (\S+)$/.exec(info)?.[1];
      if (wrong === undefined) expect(checked.diagnostics.map((found) => `${found.code}: ${found.message}`)).toEqual([]);
      else expect(codes).toContain(wrong);
    });
  });
}
