import { readdirSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as plec from "../../api/index.ts";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";
import { good, twoModels, withError, withUnusedImport } from "../cli/specs.ts";
import { makeConsumer } from "./consumer.ts";

const folder = temporaryFolder({ "good.ple": good, "error.ple": withError, "two.ple": twoModels, "other.onnx": "no model" });
const consumer = makeConsumer();
afterAll(() => {
  folder.remove();
  consumer.remove();
});

const spec = folder.path("good.ple");
const rows = [
  { x: [1, 2, 3, 4, 5, 6], cluster: 0 },
  { x: new Float32Array([6, 5, 4, 3, 2, 1]), cluster: 2, more: [0.5, -0.5] },
  { x: [0, 0, 0, 0, 0, 0], cluster: 1, more: null },
];

describe("check", () => {
  it("gives the models of a spec as plain data", () => {
    const result = plec.check(spec);
    expect(result).toMatchObject({ errors: 0, warnings: 0, diagnostics: [], text: "" });
    const [model] = result.models;
    expect(model).toMatchObject({ name: "Small", doc: "Two tasks over three experts.", order: ["ctr", "stage"] });
    expect(model?.inputs.map(({ name, shape, optional }) => [name, shape, optional])).toEqual([
      ["x", ["B", 6], false],
      ["cluster", ["B"], false],
      ["more", ["B", 2], true],
    ]);
    expect(model?.tasks.map(({ name, kind, width }) => [name, kind, width])).toEqual([
      ["ctr", "binary", 1],
      ["stage", "classes", 3],
    ]);
    // Nothing of the compiler is inside.
    expect(structuredClone(result)).toEqual(result);
  });

  it("gives the same findings as plec check --json", async () => {
    const { stdout } = await runCli(["check", folder.path("error.ple"), "--json"]);
    const { errors, warnings, diagnostics } = JSON.parse(stdout);
    const result = plec.check(folder.path("error.ple"));
    expect(JSON.parse(JSON.stringify({ errors: result.errors, warnings: result.warnings, diagnostics: result.diagnostics }))).toEqual({
      errors,
      warnings,
      diagnostics,
    });
    expect(result.errors).toBeGreaterThan(0);
    expect(result.models).toEqual([]);
    expect(result.text).toBe((await runCli(["check", folder.path("error.ple")])).stdout.replace(/\n[^\n]*\n$/, ""));
  });

  it("checks a text", () => {
    expect(plec.check({ name: "my.ple", text: withUnusedImport })).toMatchObject({
      errors: 0,
      warnings: 1,
      diagnostics: [{ file: "my.ple" }],
    });
  });
});

describe("format", () => {
  it("gives plec's own style", () => expect(plec.format(good.replaceAll("  ", " "))).toEqual({ text: good, diagnostics: [] }));
  it("gives no text for a syntax error", () => {
    expect(plec.format("model M {", "m.ple")).toMatchObject({ text: null, diagnostics: [{ severity: "error", file: "m.ple" }] });
  });
});

describe("compile", () => {
  it("makes the ONNX file of plec compile", async () => {
    await runCli(["compile", spec, "-o", folder.path("cli.onnx"), "--seed", "4"]);
    const { model, data } = await plec.compileOnnx(spec, { seed: 4 });
    expect(data).toBeNull();
    expect(Buffer.from(model).equals(readFileSync(folder.path("cli.onnx")))).toBe(true);
  });

  it("makes a part, in float16", async () => {
    await runCli([
      "compile",
      spec,
      "-o",
      folder.path("part.onnx"),
      "--outputs",
      "ctr",
      "--without",
      "more",
      "--precision",
      "fp16",
      "--opset",
      "19",
    ]);
    const { model } = await plec.compileOnnx(spec, { outputs: ["ctr"], without: ["more"], precision: "fp16", opset: 19 });
    expect(Buffer.from(model).equals(readFileSync(folder.path("part.onnx")))).toBe(true);
  });

  it("makes the GraphModel of plec compile --target tfjs", async () => {
    await runCli(["compile", spec, "-o", folder.path("graph"), "--target", "tfjs"]);
    const files = await plec.compileGraphModel(spec);
    expect(files.map(({ name }) => name).sort()).toEqual(readdirSync(folder.path("graph")).sort());
    for (const { name, content } of files) expect(Buffer.from(content).equals(readFileSync(folder.path(`graph/${name}`)))).toBe(true);
  });

  it.each<readonly [plec.CompileOnnxOptions, string]>([
    [{ outputs: ["click"] }, "no output is called click; there are ctr, stage, gates/ctr, gates/stage"],
    [{ without: ["x"] }, "no optional input is called x; there are more"],
    [{ opset: 3 }, "opset 3 cannot be written; choose one of 17, 18, 19, 20, 21"],
    [{ model: "Big" }, "has no model Big; it has Small"],
    [{ weights: "missing.safetensors" }, "missing.safetensors: "],
  ])("refuses %j", async (options, message) => {
    const error = await plec.compileOnnx(spec, options).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(plec.ModelError);
    expect((error as Error).message).toContain(message);
  });

  it("refuses a spec with errors, showing them", async () => {
    const error = await plec.compileOnnx(folder.path("error.ple")).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(plec.SpecError);
    expect((error as plec.SpecError).message).toContain("dim/mismatch");
    expect((error as plec.SpecError).diagnostics.map(({ code }) => code)).toContain("dim/mismatch");
  });

  it("refuses a spec with several models, unless one is named", async () => {
    await expect(plec.compileOnnx(folder.path("two.ple"))).rejects.toThrow("has several models; choose one of Small, Other");
    expect((await plec.compileOnnx(folder.path("two.ple"), { model: "Other" })).model.length).toBeGreaterThan(0);
  });
});

describe("load", () => {
  beforeAll(async () => {
    await runCli(["compile", spec, "-o", folder.path("model.onnx"), "--seed", "2"]);
    await runCli(["compile", spec, "-o", folder.path("tfjs"), "--seed", "2", "--target", "tfjs"]);
  });

  it("runs a spec, an ONNX file and a GraphModel on either engine, all the same", async () => {
    const results: (readonly plec.Values[])[] = [];
    const sources: readonly (readonly [string | URL, plec.LoadOptions])[] = [
      [spec, { seed: 2 }],
      [spec, { seed: 2, engine: "tfjs", backend: "wasm" }],
      [pathToFileURL(folder.path("model.onnx")), {}],
      [folder.path("tfjs"), { backend: "cpu" }],
    ];
    for (const [source, options] of sources) {
      const model = await plec.load(source, options);
      expect(model).toMatchObject({
        name: "Small",
        tasks: ["ctr", "stage"],
        engine: expect.stringMatching(/^(onnxruntime|tfjs (wasm|cpu))$/),
      });
      results.push(await model.predict(rows));
      const [first = { "gates/ctr": [] }] = await model.outputs(rows.slice(0, 1), ["gates/ctr"]);
      expect((first["gates/ctr"] as readonly number[]).reduce((sum, weight) => sum + weight)).toBeCloseTo(1, 5);
      expect(await model.predict([])).toEqual([]);
      await model.close();
    }
    const [expected = [], ...others] = results.map((predictions) => predictions.flatMap((row) => Object.values(row).flat().map(Number)));
    expect(expected).toHaveLength(rows.length * 4);
    for (const found of others) {
      expect(found).toHaveLength(expected.length);
      for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 5);
    }
  });

  it("fills in what is absent, null or undefined alike", async () => {
    const model = await plec.load(spec);
    const row = { x: [1, 2, 3, 4, 5, 6], cluster: 0 };
    const [absent, missing, undefinedOne, zeros, given] = await model.predict([
      row,
      { ...row, more: null },
      { ...row, more: undefined },
      { ...row, more: [0, 0] },
      { ...row, more: [1, 1] },
    ]);
    await model.close();
    expect([missing, undefinedOne, zeros]).toEqual([absent, absent, absent]);
    expect(given).not.toEqual(absent);
  });

  it.each<readonly [string, readonly plec.Values[], string]>([
    ["a missing input", [{ x: [1, 2, 3, 4, 5, 6] }], "the batch: input `cluster` is required and missing"],
    ["a width", [{ x: [1, 2, 3], cluster: 0 }], "the batch: row 1, column x: 3 values where 6 are expected"],
    ["an id", [{ x: [1, 2, 3, 4, 5, 6], cluster: 3 }], "the batch: row 1, column cluster: id 3 is not in 0..2"],
    ["an unknown input", [{ x: [1, 2, 3, 4, 5, 6], clutser: 1 }], "did you mean `cluster`?"],
    ["NaN", [{ x: new Float32Array([1, 2, Number.NaN, 4, 5, 6]), cluster: 1 }], "row 1, column x: NaN is not a finite"],
  ])("refuses %s, saying where", async (_, wrong, message) => {
    const model = await plec.load(spec);
    const error = await model.predict(wrong).catch((thrown: unknown) => thrown);
    await model.close();
    expect(error).toBeInstanceOf(plec.InputError);
    expect((error as plec.InputError).message).toContain(message);
    expect((error as plec.InputError).diagnostics.length).toBeGreaterThan(0);
  });

  it.each<readonly [string, plec.LoadOptions, string]>([
    ["missing.onnx", {}, "no such file"],
    ["other.onnx", {}, "is not an ONNX file written by plec"],
    ["model.onnx", { engine: "tfjs" }, "is an ONNX file, which the engine ort runs"],
    ["tfjs", { engine: "ort" }, "is a GraphModel, which the engine tfjs runs"],
    ["good.ple", { engine: "ort", backend: "cpu" }, "a backend goes with the engine tfjs"],
    ["good.ple", { weights: "missing.safetensors" }, "no such file"],
    ["two.ple", {}, "choose one of Small, Other"],
  ])("refuses %s with %j", async (name, options, message) => {
    const error = await plec.load(folder.path(name), options).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(plec.ModelError);
    expect((error as Error).message).toContain(message);
  });

  it("has no output of another name", async () => {
    const model = await plec.load(spec);
    await expect(model.outputs(rows, ["gates/buy"])).rejects.toThrow(
      "no output is called gates/buy; the outputs are gates/ctr, gates/stage",
    );
    await model.close();
  });
});

