import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkSource } from "../../compiler/driver.ts";
import { emitTypes } from "../../compiler/emit/types.ts";
import { makeConsumer } from "../api/consumer.ts";
import { checkSpec, modelOf, specFiles } from "../specs/checked-specs.ts";

const consumer = makeConsumer();
afterAll(() => consumer.remove());

const typesOf = (name: string) => emitTypes(modelOf(checkSpec(name)), { spec: name, version: "0.0.0" });
const moduleOf = (spec: string) => `./${spec.replace(/\.ple$/, ".js")}`;

/** Everything that a name, a doc comment and an input can be. */
const odd = `import { Tower } from "std/layers"
import { bce, nll, huber, mse } from "std/losses"

/// Ends a comment: */ let wrong = 1;
model Odd {
  dim T
  /// Also */ here, and a quote " and \${this}.
  input class: f32[B, 3] {
    /// The slice's own words.
    new: 2,
    default: 1,
  }
  input __proto__: id[B] of 4
  input visits: f32[B, T, 2]?
  input flag: bool[B]
  input flags: bool[B, 2]?

  group constructor { intra: 0.5 }

  task function in constructor: binary { loss: bce }
  /// Of four stages.
  task await in constructor: classes(4) { loss: nll }
  task pair in constructor: regression(2) { loss: mse }
  task amount in constructor: regression { loss: huber, activation: softplus }
  task unlabelled in constructor: binary { loss: none }
  task later in constructor: regression { enabled: false }

  let visited = sum(visits, axis: 1)
  let x = concat([class, embedding(__proto__, 2), visited, f32(flag)[:, none], f32(flags)])

  flow per task { return x |> Tower(task.width) }

  output plain = x[:, 0]
  output cube = visits
}
`;

const use = (
  spec: string,
  body: string,
) => `import { load, type Inputs, type Predictions, type Targets, type Task, type Slice } from "${moduleOf(spec)}";
import * as generated from "${moduleOf(spec)}";
export type Kept = [Inputs, Predictions, Targets, Task, Slice, typeof generated];
const model = await load("model.onnx");
${body}
await model.close();
`;

const row = "{ numeric: [1, 2, 3, 4, 5, 6], education: 1, occupation: 2, industry: 3, household: 4, sex: 1 }";

/** What a user may write over the types of a spec. */
const compiling: readonly (readonly [name: string, spec: string, body: string])[] = [
  [
    "rows in, predictions out",
    "mmoe.ple",
    `const [first] = await model.predict([${row}]);\nexport const p: number | undefined = first?.income;`,
  ],
  ["a typed array", "mmoe.ple", `await model.predict([{ ...${row}, numeric: new Float32Array(6) }]);`],
  [
    "outputs by name",
    "mmoe.ple",
    `const [first] = await model.outputs([${row}], ["gates/income"]);\nexport const g: number | undefined = first?.["gates/income"][0];`,
  ],
  ["generated rows", "mmoe.ple", "export const rows: readonly Inputs[] = model.generate(2, 1);"],
  ["an optional input left out", "ple_cluster_adatt.ple", "export const r: Inputs = { features: new Float32Array(734), cluster_id: 3 };"],
  ["an optional input that is null", "ple_cluster_adatt.ple", "export const r: Inputs = { features: [], cluster_id: 3, tda: null };"],
  ["a task by its name", "ple_cluster_adatt.ple", 'export const t: Task = "ctr";\nexport const w: 6 = generated.tasks.life_stage.width;'],
  ["a slice as data", "ple_cluster_adatt.ple", 'export const s: 34 = generated.slices["features.base.rfm"].end;'],
  ["an expert's place", "ple_cluster_adatt.ple", "export const i: 1 = generated.experts.shared.perslay.index;"],
  ["labels, unknown ones among them", "mmoe.ple", "export const t: Targets = { income: 1, never_married: null };"],
];

