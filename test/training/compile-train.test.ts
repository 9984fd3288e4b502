import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import * as ort from "onnxruntime-node";
import { afterAll, describe, expect, it } from "vitest";
import { readSafetensors } from "../../runtime/safetensors.ts";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";
import { uniform } from "./run-steps.ts";

const example = "examples/training-graph";
const folder = temporaryFolder();
afterAll(() => folder.remove());

const compile = (...options: readonly string[]) => runCli(["compile", `${example}/shop.ple`, "--train", ...options]);

describe("the example", () => {
  it("trains on ONNX Runtime alone, in 40 lines, and what it writes can be compiled and trained further", { timeout: 60_000 }, async () => {
    expect(readFileSync(`${example}/train.mjs`, "utf8").trimEnd().split("\n")).toHaveLength(40);
    const written = await compile("-o", folder.path("step.onnx"));
    expect(written).toMatchObject({ code: 0, stderr: "" });
    const drive = (from: string, to: string) => {
      const args = ["step.onnx", from, to].map((name) => folder.path(name));
      const { status, stdout, stderr } = spawnSync(process.execPath, [resolve(example, "train.mjs"), ...args], { encoding: "utf8" });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      return stdout
        .trimEnd()
        .split("\n")
        .map((line) => [...line.matchAll(/ (\d+\.\d+)/g)].map(([, loss]) => Number(loss)));
    };
    const losses = drive("step.safetensors", "trained.safetensors");
    expect(losses).toHaveLength(5);
    for (const task of [0, 1, 2]) expect(losses.at(-1)?.[task]).toBeLessThan(0.5 * (losses[0]?.[task] ?? 0));
    const further = drive("trained.safetensors", "further.safetensors");
    for (const task of [0, 1, 2]) expect(further[0]?.[task]).toBeLessThan(0.5 * (losses[0]?.[task] ?? 0));
    const compiled = await runCli([
      "compile",
      `${example}/shop.ple`,
      "--weights",
      folder.path("trained.safetensors"),
      "-o",
      folder.path("shop.onnx"),
    ]);
    expect(compiled).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("plec compile --train", () => {
  it("writes the two halves of a step that is taken in parts", async () => {
    const { code, stdout } = await compile("--accumulate", "-o", folder.path("parts.onnx"));
    expect(code).toBe(0);
    const stem = folder.path("parts");
    expect(stdout.split("\n").map((line) => line.slice(0, line.indexOf(":")))).toEqual([
      `${stem}.gradients.onnx`,
      `${stem}.update.onnx`,
      `${stem}.safetensors`,
      "",
    ]);
  });

  it("whose files, driven by ONNX Runtime alone, take the step of the whole batch", { timeout: 120_000 }, async () => {
    const text = readFileSync(`${example}/shop.ple`, "utf8").replace(", dropout: 0.1", "");
    writeFileSync(folder.path("still.ple"), text);
    for (const options of [
      ["-o", folder.path("shop.onnx")],
      ["--accumulate", "-o", folder.path("shop.onnx")],
      ["--rows", "16", "--loss-scale", "-o", folder.path("fixed.onnx")],
    ])
      expect(await runCli(["compile", folder.path("still.ple"), "--train", ...options])).toMatchObject({
        code: 0,
        stderr: "",
      });
    const next = uniform(9);
    const x = Array.from({ length: 16 * 8 }, next);
    const batchOf = (start: number, rows: number) => {
      const own = x.slice(8 * start, 8 * (start + rows));
      const sums = Array.from({ length: rows }, (_, i) => (own[8 * i] ?? 0) + (own[8 * i + 1] ?? 0));
      return {
        x: new ort.Tensor("float32", Float32Array.from(own), [rows, 8]),
        "label/click": new ort.Tensor(
          "float32",
          Float32Array.from(sums, (sum) => Number(sum > 0)),
          [rows],
        ),
        "label/basket": new ort.Tensor(
          "int32",
          Int32Array.from(sums, (sum) => Number(sum > -0.5) + Number(sum > 0.5)),
          [rows],
        ),
        "label/amount": new ort.Tensor("float32", Float32Array.from(sums), [rows]),
      };
    };
    const start = (stem = "shop"): Record<string, ort.Tensor> =>
      Object.fromEntries(
        [...readSafetensors(readFileSync(folder.path(`${stem}.safetensors`))).tensors].map(([name, { shape, data }]) => [
          name,
          new ort.Tensor("float32", Float32Array.from(data), shape),
        ]),
      );
    const drive = async (file: string, state: Record<string, ort.Tensor>, batch: Record<string, ort.Tensor>) => {
      const session = await ort.InferenceSession.create(folder.path(file));
      const feeds = {
        ...state,
        ...batch,
        "train/epoch": new ort.Tensor("float32", [0], []),
        "train/step": new ort.Tensor("float32", [0], []),
      };
      const results = await session.run(Object.fromEntries(Object.entries(feeds).filter(([name]) => session.inputNames.includes(name))));
      await session.release();
      return {
        ...state,
        ...Object.fromEntries(
          Object.entries(results).flatMap(([name, tensor]) => (name.startsWith("next/") ? [[name.slice(5), tensor]] : [])),
        ),
      };
    };
    const whole = await drive("shop.onnx", start(), batchOf(0, 16));
    let parts = start();
    for (const at of [0, 4, 8, 12]) parts = await drive("shop.gradients.onnx", parts, batchOf(at, 4));
    parts = await drive("shop.update.onnx", parts, {});
    const fixed = await drive("fixed.onnx", start("fixed"), batchOf(0, 16));
    expect(fixed["loss_scale/factor"]?.data[0]).toBe(65536);
    await expect(drive("fixed.onnx", start("fixed"), batchOf(0, 8))).rejects.toThrow("Expected: 16");
    const names = Object.keys(whole).filter((name) => !name.startsWith("gradient/"));
    expect(names.filter((name) => name.startsWith("adam/"))).toHaveLength(5);
    for (const name of names) {
      const [expected = [], ...others] = [whole, parts, fixed].map((state) => [...((state[name]?.data ?? []) as Float32Array)]);
      for (const found of others) for (const [i, value] of expected.entries()) expect(found[i], name).toBeCloseTo(value, 5);
    }
    expect(whole["adam/steps"]?.data[0]).toBe(1);
  });

  it("writes a GraphModel for TensorFlow.js, with the same metadata", async () => {
    const { code, stderr, stdout } = await compile("--target", "tfjs", "-o", folder.path("step"));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("the state to begin with");
    const { userDefinedMetadata } = JSON.parse(readFileSync(folder.path("step/model.json"), "utf8"));
    expect(JSON.parse(userDefinedMetadata.plec["plec.training"])).toMatchObject({ phase: "joint", epochs: 10, batch: 64, accumulate: 1 });
  });

  it.each([
    ["a phase that is not there", ["--phase", "jiont"], 2, "no phase is called jiont; did you mean joint?"],
    ["float16", ["--precision", "fp16"], 2, "--train computes in float32; leave --precision fp16 out"],
    ["batches of no rows", ["--rows", "0"], 2, "--rows takes a number of at least 1"],
    ["a part of the outputs", ["--outputs", "click"], 2, "--train gives losses and the new state; leave --outputs out"],
    ["a part of the inputs", ["--without", "x"], 2, "--train takes every input of the model; leave --without out"],
  ])("refuses %s", async (_, options, code, message) => {
    const result = await compile(...options, "-o", folder.path("none.onnx"));
    expect(result.code).toBe(code);
    expect(result.stderr).toContain(message);
  });

  it("says what of a plan it cannot carry out", async () => {
    const text = readFileSync(`${example}/shop.ple`, "utf8").replace(
      '[phase("joint", epochs: 10)]',
      '[phase("joint", freeze: [shared, mixed, flow])]',
    );
    writeFileSync(folder.path("still.ple"), text.replace("weighting", "adatt: adatt(over: [nothing]), weighting"));
    const { code, stderr } = await runCli(["compile", folder.path("still.ple"), "--train", "-o", folder.path("still.onnx")]);
    expect(code).toBe(1);
    expect(stderr).toContain("over");
  });
});