describe("a contract", () => {
  const contract: plec.Contract = {
    name: "Small",
    inputs: {
      x: { type: "f32[B, 6]", optional: false },
      cluster: { type: "id[B] of 3", optional: false },
      more: { type: "f32[B, 2]", optional: true },
    },
    tasks: { ctr: { kind: "binary", width: 1 }, stage: { kind: "classes", width: 3 } },
  };
  const { x, ...withoutX } = contract.inputs;
  const load = async (broken: plec.Contract) => {
    const model = await plec.load(spec, {}, broken);
    await model.close();
  };

  it("that the model keeps is silent", () => load(contract));
  it("may know fewer optional inputs and fewer tasks than the model", () => {
    const { more: _, ...inputs } = contract.inputs;
    return load({ ...contract, inputs, tasks: { ctr: { kind: "binary", width: 1 } } });
  });
  it("may have optional inputs that the model lacks", () =>
    load({ ...contract, inputs: { ...contract.inputs, extra: { type: "f32[B]", optional: true } } }));

  it.each<readonly [plec.Contract, string]>([
    [{ ...contract, tasks: { ...contract.tasks, buy: { kind: "binary", width: 1 } } }, "it has no task buy"],
    [
      { ...contract, tasks: { ctr: { kind: "binary", width: 1 }, stage: { kind: "classes", width: 4 } } },
      "task stage is classes(3) in it, and classes(4) in the types",
    ],
    [{ ...contract, tasks: { ctr: { kind: "regression", width: 1 } } }, "task ctr is binary in it, and regression in the types"],
    [{ ...contract, inputs: withoutX }, "it needs the input x, of which the types know nothing"],
    [
      { ...contract, inputs: { ...withoutX, x: { type: "f32[B, 7]", optional: false } } },
      "input x is f32[B, 6] in it, and f32[B, 7] in the types",
    ],
    [
      { ...contract, inputs: { ...contract.inputs, cluster: { type: "id[B] of 3", optional: true } } },
      "input cluster is required in it, and optional in the types",
    ],
    [{ ...contract, inputs: { ...contract.inputs, y: { type: "f32[B]", optional: false } } }, "it has no input y"],
  ])("that the model breaks is refused: %#", async (broken, message) => {
    await expect(load(broken)).rejects.toThrow(`is not the model that these types were generated for: ${message}`);
    await expect(load(broken)).rejects.toBeInstanceOf(plec.ModelError);
    expect(x).toBeDefined();
  });
});

