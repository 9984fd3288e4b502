import { readdirSync, readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import type { OpName } from "../../compiler/ops/attributes.ts";
import { batch, type OpDefinition } from "../../compiler/ops/op.ts";
import { ops } from "../../compiler/ops/table.ts";
import { initialWeights } from "../../compiler/weights.ts";
import { buildGraphModel } from "../../runtime/build-graph-model.ts";
import { describeModel } from "../../runtime/description.ts";
import { tfjsEngine } from "../../runtime/engines/tfjs.ts";
import { generateBatch } from "../../runtime/generate.ts";
import { runTfjs } from "../ops/run-tfjs.ts";
import { sampleGraph, sampleInputs } from "../ops/sample-graph.ts";

/** Written by scripts/tfjs-node-gpu-kernels.mjs. */
const nodeGpu = JSON.parse(readFileSync("test/fixtures/tfjs-node-gpu-kernels.json", "utf8")) as {
  readonly version: string;
  readonly kernels: readonly string[];
};
const registered = {
  [`tfjs-node-gpu ${nodeGpu.version}`]: new Set(nodeGpu.kernels),
  wasm: new Set<string>(),
};

async function kernelsOf(run: () => Promise<unknown>): Promise<readonly string[]> {
  const { kernelNames } = await tf.profile(async () => {
    await run();
    return {};
  });
  expect(kernelNames.length).toBeGreaterThan(0);
  for (const { kernelName } of tf.getKernelsForBackend("wasm")) registered.wasm.add(kernelName);
  // Scopes of composite ops, whose kernels are in the list too.
  return kernelNames.filter((name) => !name.endsWith("__op"));
}

function expectRegistered(used: readonly string[]): void {
  for (const [backend, kernels] of Object.entries(registered)) {
    expect(
      used.filter((name) => !kernels.has(name)),
      backend,
    ).toEqual([]);
  }
}

describe("every kernel that graphs use is one that tfjs-node-gpu and wasm register", () => {
  test.each((Object.entries(ops) as [OpName, OpDefinition<OpName>][]).filter(([, { samples }]) => samples().length > 0))(
    "op %s",
    async (op, { samples }) => {
      for (const sample of samples()) {
        const graph = sampleGraph(op, sample, (dim) => dim);
        expectRegistered(await kernelsOf(() => runTfjs(graph, sampleInputs(graph, sample, batch), "wasm")));
      }
    },
  );

  test.each(readdirSync("specs").filter((name) => name.endsWith(".ple")))("%s", async (spec) => {
    for (const model of checkFile(`specs/${spec}`).models) {
      const engine = await tfjsEngine(
        buildGraphModel(model, model.graph, { weights: initialWeights(model.graph, 1), origin: { seed: 1 } }, "test"),
        {
          backend: "wasm",
        },
      );
      expectRegistered(await kernelsOf(() => engine.run(generateBatch(describeModel(model), 1, 1))));
      await engine.close();
    }
  });
});