/** What must not compile, and what the compiler says of it. */
const rejected: readonly (readonly [name: string, spec: string, body: string, error: RegExp])[] = [
  [
    "a required input is missing",
    "mmoe.ple",
    "await model.predict([{ numeric: [1], education: 1, occupation: 2, industry: 3, household: 4 }]);",
    /'sex' is missing/,
  ],
  ["an unknown input", "mmoe.ple", `await model.predict([{ ...${row}, height: 2 }]);`, /'height' does not exist/],
  [
    "a list where a number is expected",
    "mmoe.ple",
    `await model.predict([{ ...${row}, sex: [1] }]);`,
    /'\[number\]' is not assignable to type 'number'/,
  ],
  [
    "a number where a list is expected",
    "mmoe.ple",
    `await model.predict([{ ...${row}, numeric: 1 }]);`,
    /'number' is not assignable to type 'Vector'/,
  ],
  ["text", "mmoe.ple", `await model.predict([{ ...${row}, sex: "male" }]);`, /'string' is not assignable to type 'number'/],
  [
    "null for a required input",
    "mmoe.ple",
    `await model.predict([{ ...${row}, sex: null }]);`,
    /'null' is not assignable to type 'number'/,
  ],
  ["a row that is not in a list", "mmoe.ple", `await model.predict(${row});`, /not assignable|does not exist/],
  [
    "the prediction of an unknown task",
    "mmoe.ple",
    `const [p] = await model.predict([${row}]);\nexport const x = p?.outcome;`,
    /'outcome' does not exist/,
  ],
  ["an unknown task", "ple_cluster_adatt.ple", 'export const t: Task = "ctrr";', /'"ctrr"' is not assignable/],
  ["a disabled task", "ple_cluster_adatt.ple", 'export const t: Task = "uplift";', /'"uplift"' is not assignable/],
  [
    "the list of a wide prediction as a number",
    "ple_cluster_adatt.ple",
    "const [p] = await model.predict([]);\nexport const x: number | undefined = p?.life_stage;",
    /'readonly number\[\] \| undefined'/,
  ],
  ["a missing target", "mmoe.ple", "export const t: Targets = { income: 1 };", /'never_married' is missing/],
  ["a binary target of 2", "mmoe.ple", "export const t: Targets = { income: 2, never_married: 0 };", /Type '2' is not assignable/],
  ["an unknown slice", "ple_cluster_adatt.ple", 'export const s: Slice = "features.bass";', /'"features.bass"' is not assignable/],
  ["an unknown output", "mmoe.ple", `await model.outputs([${row}], ["gates/outcome"]);`, /'"gates\/outcome"' is not assignable/],
  ["a changed prediction", "mmoe.ple", `const [p] = await model.predict([${row}]);\nif (p !== undefined) p.income = 1;`, /read-only/],
  ["an unknown engine", "mmoe.ple", 'await load("model.onnx", { engine: "gpu" });', /'"gpu"' is not assignable/],
];

const strictest = { exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noUnusedLocals: true, verbatimModuleSyntax: true };

