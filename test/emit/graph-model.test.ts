import { readdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-wasm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import { describeModel } from "../../runtime/description.ts";
import { generateBatch } from "../../runtime/generate.ts";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";

/** `plec compile --target tfjs`, then TensorFlow.js alone. */
const spec = "specs/ple_cluster_adatt.ple";
const folder = temporaryFolder();
const target = folder.path("model");
beforeAll(async () => {
  expect(await runCli(["compile", spec, "--target", "tfjs", "-o", target, "--seed", "3"])).toMatchObject({ code: 0, stderr: "" });
  await tf.setBackend("wasm");
});
afterAll(() => folder.remove());

/** As tfjs-node's handler of `file://` does, which needs native code. */
function fromFiles(path: string): tf.io.IOHandler {
  return {
    load: async () => {
      const model = JSON.parse(readFileSync(join(path, "model.json"), "utf8")) as tf.io.ModelJSON;
      return tf.io.getModelArtifactsForJSON(model, async (manifest) => [
        manifest.flatMap((group) => group.weights),
        new Uint8Array(Buffer.concat(manifest.flatMap((group) => group.paths.map((name) => readFileSync(join(path, name)))))).buffer,
      ]);
    },
  };
}

const [model] = checkFile(spec).models;
if (model === undefined) throw new Error(`${spec} has no model`);
const description = describeModel(model);
const tasks = description.tasks.map((task) => task.name);

function feeds(rows: number): tf.NamedTensorMap {
  const types = { f32: "float32", i32: "int32", bool: "bool" } as const;
  return Object.fromEntries(
    [...generateBatch(description, rows, 3)].map(([name, { dtype, shape, data }]) => [name, tf.tensor(data, [...shape], types[dtype])]),
  );
}

async function expectAsPlec(loaded: Awaited<ReturnType<typeof loadGraphModel>>, rows: number): Promise<void> {
  const wanted = await runCli(["run", spec, "--seed", "3", "--generate", String(rows), "--json"]);
  const { predictions } = JSON.parse(wanted.stdout) as { readonly predictions: Readonly<Record<string, unknown>> };
  const inputs = feeds(rows);
  const found = loaded.predict(inputs) as tf.NamedTensorMap;
  for (const task of tasks) {
    const values = await (found[task] as tf.Tensor).data();
    const expected = [predictions[task]].flat(Number.POSITIVE_INFINITY) as number[];
    expect(values).toHaveLength(expected.length);
    values.forEach((value, i) => {
      expect(Math.abs(value - (expected[i] as number)) / Math.max(1, Math.abs(expected[i] as number)), `${task} ${i}`).toBeLessThan(1e-4);
    });
  }
  tf.dispose([inputs, found]);
}

describe("tf.loadGraphModel, without plec", () => {
  test("runs the model from its files, on batches of any size", async () => {
    const loaded = await loadGraphModel(fromFiles(target));
    for (const rows of [1, 3]) await expectAsPlec(loaded, rows);
    loaded.dispose();
  });

  test("runs the model over HTTP", async () => {
    const requested: string[] = [];
    const server = createServer((request, response) => {
      requested.push(request.url ?? "");
      response.end(readFileSync(join(folder.path("."), request.url ?? "")));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const loaded = await loadGraphModel(`http://127.0.0.1:${port}/model/model.json`);
      await expectAsPlec(loaded, 2);
      loaded.dispose();
    } finally {
      server.close();
    }
    expect(requested.sort()).toEqual(
      readdirSync(target)
        .map((name) => `/model/${name}`)
        .sort(),
    );
  });

  test("sees a signature with the names of inputs and tasks, any batch, and gates among the outputs", async () => {
    const loaded = await loadGraphModel(fromFiles(target));
    const signature = loaded.modelSignature as Record<"inputs" | "outputs", Record<string, { tensorShape: { dim: { size: string }[] } }>>;
    expect(Object.keys(signature.inputs).sort()).toEqual(description.inputs.map((input) => input.name).sort());
    expect(Object.keys(signature.outputs)).toEqual(expect.arrayContaining([...tasks, "gates/ctr"]));
    for (const { tensorShape } of Object.values(signature.inputs)) expect(tensorShape.dim[0]?.size).toBe("-1");
    loaded.dispose();
  });
});

test("the weights lie in shards of 4 MB", () => {
  const sizes = readdirSync(target)
    .filter((name) => name.endsWith(".bin"))
    .sort()
    .map((name) => statSync(join(target, name)).size);
  expect(sizes.length).toBeGreaterThan(2);
  expect(sizes.slice(0, -1).every((size) => size === 4 << 20)).toBe(true);
  expect(sizes.at(-1)).toBeLessThanOrEqual(4 << 20);
});
