import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import onnxProto from "onnx-proto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { descriptionFromMetadata, type ModelDescription, metadataKeys } from "../../runtime/description.ts";
import { readMetadata } from "../../runtime/read-onnx.ts";
import { runCli, temporaryFolder } from "./run-cli.ts";
import { good } from "./specs.ts";

/** With a third input that only one task reads. */
const spec = `${good.slice(0, good.indexOf("  flow per task"))}
  input graph: f32[B, 5]?
  input note: f32[B, 1]

  flow ctr {
    return concat([mixed, linear(graph, 3), note]) |> Tower(task.width, [4])
  }

${good.slice(good.indexOf("  flow per task"))}`;
const folder = temporaryFolder({ "model.ple": spec });
const whole = folder.path("whole.onnx");
const rows = ["--generate", "5", "--seed", "3"];
afterAll(() => folder.remove());

async function compile(name: string, ...options: readonly string[]): Promise<string> {
  const target = folder.path(name);
  const { code, stderr } = await runCli(["compile", folder.path("model.ple"), "-o", target, "--seed", "5", ...options]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  return target;
}

async function predict(
  model: string,
  ...options: readonly string[]
): Promise<{ predictions: Record<string, unknown>; outputs: Record<string, unknown> }> {
  const { code, stdout, stderr } = await runCli(["run", model, ...options, "--json"]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

function numbers(value: unknown): number[] {
  return Array.isArray(value) ? value.flatMap(numbers) : [value as number];
}

function expectClose(found: unknown, wanted: unknown, tolerance = 1e-5): void {
  expect(numbers(found)).toHaveLength(numbers(wanted).length);
  for (const [i, value] of numbers(wanted).entries()) expect(Math.abs((numbers(found)[i] ?? Number.NaN) - value)).toBeLessThan(tolerance);
}

function describeFile(path: string): ModelDescription {
  const description = descriptionFromMetadata(readMetadata(readFileSync(path)) ?? new Map());
  if (description === null) throw new Error(`${path} has no description`);
  return description;
}

const decode = (path: string) => onnxProto.onnx.ModelProto.decode(readFileSync(path));
const inputsOf = (path: string) => decode(path).graph?.input?.map(({ name }) => name);
const outputsOf = (path: string) => decode(path).graph?.output?.map(({ name }) => name);

beforeAll(async () => {
  await compile("whole.onnx");
});

describe("--precision fp16", () => {
  it("keeps inputs and outputs float32, halves the weights, and says so in the metadata", async () => {
    const target = await compile("half.onnx", "--precision", "fp16");
    const { graph } = decode(target);
    for (const { type } of [...(graph?.input ?? []), ...(graph?.output ?? [])]) expect([1, 6]).toContain(type?.tensorType?.elemType);
    expect(graph?.initializer?.find(({ name }) => name?.endsWith("table"))?.dataType).toBe(10);
    expect(readMetadata(readFileSync(target))?.get(metadataKeys.precision)).toBe("fp16");
    expect(readMetadata(readFileSync(whole))?.has(metadataKeys.precision)).toBe(false);
    const [found, wanted] = [await predict(target, ...rows), await predict(whole, ...rows)];
    for (const task of ["ctr", "stage"]) expectClose(found.predictions[task], wanted.predictions[task], 5e-3);
    expect(found.predictions).not.toEqual(wanted.predictions);
  });
});

describe("--outputs", () => {
  it.each([
    ["ctr", ["ctr"], ["x", "cluster", "more", "graph", "note"]],
    ["stage,gates/*", ["stage", "gates/ctr", "gates/stage"], ["x", "cluster", "more"]],
    ["gates/s*", ["gates/stage"], ["x", "cluster", "more"]],
    ["gates/*,!gates/ctr", ["gates/stage"], ["x", "cluster", "more"]],
    ["!ctr,!st*,!gates/ctr", ["gates/stage"], ["x", "cluster", "more"]],
  ])("%s", async (patterns, outputs, inputs) => {
    const target = await compile("part.onnx", "--outputs", patterns);
    expect(outputsOf(target)).toEqual(outputs);
    expect(inputsOf(target)).toEqual(inputs);
    const description = describeFile(target);
    expect(description.inputs.map(({ name }) => name)).toEqual(inputs);
    expect([...description.tasks, ...description.outputs].map(({ name }) => name)).toEqual(outputs);
  });

  it("gives the same numbers, outputs alone as well", async () => {
    const wanted = await predict(folder.path("whole.onnx"), ...rows, "--outputs", "gates/ctr");
    const gates = await predict(await compile("gates.onnx", "--outputs", "gates/ctr"), ...rows);
    expect(gates.predictions).toEqual({});
    expect(Object.keys(gates.outputs)).toEqual(["gates/ctr"]);
    const table = await runCli(["run", folder.path("gates.onnx"), "--generate", "1"]);
    expect(table).toMatchObject({ code: 0, stderr: "" });
    expect(numbers(gates.outputs["gates/ctr"])).toHaveLength(numbers(wanted.outputs["gates/ctr"]).length);
  });
});

describe("--without", () => {
  it("gives what feeding the fill gives, with fewer inputs, weights and nodes", async () => {
    const target = await compile("without.onnx", "--without", "graph", "--without", "more");
    expect(inputsOf(target)).toEqual(["x", "cluster", "note"]);
    expect(describeFile(target).inputs.map(({ name }) => name)).toEqual(["x", "cluster", "note"]);
    const shapes = (path: string) => decode(path).graph?.initializer?.map(({ dims }) => dims?.map(Number).join());
    expect(shapes(whole)).toContain("5,3");
    expect(shapes(target)).not.toContain("5,3");
    const batch = folder.path("rows.json");
    writeFileSync(
      batch,
      JSON.stringify([
        { x: [1, 2, 3, 4, 5, 6], cluster: 2, note: [0.5] },
        { x: [6, 5, 4, 3, 2, 1], cluster: 0, note: [-1] },
      ]),
    );
    const [found, wanted] = [await predict(target, "--input", batch), await predict(whole, "--input", batch)];
    for (const task of ["ctr", "stage"]) expectClose(found.predictions[task], wanted.predictions[task]);
  });
});

describe("--external-data", () => {
  it("moves the weights beside the file, from where it runs", async () => {
    const target = await compile("outside.onnx", "--external-data");
    const tensors = decode(target).graph?.initializer ?? [];
    const entries = tensors.map((tensor) => new Map(tensor.externalData?.map(({ key, value }) => [key, value])));
    // The small model's tensors are below what is moved; see the larger ones in test/emit.
    expect(entries.every((entry) => entry.size === 0 || entry.get("location") === "outside.onnx.data")).toBe(true);
    expect(existsSync(`${target}.data`)).toBe(true);
    expect((await predict(target, ...rows)).predictions).toEqual((await predict(whole, ...rows)).predictions);
    expect(readdirSync(folder.path(".")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

describe("a data file of before", () => {
  const wide = `model Wide {
  input x: f32[B, 64]
  task t: regression { loss: none }
  flow per task { return x |> linear(64) |> linear(1) }
}`;

  it("goes with the model that read it", async () => {
    const [spec, target] = [folder.path("wide.ple"), folder.path("wide.onnx")];
    writeFileSync(spec, wide);
    await runCli(["compile", spec, "-o", target, "--external-data"]);
    expect(existsSync(`${target}.data`)).toBe(true);
    expect((await runCli(["compile", spec, "-o", target])).code).toBe(0);
    expect(existsSync(`${target}.data`)).toBe(false);
    expect((await runCli(["run", target, "--generate", "1"])).code).toBe(0);
  });

  it("stays where the model did not read it", async () => {
    const [spec, target] = [folder.path("wide.ple"), folder.path("other.onnx")];
    writeFileSync(spec, wide);
    await runCli(["compile", spec, "-o", target]);
    writeFileSync(`${target}.data`, "mine");
    expect((await runCli(["compile", spec, "-o", target])).code).toBe(0);
    expect(existsSync(`${target}.data`)).toBe(true);
  });
});

describe("--opset and --ir-version", () => {
  it.each([
    [["--opset", "17"], 17, 8],
    [["--opset", "18"], 18, 8],
    [["--opset", "19"], 19, 9],
    [["--opset", "21"], 21, 10],
    [["--opset", "17", "--ir-version", "10"], 17, 10],
  ])("%j", async (options, opset, ir) => {
    const target = await compile("versioned.onnx", ...options);
    const model = decode(target);
    expect([Number(model.opsetImport[0]?.version), Number(model.irVersion)]).toEqual([opset, ir]);
    expect((await predict(target, ...rows)).predictions).toEqual((await predict(whole, ...rows)).predictions);
  });
});

describe("what cannot be compiled", () => {
  it.each([
    [["--without", "grahp"], "--without grahp: no input is called grahp; did you mean graph?"],
    [["--without", "x"], "--without x: input x is required, so that nothing can stand for it; the optional inputs are more, graph"],
    [["--outputs", "ctr,stge"], "no output is called stge; did you mean stage?"],
    [["--outputs", "z*"], "no output is called z*; the outputs are ctr, stage, gates/ctr, gates/stage"],
    [["--outputs", ","], "--outputs names no output"],
    [["--opset", "16"], "--opset 16 cannot be written; choose one of 17, 18, 19, 20, 21"],
    [["--opset", "22"], "--opset 22 cannot be written"],
    [["--opset", "19", "--ir-version", "8"], "--ir-version 8 cannot be written; with opset 19 it is 9 to 10"],
    [["--ir-version", "11"], "--ir-version 11 cannot be written; with opset 17 it is 8 to 10"],
    [["-o", "-"], "-o - would print a compiled model"],
    [["--precision", "fp8"], "Allowed choices are fp32, fp16"],
  ])("%j", async (options, message) => {
    const target = folder.path("never.onnx");
    const { code, stdout, stderr } = await runCli(["compile", folder.path("model.ple"), "-o", target, ...options]);
    expect(stderr).toContain(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(existsSync(target)).toBe(false);
  });
});
