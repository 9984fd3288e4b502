import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import { DeviceLost, type Engine } from "../../runtime/engine.ts";
import { generateBatch } from "../../runtime/generate.ts";
import { openChecked } from "../../runtime/open-model.ts";
import { weightsOf } from "../../runtime/weights-of.ts";
import { runCli } from "../cli/run-cli.ts";

/** The device of the WebGPU backend, taken away as a driver would. */
function loseDevice(): void {
  (tf.backend() as unknown as { readonly device: { destroy(): void } }).device.destroy();
}

test("a run whose device is lost is an error, not a hang, and so is the next one", { timeout: 60_000 }, async () => {
  const [model] = checkFile("specs/mmoe.ple").models;
  if (model === undefined) throw new Error("specs/mmoe.ple has no model");
  const { engine, description } = await openChecked(model, weightsOf(model, { path: undefined, seed: 1 }), {
    engine: "tfjs",
    backend: "webgpu",
  });
  const run = (of: Engine) => of.run(generateBatch(description, 2, 1));
  expect((await run(engine)).get("income")?.data).toHaveLength(2);
  const running = run(engine);
  loseDevice();
  await expect(running).rejects.toThrow(DeviceLost);
  await expect(run(engine)).rejects.toThrow(/^the GPU was lost while the model ran/);
  await engine.close();

  const { code, stderr } = await runCli(["run", "specs/mmoe.ple", "--engine", "tfjs", "--backend", "webgpu", "--generate", "2"]);
  expect(stderr).toMatch(/^plec: the GPU was lost while the model ran.*\n$/);
  expect(code).toBe(1);
});
