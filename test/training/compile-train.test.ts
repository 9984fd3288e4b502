import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";

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
