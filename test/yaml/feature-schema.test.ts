import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { afterAll, describe, expect, it, test } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import type { ModelSlice } from "../../compiler/model.ts";
import { parse } from "../../dsl/parser.ts";
import { formatSource } from "../../dsl/printer.ts";
import { Source } from "../../dsl/source.ts";
import { resolveColumn } from "../../runtime/column-path.ts";
import { describeModel } from "../../runtime/description.ts";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";
import { brief, rendered } from "./support.ts";

const folder = temporaryFolder({ "package.json": "{}" });
afterAll(() => folder.remove());

const model = (input: string, used = "x"): string => `import { Tower } from "std/layers"
import { bce } from "std/losses"
model M {
  ${input}
  task a: binary { loss: bce }
  flow per task { return ${used} |> Tower(task.width) }
}
`;

/** Checks a model whose input is declared as `input` beside a schema of the text. */
function check(schema: string, input = 'input x from "schema.yaml"', used = "x") {
  writeFileSync(folder.path("schema.yaml"), schema);
  writeFileSync(folder.path("m.ple"), model(input, used));
  return checkFile(folder.path("m.ple"));
}

const loadedYaml = (): boolean => Object.keys(createRequire(import.meta.url).cache).some((path) => /node_modules.yaml/.test(path));

const schema = `x:
  width: 10
  doc: What we know.
  groups:
    - name: base
      width: 6
      groups:
        - { name: rfm, features: [recency, frequency, monetary], doc: Purchases. }
        - { name: age, width: 3 }
    - name: extra
      width: 4
y:
  dtype: i32
  features: [a, { name: b, doc: The second. }]
`;

