import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Linter } from "../../compiler/check/lint/engine/linter.ts";
import { inspectSource } from "../../compiler/driver.ts";
import { callCases } from "../check/cases/calls.ts";
import { dimCases } from "../check/cases/dims.ts";
import { modelCases } from "../check/cases/models.ts";
import { nameCases } from "../check/cases/names.ts";
import { paramCases } from "../check/cases/params.ts";
import { perCases } from "../check/cases/per.ts";
import { taskCases } from "../check/cases/tasks.ts";
import { trainCases } from "../check/cases/train.ts";
import { transferCases } from "../check/cases/transfers.ts";
import { typeCases } from "../check/cases/types.ts";

const tables = { callCases, dimCases, modelCases, nameCases, paramCases, perCases, taskCases, trainCases, transferCases, typeCases };

/** Rules are made for models as people write them; on odd ones they may say anything, with a place in the text. */
describe.each(Object.entries(tables))("rules hold on %s", (_, cases) => {
  test.each(cases.map(([title, source]) => [title, source] as const))("%s", (_title, source) => {
    const linter = new Linter();
    for (const { code, span } of [...linter.add(inspectSource("case.ple", source)), ...linter.finish()]) {
      if (!code.startsWith("lint/")) continue;
      expect(span?.source.name).toBe("case.ple");
      expect(span === null || (span.start <= span.end && span.end <= source.length)).toBe(true);
    }
  });
});

/** Files that a file imports when it runs, followed to the end. */
function importedBy(entry: string): ReadonlySet<string> {
  const seen = new Set([entry]);
  for (const file of seen) {
    for (const [, path = ""] of readFileSync(file, "utf8").matchAll(/^(?:import|export) (?!type )[^;]*?from "(\.[^"]+)";$/gms))
      seen.add(new URL(path, new URL(file, "file:///")).pathname.slice(1));
  }
  return seen;
}

test("plec check loads neither rules nor YAML's configuration", () => {
  const loaded = [...importedBy("cli/check.ts")];
  expect(loaded).toContain("compiler/check/allow.ts");
  expect(loaded.filter((file) => file.startsWith("compiler/check/lint/"))).toEqual([]);
  expect([...importedBy("cli/lint.ts")]).toContain("compiler/check/lint/group-of-one.ts");
});
