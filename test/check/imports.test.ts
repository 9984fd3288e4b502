import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkFile, checkSource, libraryFolder } from "../../compiler/driver.ts";

let root = "";

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "plec-imports-"));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function write(path: string, text: string | Uint8Array): string {
  const full = join(root, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, text);
  return full;
}

const modelOf = (imports: string, flow: string) => `${imports}
model M {
  input x: f32[B, 8]
  task t: binary { loss: none }
  flow per task { return ${flow} }
}`;

const head = "module Head(x: f32[B, n]) -> f32[B, 1] { return linear(x, 1) }";

/** Codes and messages, with the test's folder left out. */
function findings(path: string): readonly string[] {
  return checkFile(path).diagnostics.map(({ code, message }) => `${code} ${message.replaceAll(`${root}/`, "")}`);
}

test("a file beside this one, with and without its extension", () => {
  write("project/package.json", "{}");
  write("project/parts/head.ple", head);
  for (const path of ["./parts/head", "./parts/head.ple", "./parts"]) {
    expect(findings(write("project/m.ple", modelOf(`import { Head } from "${path}"`, "Head(x)")))).toEqual([]);
  }
});

test("a file of a folder above, within the project", () => {
  write("project/package.json", "{}");
  write("project/head.ple", head);
  expect(findings(write("project/specs/deep/m.ple", modelOf('import { Head } from "../../head"', "Head(x)")))).toEqual([]);
});

test("a file outside of the project", () => {
  write("elsewhere/head.ple", head);
  write("project/package.json", "{}");
  expect(findings(write("project/m.ple", modelOf('import { Head } from "../elsewhere/head"', "Head(x)")))).toEqual([
    "import/outside `../elsewhere/head` leaves the project",
  ]);
});

test("a link to a file outside of the project", () => {
  const outside = write("elsewhere/head.ple", head);
  write("project/package.json", "{}");
  symlinkSync(outside, join(root, "project/head.ple"));
  expect(findings(write("project/m.ple", modelOf('import { Head } from "./head"', "Head(x)")))).toEqual([
    "import/outside `./head` leaves the project",
  ]);
});

test("a link to a folder outside of the project", () => {
  write("elsewhere/head.ple", head);
  write("project/package.json", "{}");
  symlinkSync(join(root, "elsewhere"), join(root, "project/parts"));
  for (const path of ["./parts/head", "./parts"]) {
    expect(findings(write("project/m.ple", modelOf(`import { Head } from "${path}"`, "Head(x)")))).toEqual([
      `import/outside \`${path}\` leaves the project`,
    ]);
  }
});

test("a link within the project", () => {
  write("project/package.json", "{}");
  symlinkSync(write("project/parts/head.ple", head), join(root, "project/head.ple"));
  expect(findings(write("project/m.ple", modelOf('import { Head } from "./head"', "Head(x)")))).toEqual([]);
});

test("two files that import each other", () => {
  write("project/package.json", "{}");
  write("project/a.ple", `import { Back } from "./b"\nmodule Front(x: f32[B, n]) -> f32[B, 1] { return Back(x) }`);
  write("project/b.ple", `import { Front } from "./a"\nmodule Back(x: f32[B, n]) -> f32[B, 1] { return Front(x) }`);
  const found = findings(write("project/m.ple", modelOf('import { Front } from "./a"', "Front(x)")));
  expect(found).toEqual(["import/cycle import cycle: a.ple → b.ple → a.ple".replaceAll(/(a|b)\.ple/g, "project/$1.ple")]);
});

test("a file that imports itself", () => {
  write("project/package.json", "{}");
  const path = write("project/m.ple", `${modelOf('import { Head } from "./m"', "Head(x)")}\n${head.replace("Head", "Other")}`);
  expect(findings(path)).toEqual(["import/cycle import cycle: project/m.ple → project/m.ple"]);
});

test("a file that is not UTF-8", () => {
  write("project/package.json", "{}");
  write("project/head.ple", new Uint8Array([0x6d, 0xff, 0xfe]));
  expect(findings(write("project/m.ple", modelOf('import { Head } from "./head"', "Head(x)")))).toEqual([
    "import/unreadable cannot read `project/head.ple`: it is not UTF-8 text",
  ]);
});

test("a file that is too large", () => {
  write("project/package.json", "{}");
  write("project/head.ple", " ".repeat(5 * 1024 * 1024));
  expect(findings(write("project/m.ple", modelOf('import { Head } from "./head"', "Head(x)")))).toEqual([
    "import/unreadable cannot read `project/head.ple`: it is larger than 4 MB",
  ]);
});