describe("generated types", () => {
  for (const spec of specFiles) consumer.write(`src/${spec.replace(/\.ple$/, ".ts")}`, typesOf(spec));
  consumer.write("src/odd.ts", emitTypes(modelOf(checkSource("odd.ple", odd)), { spec: "odd.ple", version: "0.0.0" }));
  compiling.forEach(([, spec, body], i) => {
    consumer.write(`src/good_${i}.ts`, use(spec, body));
  });
  rejected.forEach(([, spec, body], i) => {
    consumer.write(`src/bad_${i}.ts`, use(spec, body));
  });
  const resolutions = {
    node16: { module: "node16", ...strictest },
    bundler: { module: "esnext", moduleResolution: "bundler", ...strictest },
  };
  const errors = Object.fromEntries(Object.entries(resolutions).map(([name, options]) => [name, consumer.compile(options)]));

  describe.each(Object.keys(resolutions))("under --strict with the module resolution %s", (resolution) => {
    const errorsOf = (file: string) => errors[resolution]?.get(`src/${file}.ts`) ?? [];

    it.each([...specFiles, "odd.ple"])("those of %s compile", (spec) => expect(errorsOf(spec.replace(/\.ple$/, ""))).toEqual([]));
    it.each(compiling.map(([name], i) => [name, i] as const))("compiles: %s", (_, i) => expect(errorsOf(`good_${i}`)).toEqual([]));
    it.each(rejected.map(([name, , , error], i) => [name, i, error] as const))("does not compile: %s", (_, i, error) => {
      expect(errorsOf(`bad_${i}`)).toEqual([expect.stringMatching(error)]);
    });
    it("has errors nowhere else", () => {
      expect([...(errors[resolution]?.keys() ?? [])].sort()).toEqual(rejected.map((_, i) => `src/bad_${i}.ts`).sort());
    });
  });

  it.each(specFiles)("of an unchanged %s are the same byte for byte", (spec) => {
    expect(emitTypes(modelOf(checkSpec(spec)), { spec: `elsewhere/${spec}`, version: "0.0.0" })).toBe(typesOf(spec));
  });

  it("carry the doc comments of the spec", () => {
    const text = typesOf("ple_cluster_adatt.ple");
    expect(text).toContain("   * Soft routing for customers between clusters; a row without it is routed by its id.\n");
    const oddText = emitTypes(modelOf(checkSource("odd.ple", odd)), { spec: "odd.ple", version: "0" });
    expect(oddText).toContain(" * Ends a comment: *\\/ let wrong = 1;\n");
    expect(oddText).toContain('  /** The slice\'s own words. */\n  "class.new"');
  });

  it("say where they come from", () => {
    const [first, second] = typesOf("mmoe.ple").split("\n");
    expect(first).toBe("// Generated by plec 0.0.0 from mmoe.ple. Do not edit: change the spec and run `plec types` again.");
    expect(second).toBe(`// spec sha256 ${modelOf(checkSpec("mmoe.ple")).hash}`);
  });

  it.each(["ort", "tfjs"] as const)("predict on %s what plec run predicts", { timeout: 120_000 }, (engine) => {
    const specs = ["mmoe.ple", "esmm.ple", "ple_cluster_adatt.ple"];
    consumer.write(
      "predict.mjs",
      `
const found = {};
for (const spec of ${JSON.stringify(specs)}) {
  const { load } = await import("./out/" + spec.replace(".ple", ".js"));
  const options = { seed: 3, ${engine === "tfjs" ? 'engine: "tfjs", backend: "wasm"' : 'engine: "ort"'} };
  const model = await load(${JSON.stringify(`${resolve("specs")}/`)} + spec, options);
  const rows = model.generate(4, 3);
  const output = { "mmoe.ple": "gates/income", "ple_cluster_adatt.ple": "gates/ctr" }[spec];
  found[spec] = { engine: model.engine, predictions: await model.predict(rows), outputs: output ? await model.outputs(rows, [output]) : [] };
  await model.close();
}
console.log(JSON.stringify(found));`,
    );
    const found = JSON.parse(consumer.run("predict.mjs"));
    for (const spec of specs) {
      const engineOptions = engine === "tfjs" ? ["--engine", "tfjs", "--backend", "wasm"] : ["--engine", "ort"];
      const names = Object.keys(found[spec].outputs[0] ?? {});
      const args = ["run", `specs/${spec}`, "--generate", "4", "--seed", "3", "--json", ...engineOptions, "--outputs", names.join(",")];
      const { stdout, stderr } = spawnSync(process.execPath, ["bin/plec.cjs", ...args], { encoding: "utf8" });
      expect(stderr).toBe("");
      const expected = JSON.parse(stdout);
      expect(found[spec].engine).toBe(expected.engine);
      const rowsOf = (columns: Readonly<Record<string, readonly unknown[]>>) =>
        [0, 1, 2, 3].map((i) => Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[i]])));
      expect(found[spec].predictions).toEqual(rowsOf(expected.predictions));
      if (names.length > 0) expect(found[spec].outputs).toEqual(rowsOf(expected.outputs));
    }
  });
});
