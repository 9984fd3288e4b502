import { describe, expect, test } from "vitest";
import { catalogue } from "../../compiler/check/catalogue.ts";
import { checkSource } from "../../compiler/driver.ts";
import { callCases } from "./cases/calls.ts";
import { dimCases } from "./cases/dims.ts";
import { importCases } from "./cases/imports.ts";
import { modelCases } from "./cases/models.ts";
import { nameCases } from "./cases/names.ts";
import { paramCases } from "./cases/params.ts";
import { perCases } from "./cases/per.ts";
import { taskCases } from "./cases/tasks.ts";
import { trainCases } from "./cases/train.ts";
import { transferCases } from "./cases/transfers.ts";
import { typeCases } from "./cases/types.ts";
import { type Case, expectFindings } from "./expect.ts";

const tables: Readonly<Record<string, readonly Case[]>> = {
  imports: importCases,
  names: nameCases,
  types: typeCases,
  dims: dimCases,
  calls: callCases,
  params: paramCases,
  per: perCases,
  models: modelCases,
  tasks: taskCases,
  transfers: transferCases,
  train: trainCases,
};

/** Findings that need files on the disk; `imports.test.ts` has them. */
const onDisk = ["import/cycle", "import/outside", "import/unreadable"];

describe.each(Object.entries(tables))("%s", (_, cases) => {
  test.each(cases)("%s", (_title, source, ...findings) => expectFindings(source, findings));
});

test("every code of the catalogue has a case", () => {
  const covered = new Set([
    ...onDisk,
    ...Object.values(tables).flatMap((cases) => cases.flatMap(([, , ...findings]) => findings.map((finding) => finding.split(" ")[0]))),
  ]);
  expect(Object.keys(catalogue).filter((code) => !covered.has(code))).toEqual([]);
});

test("whatever is declared twice shows both places", () => {
  const found = [...nameCases, ...modelCases].flatMap(([title, source]) =>
    checkSource("case.ple", source)
      .diagnostics.filter(({ code }) => code === "name/duplicate")
      .map(({ notes }) => [title, notes.filter(({ span }) => span !== null).length] as const),
  );
  expect(found.length).toBeGreaterThan(15);
  expect(found.filter(([, places]) => places === 0)).toEqual([]);
});

test("titles are unique within a table", () => {
  for (const cases of Object.values(tables)) expect(new Set(cases.map(([title]) => title)).size).toBe(cases.length);
});