it("generates the types of plec types", async () => {
  expect(await plec.generateTypes(spec)).toBe((await runCli(["types", spec])).stdout);
  expect(plec.version).toBe((await runCli(["--version"])).stdout.trim());
});

describe("the published declarations", () => {
  const program = `import { check, compileGraphModel, compileOnnx, format, generateTypes, load, version } from "plec";
import type { CheckResult, Diagnostic, ModelInfo, Spec } from "plec";
import { InputError, type LoadOptions, type Model } from "plec/runtime";
const spec: Spec = { name: "a.ple", text: "" };
const result: CheckResult = check(spec);
export const codes: readonly string[] = result.diagnostics.map((found: Diagnostic) => found.code);
export const parameters: readonly number[] = result.models.map((model: ModelInfo) => model.parameters);
const options: LoadOptions = { engine: "tfjs", backend: "wasm" };
const model: Model = await load("model.onnx", options);
export const value: unknown = (await model.predict([{ x: 1 }]))[0]?.["ctr"];
export const all: unknown[] = [compileOnnx, compileGraphModel, format("").text, await generateTypes(spec), version, InputError];
`;
  const wrong = `import { check, load } from "plec";
export const a = check(1);
export const b = load("m.onnx", { engine: "gpu" });
export const c = check("a.ple").modles;
export const d = check("a.ple").models[0]?.span;
`;
  it.each([
    ["node16", { module: "node16" }],
    ["nodenext", { module: "nodenext" }],
    ["bundler", { module: "esnext", moduleResolution: "bundler" }],
  ])("type-check with the module resolution %s, their own text included", (_, options) => {
    consumer.write("src/use.ts", program);
    consumer.write("src/wrong.ts", wrong);
    const errors = consumer.compile({ ...options, skipLibCheck: false, exactOptionalPropertyTypes: true });
    expect([...errors.keys()]).toEqual(["src/wrong.ts"]);
    expect(errors.get("src/wrong.ts")?.map((error) => error.slice(0, 6))).toEqual(["TS2345", "TS2322", "TS2551", "TS2339"]);
  });

  it("say what the built files have", () => {
    consumer.write(
      "names.mjs",
      'import * as a from "plec"; import * as b from "plec/runtime"; console.log(JSON.stringify([Object.keys(a), Object.keys(b)]));',
    );
    const [index, runtime] = JSON.parse(consumer.run("names.mjs"));
    expect(index).toEqual(Object.keys(plec).sort());
    expect(runtime).toEqual(["InputError", "ModelError", "SpecError", "load"]);
  });
});
