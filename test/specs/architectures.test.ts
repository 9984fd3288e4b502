import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import { checkSpec, countWeights, editSpec, logitOf, modelOf, specFiles, trainedBy } from "./checked-specs.ts";

/** Rows of census columns, embeddings of 8 for 5 of them. */
const joined = 6 + 5 * 8;

describe("every spec", () => {
  test("is among those tested here", () => {
    const known = "adatt_sp aitm cgc dcn_v2 deepfm esmm mmoe pepnet ple ple_cluster_adatt shared_bottom stem";
    expect(specFiles.map((name) => name.replace(".ple", "")).sort()).toEqual(known.split(" "));
  });

  test.each(specFiles)("%s has no findings", (name) => {
    expect(checkSpec(name).diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual([]);
    expect(checkSpec(name).models).toHaveLength(1);
  });

  test.each(specFiles)("%s gives weights to no two places under one name", (name) => {
    const names = modelOf(checkSpec(name)).parameters.map((param) => param.name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("every file of the library", () => {
  const files = readdirSync("specs/std", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ple"));

  test.each(files)("std/%s has no findings on its own, with symbols for its dims", (name) => {
    expect(checkFile(`specs/std/${name}`).diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual([]);
  });
});

describe("what each architecture shares", () => {
  const dense = (from: number, to: number) => from * to + to;

  test("Shared-Bottom: everything but the towers", () => {
    const model = modelOf(checkSpec("shared_bottom.ple"));
    expect(countWeights(model, /^shared\//)).toBe(dense(joined, 64) + dense(64, 32));
    expect(countWeights(model, /^flow\/income\//)).toBe(dense(32, 16) + 2 * 16 + dense(16, 1));
  });

  test("MMoE: all experts, and a gate without bias for each task", () => {
    const model = modelOf(checkSpec("mmoe.ple"));
    expect(countWeights(model, /^shared\//)).toBe(8 * dense(joined, 16));
    expect(countWeights(model, /^mixed\//)).toBe(2 * joined * 8);
  });

  test("CGC: a task's gate sees its own experts and the shared ones, no other task's", () => {
    const model = modelOf(checkSpec("cgc.ple"));
    expect(countWeights(model, /^own\//)).toBe(2 * 4 * dense(joined, 16));
    expect(countWeights(model, /^mixed\/income\//)).toBe(joined * (4 + 4));
  });

  test("PLE: the shared gate sees all experts of all tasks, each gate looks at what its level reads, the last level has no shared gate", () => {
    const model = modelOf(checkSpec("ple.ple"));
    const gates = model.parameters
      .filter(({ name }) => /attention/.test(name))
      .map(({ name, value }) => [name.split("/").slice(0, 2).join("/"), ...value.type.shape]);
    expect(gates).toEqual([
      ["task_1/income", joined, 2 + 2],
      ["task_1/never_married", joined, 2 + 2],
      ["all_1/attention", joined, 2 * 2 + 2],
      ["task_2/income", 32, 2 + 2],
      ["task_2/never_married", 32, 2 + 2],
    ]);
    const outputs = new Map(model.graph.outputs.map(({ name, value }) => [name, value.type.shape[1]]));
    expect(outputs.get("shared_gate_1")).toBe(6);
  });

  test("AdaTT-sp: each gate sees all experts of all tasks, and adds the task's own by two numbers", () => {
    const model = modelOf(checkSpec("adatt_sp.ple"));
    expect(countWeights(model, /^fused_1\/income\/WeightedSum/)).toBe(joined * 4 + 4);
    expect(countWeights(model, /^fused_2\/income\/WeightedSum/)).toBe(32 * 4 + 4);
    expect(countWeights(model, /^fused_1\/income\/LinearSum/)).toBe(2);
  });

  test("ESMM: the product has no weights and cvr no loss", () => {
    const model = modelOf(checkSpec("esmm.ple"));
    expect(countWeights(model, /^flow\/ctcvr/)).toBe(0);
    expect(model.tasks.map(({ name, loss }) => [name, loss?.name ?? null])).toEqual([
      ["ctr", "bce"],
      ["cvr", null],
      ["ctcvr", "bce"],
    ]);
    expect(model.order).toEqual(["ctr", "cvr", "ctcvr"]);
  });

  test("AITM: information flows along the chain", () => {
    const model = modelOf(checkSpec("aitm.ple"));
    expect(model.order).toEqual(["click", "cart", "buy"]);
    expect(countWeights(model, /^flow\/click\/hidden/)).toBe(0);
    expect(countWeights(model, /^flow\/buy\/hidden/)).toBe(dense(32, 32) + 3 * 32 * 32);
    expect(model.penalties.map(({ name }) => name)).toEqual(["calibrator"]);
  });

  const [ids, fields] = [10_000 + 5_000 + 200 + 5, 4];

  test("STEM: a shared embedding and one for each task", () => {
    const model = modelOf(checkSpec("stem.ple"));
    expect(countWeights(model, /^common\//)).toBe(ids * 16);
    expect(countWeights(model, /^private\//)).toBe(3 * ids * 16);
    expect(countWeights(model, /^mixed\/buy\//)).toBe(fields * 16 * (3 * 2 + 2) + (3 * 2 + 2));
  });

  test("STEM: a task trains its own embedding and the shared one, and reads all", () => {
    const model = modelOf(checkSpec("stem.ple"));
    for (const task of ["click", "cart", "buy"]) {
      const trained = [...trainedBy(logitOf(model, task))];
      const places = new Set(
        trained.map((name) =>
          name
            .split("/")
            .slice(0, name.startsWith("common") || name.startsWith("shared") ? 1 : 2)
            .join("/"),
        ),
      );
      expect([...places].sort()).toEqual(["common", `flow/${task}`, `mixed/${task}`, `own/${task}`, `private/${task}`, "shared"]);
    }
    // without the stop every loss would train every embedding
    const open = modelOf(editSpec("stem.ple", ["else stop_gradient(e)", "else e"]));
    expect([...trainedBy(logitOf(open, "click"))].some((name) => name.startsWith("private/buy"))).toBe(true);
  });

  test("PEPNet: one gate for the embeddings, and for each task one on every hidden layer", () => {
    const model = modelOf(checkSpec("pepnet.ple"));
    const [x, market, who] = [5 * 16, 8 + 6, 3 * 16];
    const gate = (seen: number, width: number) => dense(seen, width) + dense(width, width);
    expect(countWeights(model, /^personal\//)).toBe(gate(market + x, x));
    const tower = dense(x, 64) + gate(who + x, 64) + dense(64, 32) + gate(who + x, 32) + dense(32, 1);
    expect(countWeights(model, /^flow\/like\//)).toBe(tower);
  });

  test("DCN-v2: a mixture of four matrices of rank 16 in each of three layers, and the forms it replaces", () => {
    const x = fields * 16 + 8;
    const crosses = (...edits: readonly (readonly [string, string])[]) =>
      countWeights(modelOf(editSpec("dcn_v2.ple", ...edits)), /^shared\/dcn\/crossed\//);
    expect(crosses()).toBe(3 * (4 * (2 * x * 16 + 16 * 16) + 4 * x + x));
    expect(crosses([", experts: 4", ""])).toBe(3 * (2 * x * 16 + x));
    expect(crosses([", rank: 16, experts: 4", ""])).toBe(3 * dense(x, x));
  });

  test("DeepFM: one embedding of 16 for each of 4 categorical and 4 numeric fields", () => {
    const model = modelOf(checkSpec("deepfm.ple"));
    expect(countWeights(model, /^shared\/deepfm\/v/)).toBe((10_000 + 5_000 + 200 + 5 + 8) * 16 + 8 * 16);
  });
});
