import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import { initialWeights } from "../../compiler/weights.ts";
import { metadataKeys } from "../../runtime/description.ts";
import { readMetadata } from "../../runtime/read-onnx.ts";
import { writeSafetensors, writeWeights } from "../../runtime/safetensors.ts";
import { runCli, temporaryFolder } from "./run-cli.ts";
import { good, twoModels, withError } from "./specs.ts";

const folder = temporaryFolder({ "good.ple": good, "error.ple": withError, "two.ple": twoModels });
const spec = folder.path("good.ple");
const model = folder.path("good.onnx");
beforeAll(async () => {
  expect(await runCli(["compile", spec, "-o", model, "--seed", "5"])).toMatchObject({ code: 0, stderr: "" });
});
afterAll(() => folder.remove());

const json = async (argv: readonly string[]) => {
  const { code, stdout, stderr } = await runCli([...argv, "--json"]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  return JSON.parse(stdout);
};

function expectClose(actual: unknown, wanted: unknown): void {
  const flat = (value: unknown): number[] => (Array.isArray(value) ? value.flatMap(flat) : [value as number]);
  expect(flat(actual)).toHaveLength(flat(wanted).length);
  flat(actual).forEach((value, index) => {
    expect(Math.abs(value - (flat(wanted)[index] ?? Number.NaN))).toBeLessThan(1e-5);
  });
}

describe("plec compile", () => {
  it("records in the file where it comes from", () => {
    const metadata = readMetadata(readFileSync(model));
    expect(metadata?.get(metadataKeys.model)).toBe("Small");
    expect(metadata?.get(metadataKeys.hash)).toMatch(/^[0-9a-f]{64}$/);
    expect(metadata?.get(metadataKeys.seed)).toBe("5");
    expect(JSON.parse(metadata?.get(metadataKeys.tasks) ?? "")).toMatchObject([
      { name: "ctr", kind: "binary" },
      { name: "stage", kind: "classes", width: 3 },
    ]);
    expect(JSON.parse(metadata?.get(metadataKeys.inputs) ?? "")).toMatchObject([
      { name: "x", optional: false, shape: ["B", 6] },
      { name: "cluster", vocabulary: 3 },
      { name: "more", optional: true },
    ]);
    expect(JSON.parse(metadata?.get(metadataKeys.slices) ?? "").x[0]).toMatchObject({ name: "base", start: 0, width: 4 });
  });

  it("depends on the seed alone", async () => {
    const [again, other] = [folder.path("again.onnx"), folder.path("other.onnx")];
    await runCli(["compile", spec, "-o", again, "--seed", "5"]);
    await runCli(["compile", spec, "-o", other, "--seed", "6"]);
    expect(readFileSync(again).equals(readFileSync(model))).toBe(true);
    expect(readFileSync(other).equals(readFileSync(model))).toBe(false);
  });

  it("takes weights from a file and records its hash", async () => {
    const [checked] = checkFile(spec).models;
    if (checked === undefined) throw new Error("the spec has errors");
    const file = folder.path("weights.safetensors");
    const bytes = writeWeights(initialWeights({ params: checked.parameters }, 5), { params: checked.parameters });
    writeFileSync(file, bytes);
    const target = folder.path("weighted.onnx");
    expect(await runCli(["compile", spec, "-o", target, "--weights", file])).toMatchObject({ code: 0, stderr: "" });
    const metadata = readMetadata(readFileSync(target));
    expect(metadata?.get(metadataKeys.weights)).toBe(createHash("sha256").update(bytes).digest("hex"));
    expect(metadata?.get(metadataKeys.seed)).toBeUndefined();
    const rows = ["--generate", "2", "--seed", "1"];
    expect((await json(["run", target, ...rows])).predictions).toEqual((await json(["run", model, ...rows])).predictions);
  });

  it.each([
    ["cut short", (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 4)],
    ["of another model", () => writeSafetensors({ tensors: new Map([["w", { shape: [1], data: Float32Array.of(1) }]]), metadata: {} })],
    ["no weights at all", () => new TextEncoder().encode("hello")],
  ])("refuses a weight file that is %s", async (name, spoil) => {
    const [checked] = checkFile(spec).models;
    if (checked === undefined) throw new Error("the spec has errors");
    const file = folder.path(`${name}.safetensors`);
    writeFileSync(file, spoil(writeWeights(initialWeights({ params: checked.parameters }, 5), { params: checked.parameters })));
    const target = folder.path("refused.onnx");
    const { code, stdout, stderr } = await runCli(["compile", spec, "-o", target, "--weights", file]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(`plec: ${file}: `);
    expect(existsSync(target)).toBe(false);
  });

  it("runs no more weights from memory than ONNX Runtime takes, and says what to do", async () => {
    const large = folder.path("large.ple");
    const tables = [0, 1, 2].map((i) => `input id_${i}: id[B] of 12000000\n`).join("");
    writeFileSync(
      large,
      `model Large {\n input x: f32[B, 4]\n ${tables} task t: binary { loss: none }\n flow per task { return concat([x, ${[0, 1, 2].map((i) => `embedding(id_${i}, 16)`).join(", ")}]) |> linear(1) }\n}`,
    );
    const { code, stdout, stderr } = await runCli(["run", large, "--generate", "1"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toBe(
      `plec: Large has 2.1 GiB of weights, more than ONNX Runtime takes from memory; \`plec compile\` it and run the file\n`,
    );
  });

  it("writes nothing for a spec with errors, which it prints", async () => {
    const before = readdirSync(dirname(model));
    const { code, stdout, stderr } = await runCli(["compile", folder.path("error.ple"), "-o", folder.path("error.onnx")]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/error\.ple:\d+:\d+/);
    expect(readdirSync(dirname(model))).toEqual(before);
  });

  it("asks which of several models is meant", async () => {
    const target = folder.path("two.onnx");
    const asked = await runCli(["compile", folder.path("two.ple"), "-o", target]);
    expect(asked.code).toBe(2);
    expect(asked.stderr).toContain("has 2 models; choose one with --model: Small, Other");
    expect((await runCli(["compile", folder.path("two.ple"), "-o", target, "--model", "Third"])).code).toBe(2);
    expect(existsSync(target)).toBe(false);
    expect((await runCli(["compile", folder.path("two.ple"), "-o", target, "--model", "Other"])).code).toBe(0);
    expect(readMetadata(readFileSync(target))?.get(metadataKeys.model)).toBe("Other");
  });

  it("writes a GraphModel as a folder, and replaces an older one whole", async () => {
    const target = folder.path("graph-model");
    mkdirSync(target);
    writeFileSync(join(target, "model.json"), "{}");
    writeFileSync(join(target, "group1-shard9of9.bin"), "old");
    const { code, stdout, stderr } = await runCli(["compile", spec, "--target", "tfjs", "-o", target, "--seed", "5"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/graph-model: Small, [\d,]+ parameters, [\d,]+ bytes\n$/);
    expect(readdirSync(target).sort()).toEqual(["group1-shard1of1.bin", "model.json"]);
    const { userDefinedMetadata } = JSON.parse(readFileSync(join(target, "model.json"), "utf8"));
    expect(userDefinedMetadata.plec).toMatchObject({ [metadataKeys.model]: "Small", [metadataKeys.seed]: "5" });
    expect(readdirSync(dirname(target)).filter((name) => name.includes(".tmp"))).toEqual([]);
  });

  it("shows the loop that TensorFlow.js cannot unroll, and where its length comes from", async () => {
    const dynamic = temporaryFolder({
      "dynamic.ple": `import { bce } from "std/losses"

model M {
  dim T
  input visits: f32[B, T, 8]
  task t: binary { loss: bce }
  let h = linear_scan(sigmoid(visits), visits, axis: 1)
  flow per task { return sum(h, axis: 1) |> linear(1) }
}
`,
    });
    const [file, target] = [dynamic.path("dynamic.ple"), dynamic.path("model")];
    for (const argv of [
      ["compile", file, "--target", "tfjs", "-o", target],
      ["run", file, "--engine", "tfjs", "--generate", "2"],
    ]) {
      const { code, stdout, stderr } = await runCli(argv);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toContain(
        "dynamic.ple:7:11 error target/loop-length: this linear_scan has T steps, and TensorFlow.js runs loops unrolled",
      );
      expect(stderr).toMatch(/note .*dynamic\.ple:5:9: `visits` is declared with T here/);
      expect(stderr).toContain("help: Give the axis a fixed length");
    }
    expect(existsSync(target)).toBe(false);
    dynamic.remove();
  });

  it("touches no folder that holds something else, and no file", async () => {
    const target = folder.path("documents");
    mkdirSync(target);
    writeFileSync(join(target, "thesis.txt"), "years of work");
    const refused = await runCli(["compile", spec, "--target", "tfjs", "-o", target]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("documents holds thesis.txt, which is no part of a GraphModel; name another folder");
    expect(readdirSync(target)).toEqual(["thesis.txt"]);
    const file = await runCli(["compile", spec, "--target", "tfjs", "-o", model]);
    expect({ code: file.code, stdout: file.stdout }).toEqual({ code: 2, stdout: "" });
    expect(file.stderr).toContain("good.onnx is a file; a GraphModel is a folder");
    const nowhere = await runCli(["compile", spec, "--target", "tfjs", "-o", folder.path("no/such/folder")]);
    expect(nowhere.code).toBe(2);
    expect(nowhere.stderr).toContain("no such file or folder");
  });

  it("says that it cannot write", async () => {
    const { code, stderr } = await runCli(["compile", spec, "-o", folder.path("no/such/folder.onnx")]);
    expect(code).toBe(2);
    expect(stderr).toContain("folder.onnx: no such file or folder");
  });
});

describe("plec run", () => {
  it("gives predictions of every task, probabilities for classes", async () => {
    const report = await json(["run", model, "--generate", "3", "--seed", "1", "--outputs", "gates/*"]);
    expect(report).toMatchObject({ version: 1, model: "Small", engine: "onnxruntime", rows: 3 });
    expect(Object.keys(report.predictions)).toEqual(["ctr", "stage"]);
    expect(Object.keys(report.outputs)).toEqual(["gates/ctr", "gates/stage"]);
    for (const p of report.predictions.ctr) expect(p > 0 && p < 1).toBe(true);
    for (const row of [...report.predictions.stage, ...report.outputs["gates/ctr"]]) expectClose([row[0] + row[1] + row[2]], [1]);
  });

  it("agrees among a compiled model, its spec, and the interpreter", async () => {
    const options = ["--generate", "4", "--seed", "5", "--outputs", "gates/ctr"];
    const compiled = await json(["run", model, ...options]);
    const fromSpec = await json(["run", spec, ...options]);
    const interpreted = await json(["run", spec, ...options, "--engine", "interpreter"]);
    expect(fromSpec.predictions).toEqual(compiled.predictions);
    expect(interpreted.engine).toBe("interpreter");
    for (const name of ["ctr", "stage"]) expectClose(interpreted.predictions[name], compiled.predictions[name]);
    expectClose(interpreted.outputs["gates/ctr"], compiled.outputs["gates/ctr"]);
  });

  it("runs specs and GraphModels on TensorFlow.js, and says on which backend", async () => {
    const target = folder.path("run-graph-model");
    expect((await runCli(["compile", spec, "--target", "tfjs", "-o", target, "--seed", "5"])).code).toBe(0);
    const options = ["--generate", "4", "--seed", "5", "--outputs", "gates/ctr"];
    const wanted = await json(["run", model, ...options]);
    for (const argv of [
      ["run", spec, "--engine", "tfjs", "--backend", "wasm"],
      ["run", spec, "--engine", "tfjs", "--backend", "cpu"],
      ["run", target, "--backend", "wasm"],
      ["run", join(target, "model.json"), "--engine", "tfjs", "--backend", "cpu"],
    ]) {
      const found = await json([...argv, ...options]);
      expect(found.engine).toBe(`tfjs ${argv.at(-1)}`);
      for (const name of ["ctr", "stage"]) expectClose(found.predictions[name], wanted.predictions[name]);
      expectClose(found.outputs["gates/ctr"], wanted.outputs["gates/ctr"]);
    }
    const { code, stderr } = await runCli(["run", spec, "--engine", "tfjs", "--generate", "1"]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^plec: running on tfjs (node-gpu|webgpu|wasm)\n$/);
  });

  it("reads rows in every form alike", async () => {
    const forms = {
      "rows.json": `[{"x":[1,2,3,4,5,6],"cluster":2},{"x":[6,5,4,3,2,1],"cluster":0,"more":[1,2]}]`,
      "columns.json": `{"x":{"base":[[1,2,3,4],[6,5,4,3]],"extra":[[5,6],[2,1]]},"cluster":[2,0],"more":[null,[1,2]]}`,
      "rows.csv": "x.base.rfm.0,x.1,x.2,x.3,x.extra.0,x.5,cluster,more.0,more.1\n1,2,3,4,5,6,2,,\n6,5,4,3,2,1,0,1,2\n",
    };
    const predictions = [];
    for (const [name, text] of Object.entries(forms)) {
      writeFileSync(folder.path(name), text);
      predictions.push((await json(["run", model, "--input", folder.path(name)])).predictions);
    }
    expect(predictions[1]).toEqual(predictions[0]);
    expect(predictions[2]).toEqual(predictions[0]);
  });

  it("reports wrong rows with file, row and column", async () => {
    const file = folder.path("wrong.csv");
    writeFileSync(file, "x.0,x.1,x.2,x.3,x.4,x.5,cluster\n1,2,3,4,5,6,0\n1,2,3,4,5,nan,3\n");
    const { code, stdout, stderr } = await runCli(["run", model, "--input", file]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(`${file}: row 2, column x.5: "nan" is not a finite 32-bit number`);
    expect(stderr).toContain(`${file}: row 2, column cluster: id 3 is not in 0..2`);
    expect(stderr).toContain("2 errors");
  });

  it("prints a table of rows by tasks, and the gates by expert", async () => {
    const { code, stdout } = await runCli(["run", model, "--generate", "2", "--outputs", "gates/*"]);
    expect(code).toBe(0);
    const lines = stdout.split("\n");
    expect(lines[0]).toMatch(/^row +ctr +stage$/);
    expect(lines[1]).toMatch(/^ +1 +0\.\d{4} +[0-2] \(0\.\d\d\)$/);
    expect(lines[4]).toMatch(/^output +row +dense_0 +dense_1 +dense_2$/);
    expect(lines).toHaveLength(10);
  });

  it.each([
    [["--outputs", "gate"], 2, "no output is called gate; the outputs are gates/ctr, gates/stage"],
    [["--model", "Small"], 2, "--model goes with a spec"],
    [["--backend", "wasm"], 2, "--backend goes with --engine tfjs"],
    [["--engine", "tfjs"], 2, "good.onnx is an ONNX file, which the engine ort runs"],
  ])("%j", async (argv, expected, message) => {
    const { code, stderr } = await runCli(["run", model, "--generate", "1", ...argv]);
    expect(stderr).toContain(message);
    expect(code).toBe(expected);
  });

  it("refuses an ONNX file of someone else", async () => {
    writeFileSync(folder.path("other-tool.onnx"), "hello");
    const { code, stderr } = await runCli(["run", folder.path("other-tool.onnx"), "--generate", "1"]);
    expect(code).toBe(2);
    expect(stderr).toContain("is not an ONNX file written by plec");
  });
});