describe("input from a feature schema", () => {
  it("loads the parser of YAML only where a spec names a schema", () => {
    expect(checkFile("specs/mmoe.ple").diagnostics).toEqual([]);
    expect(loadedYaml()).toBe(false);
    check(schema);
    expect(loadedYaml()).toBe(true);
  });

  it("gives the slices, docs and names of the schema", () => {
    const { models, diagnostics } = check(schema);
    expect(rendered(diagnostics)).toBe("");
    const input = models[0]?.inputs[0];
    expect(input).toMatchObject({ name: "x", dtype: "f32", shape: [{}, 10], optional: false, doc: "What we know." });
    const outline = (slices: readonly ModelSlice[]): unknown =>
      slices.map(({ name, start, width, column, doc, slices: inner }) => [
        name,
        start,
        width,
        ...(column ? ["column"] : []),
        doc,
        outline(inner),
      ]);
    expect(outline(input?.slices ?? [])).toEqual([
      [
        "base",
        0,
        6,
        null,
        [
          [
            "rfm",
            0,
            3,
            "Purchases.",
            [
              ["recency", 0, 1, "column", null, []],
              ["frequency", 1, 1, "column", null, []],
              ["monetary", 2, 1, "column", null, []],
            ],
          ],
          ["age", 3, 3, null, []],
        ],
      ],
      ["extra", 6, 4, null, []],
    ]);
  });

  it("means the same as slices written by hand, and names of features change no network", () => {
    const byHand = checkFile("specs/ple_cluster_adatt.ple").models[0];
    const text = readFileSync("specs/ple_cluster_adatt.ple", "utf8");
    copyFileSync("examples/import/feature_schema.yaml", folder.path("feature_schema.yaml"));
    const spec = text.replace(/input features: f32\[B, 734\] \{\n[\s\S]*?\n {2}\}\n/, 'input features from "feature_schema.yaml"\n');
    expect(spec).not.toBe(text);
    writeFileSync(folder.path("full.ple"), spec);
    const fromSchema = checkFile(folder.path("full.ple")).models[0];
    const params = (checked: typeof byHand) => checked?.parameters.map(({ name, value }) => [name, value.type.shape]);
    expect(params(fromSchema)).toEqual(params(byHand));
    expect(fromSchema?.graph.nodes.map(({ op }) => op)).toEqual(byHand?.graph.nodes.map(({ op }) => op));
  });

  it("reads slices and single features by name, in the language and in batches", () => {
    const { models, diagnostics } = check(
      schema,
      'input x: f32[B, 10]? from "schema.yaml"\n  input z: f32[B, 1]',
      "concat([z, x.base.rfm.monetary, x[base .. extra]])",
    );
    expect(rendered(diagnostics)).toBe("");
    const [first] = models;
    if (first === undefined) throw new Error("no model");
    expect(first.inputs[0]?.optional).toBe(true);
    expect(resolveColumn(describeModel(first), "x.base.rfm.monetary")).toMatchObject({ start: 2, length: 1 });
    expect(check(schema, 'input x from "schema.yaml"', "concat(leaves(x))").diagnostics).toEqual([]);
    expect(brief(check(schema, 'input x from "schema.yaml"', "x.base.rfm.recnecy").diagnostics)).toEqual([
      expect.stringContaining("name/unknown-member"),
    ]);
    const features = check(schema, 'input x from "schema.yaml"\n  input y from "schema.yaml"', "concat([x, f32(y)])");
    expect(rendered(features.diagnostics)).toBe("");
    expect(features.models[0]?.inputs[1]).toMatchObject({ dtype: "i32", slices: [{ name: "a" }, { name: "b", doc: "The second." }] });
  });

  it("reads the example of the language reference", () => {
    const [, example = ""] = /^```yaml\n([\s\S]*?)^```$/m.exec(readFileSync("docs/language.md", "utf8")) ?? [];
    const { models, diagnostics } = check(example, 'input features from "schema.yaml"', "features");
    expect(rendered(diagnostics)).toBe("");
    expect(models[0]?.inputs[0]).toMatchObject({
      shape: [{}, 12],
      slices: [
        { name: "base", width: 7 },
        { name: "extra", start: 7 },
      ],
    });
  });

  it("finds what is wrong in SARIF as well", async () => {
    check(schema.replace("width: 3", "width: 4"));
    const { stdout } = await runCli(["check", folder.path("m.ple"), "--sarif", "-"]);
    const [run] = JSON.parse(stdout).runs;
    expect(run.results).toMatchObject([{ ruleId: "schema/width", locations: [{ physicalLocation: { region: { startLine: 6 } } }] }]);
  });

  it("is part of the hash of the model", () => {
    const hashes = [schema, schema.replace("age", "years"), schema].map((text) => check(text).models[0]?.hash);
    expect(hashes[1]).not.toBe(hashes[0]);
    expect(hashes[2]).toBe(hashes[0]);
  });

  test.each([
    ["no such input", schema, 'input z from "schema.yaml"', ['schema/no-input 4 "z": `schema.yaml` has no columns for an input `z`']],
    [
      "a misspelt input",
      schema.replace("x:", "feats:"),
      'input feat from "schema.yaml"',
      ['schema/no-input 4 "feat": `schema.yaml` has no columns for an input `feat`'],
    ],
    [
      "a list",
      "- x\n",
      undefined,
      ['yaml/type 1 "- x": a feature schema must be a mapping from names of inputs to their columns, not a list'],
    ],
    ["nothing", "", undefined, ['yaml/type 1 "": a feature schema must be a mapping from names of inputs to their columns, not nothing']],
    ["a number", "x: 10\n", undefined, ['yaml/type 1 "10": `x` must be a mapping with `groups` or `features`, not 10']],
    ["no columns", "x: {doc: a}\n", undefined, ['yaml/missing-key 1 "x": `x` has no `width`, `features` or `groups`']],
    [
      "a width as text",
      schema.replace("width: 3", 'width: "3"'),
      undefined,
      ['yaml/type 9 "\\"3\\"": the width of `x.base.age` must be a whole number from 1 up, not the text "3"'],
    ],
    [
      "a fraction",
      schema.replace("width: 3", "width: 2.5"),
      undefined,
      ['yaml/type 9 "2.5": the width of `x.base.age` must be a whole number from 1 up, not 2.5'],
    ],
    [
      "widths that do not add up",
      schema.replace("width: 3", "width: 4"),
      undefined,
      ['schema/width 6 "6": `x.base` is 6 wide and has groups that add up to 7'],
    ],
    [
      "widths above",
      schema.replace("width: 10", "width: 12"),
      undefined,
      ['schema/width 2 "12": `x` is 12 wide and has groups that add up to 10'],
    ],
    [
      "features that do not add up",
      schema.replace("name: rfm,", "name: rfm, width: 4,"),
      undefined,
      ['schema/width 8 "4": `x.base.rfm` is 4 wide and has 3 features'],
    ],
    ["a group twice", schema.replace("name: age", "name: rfm"), undefined, ['name/duplicate 9 "rfm": `rfm` is declared twice']],
    ["a feature twice", schema.replace("frequency", "recency"), undefined, ['name/duplicate 8 "recency": `recency` is declared twice']],
    ["a key twice", schema.replace("width: 4", "width: 4\n      width: 5"), undefined, ['yaml/syntax 12 "w": map keys must be unique']],
    [
      "a misspelt key",
      schema.replace("features: [a", "featurs: [a"),
      'input y from "schema.yaml"',
      ['yaml/missing-key 12 "y": `y` has no `width`, `features` or `groups`', 'yaml/unknown-key 14 "featurs": `y` has no key `featurs`'],
    ],
    [
      "a group without a name",
      schema.replace("{ name: age, width: 3 }", "{ width: 3 }"),
      undefined,
      ['yaml/missing-key 9 "{ width: 3 }": a group of `x.base` has no `name`'],
    ],
    ["no name of the language", schema.replace("name: age", "name: 나이"), undefined, ['schema/name 9 "나이": "나이" cannot name a group']],
    ["a reserved word", schema.replace("recency", "in"), undefined, ['schema/name 8 "in": "in" cannot name a feature']],
    [
      "groups and features",
      schema.replace("width: 4", "features: [a]\n      groups: [{name: b, width: 1}]"),
      undefined,
      ['schema/width 11 "features": `x.extra` has `groups` and `features`, and takes one of them'],
    ],
    ["no groups", "x: {groups: []}\n", undefined, ['yaml/type 1 "[]": `groups` of `x` must be a list of groups, not a list']],
    [
      "an unknown dtype",
      schema.replace("i32", "int8"),
      'input y from "schema.yaml"',
      ['yaml/type 13 "int8": the dtype of `y` must be `f32`, `i32`, `bool`, not the text "int8"'],
    ],
    [
      "a doc that is a number",
      schema.replace("doc: What we know.", "doc: 3"),
      undefined,
      ['yaml/type 3 "3": the doc of `x` must be text, not 3'],
    ],
    ["broken YAML", schema.replace("groups:", "groups: ["), undefined, [expect.stringContaining("yaml/syntax")]],
    [
      "another width than claimed",
      schema,
      'input x: f32[B, 9] from "schema.yaml"',
      ['dim/slices-sum 4 "x": the slices of `x` add up to 10, not 9'],
    ],
    [
      "another dtype than claimed",
      schema,
      'input x: i32[B, 10] from "schema.yaml"',
      ['schema/dtype 4 "i32[B, 10]": input `x` is i32 in the spec and f32 in the schema'],
    ],
    ["a file that is not there", schema, 'input x from "shema.yaml"', ['import/not-found 4 "\\"shema.yaml\\"": cannot find `shema.yaml`']],
    [
      "a path that leaves the project",
      schema,
      'input x from "../schema.yaml"',
      ['import/outside 4 "\\"../schema.yaml\\"": `../schema.yaml` leaves the project'],
    ],
    [
      "an absolute path",
      schema,
      'input x from "/etc/schema.yaml"',
      ['import/outside 4 "\\"/etc/schema.yaml\\"": `/etc/schema.yaml` leaves the project'],
    ],
    ["a folder", schema, 'input x from "folder"', ["import/unreadable"]],
    ["a link to a place outside", schema, 'input x from "link.yaml"', ["import/outside"]],
  ])("%s", (_, text, input, found) => {
    mkdirSync(folder.path("folder"), { recursive: true });
    try {
      symlinkSync("/etc/hostname", folder.path("link.yaml"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const { models, diagnostics } = check(text, input);
    expect(models).toEqual([]);
    const places = brief(diagnostics.filter(({ code }) => code !== "name/unknown")).map((line) => line.replace(/:\d+ "/, ' "'));
    expect(places.slice(0, found.length)).toEqual(
      found.map((line) => (typeof line === "string" && !line.includes(" ") ? expect.stringContaining(line) : line)),
    );
    if (found.length === 1 && typeof found[0] === "string" && found[0].includes(" ")) expect(places).toHaveLength(1);
  });

  it("shows the place in the YAML text", () => {
    const { diagnostics } = check(schema.replace("width: 3", "width: 4"));
    expect(rendered(diagnostics).replaceAll(folder.path("schema.yaml"), "schema.yaml")).toBe(
      [
        "schema.yaml:6:14 error schema/width: `x.base` is 6 wide and has groups that add up to 7",
        "    6 │       width: 6",
        "      │              ^",
        "  help: 3 + 4 = 7: 1 column too many",
      ].join("\n"),
    );
  });

  it("suggests names of the schema", () => {
    const { diagnostics } = check(schema, 'input x from "schema.yaml"', "linear(x.base.rffm, 4)");
    expect(rendered(diagnostics)).toContain("did you mean `rfm`?");
  });
});

describe("the grammar of input ... from", () => {
  test.each([
    ['input x from "a.yaml"', 'input x from "a.yaml"'],
    ['input   x:f32[B,3]?=1   from"a.yaml"', 'input x: f32[B, 3]? = 1 from "a.yaml"'],
    ['input x // why\n  from "a.yaml"', 'input x // why\n  from "a.yaml"'],
    ["input from: f32[B, 3]", "input from: f32[B, 3]"],
    ['input from from "a.yaml"', 'input from from "a.yaml"'],
  ])("%j is formatted", (text, formatted) => {
    const source = new Source("m.ple", `model M {\n  ${text}\n}\n`);
    expect(formatSource(source)).toMatchObject({ text: `model M {\n  ${formatted}\n}\n` });
  });

  test.each([
    ["input x", "`:` and the type of the input, or `from` and a feature schema"],
    ["input x from", "the path of a feature schema as a string"],
    ["input x from a", "the path of a feature schema as a string"],
  ])("%j is a syntax error", (text, expected) => {
    const { diagnostics } = parse(new Source("m.ple", `model M {\n  ${text}\n}\n`));
    expect(diagnostics[0]?.message).toContain(expected);
  });

  it("takes slices from one place", () => {
    const { diagnostics } = parse(new Source("m.ple", 'model M {\n  input x: f32[B, 2] from "a.yaml" { a: 2 }\n}\n'));
    expect(diagnostics.map(({ code }) => code)).toContain("syntax/unexpected");
  });
});