test("an entry that does not exist, or is a folder", () => {
  expect(findings(join(root, "nothing.ple"))).toEqual(["import/unreadable cannot read `nothing.ple`: there is no such file"]);
  expect(findings(root).map((finding) => finding.split(" ")[0])).toEqual(["import/unreadable"]);
});

test("a syntax error of an imported file is reported there, and nothing else is", () => {
  write("project/package.json", "{}");
  const broken = write("project/head.ple", "module Head(x: f32[B, n]) {\n  return x +\n}");
  const { diagnostics } = checkFile(write("project/m.ple", modelOf('import { Head } from "./head"', "Head(x)")));
  expect(diagnostics).toHaveLength(1);
  expect(diagnostics[0]?.code).toMatch(/^syntax\//);
  expect(broken.endsWith(diagnostics[0]?.span?.source.name.replace(/^.*project/, "project") ?? "")).toBe(true);
});

test("the fault of an imported definition stands in its own file, once", () => {
  write("project/package.json", "{}");
  write("project/head.ple", "module Head(x: f32[B, n]) -> f32[B, n] {\n  return concat([x, x])\n}");
  const { diagnostics } = checkFile(write("project/m.ple", modelOf('import { Head } from "./head"', "linear(Head(x) + Head(x * 2), 1)")));
  expect(diagnostics.map(({ code, span }) => [code, span?.source.name.split("/").at(-1), span?.source.position(span.start).line])).toEqual([
    ["dim/mismatch", "head.ple", 2],
  ]);
});

test("the removal of an unused import leaves the others", () => {
  write("project/package.json", "{}");
  write("project/head.ple", `${head}\n${head.replace("Head", "Other")}\n${head.replace("Head", "Third")}`);
  for (const [names, used, left] of [
    ["Head, Other", "Head", "import { Head }"],
    ["Head, Other", "Other", "import { Other }"],
    ["Head, Other, Third", "Other", "import { Other, Third }"],
  ] as const) {
    const text = modelOf(`import { ${names} } from "./head"`, `${used}(x)`);
    const edit = checkFile(write("project/m.ple", text)).diagnostics[0]?.fixes[0]?.edits[0];
    expect(edit).toBeDefined();
    if (edit !== undefined) expect(text.slice(0, edit.span.start) + edit.text + text.slice(edit.span.end)).toContain(left);
  }
});

test("the only import that is unused goes with its line", () => {
  write("project/package.json", "{}");
  write("project/head.ple", head);
  const text = modelOf('import { Head } from "./head"', "linear(x, 1)");
  const [finding] = checkFile(write("project/m.ple", text)).diagnostics;
  const edit = finding?.fixes[0]?.edits[0];
  expect(finding?.fixes[0]?.safe).toBe(true);
  if (edit !== undefined)
    expect(text.slice(0, edit.span.start) + edit.text + text.slice(edit.span.end)).toBe(text.slice(text.indexOf("\n") + 1));
});

test("a file of the user's that is called like one of the library is not of the library", () => {
  const faulty = `import { WeightedSum } from "std/gates"
module Faulty(x: f32[B, 4], y: f32[B, 4]) -> f32[B, 4] { return WeightedSum([x, y], by: x) + sum(x, axis: 1) }
${modelOf("", "Faulty(x[:, 0:4], x[:, 4:8])")}`;
  const plain = checkSource("gates.ple", faulty).diagnostics;
  const alike = checkSource("std/gates.ple", faulty).diagnostics;
  const placeOf = ({ code, span }: (typeof plain)[number]) => [code, span?.source.library, span?.start, span?.end];
  expect(plain.map(placeOf)).toEqual([["dim/mismatch", false, expect.any(Number), expect.any(Number)]]);
  expect(alike.map(placeOf)).toEqual(plain.map(placeOf));
});

test("a result depends on what was read and on what was looked for", () => {
  write("project/package.json", "{}");
  write("project/parts/head.ple", head);
  const imports = 'import { Head } from "./parts/head"\nimport { Other } from "./missing"';
  const text = modelOf(imports, "Head(x)").replace("input x", 'input y from "schema.yaml"\n  input x');
  const { dependencies } = checkFile(write("project/m.ple", text));
  const own = dependencies.filter((path) => path.startsWith(root)).map((path) => path.slice(root.length + 1));
  expect(own.sort()).toEqual([
    "project/m.ple",
    "project/missing",
    "project/missing.ple",
    "project/parts/head",
    "project/parts/head.ple",
    "project/schema.yaml",
  ]);
  expect(dependencies).toContain(join(libraryFolder(), "prelude.ple"));
});
