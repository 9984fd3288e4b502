import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { afterAll, describe, expect, it } from "vitest";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import { drawWeights } from "../../compiler/weights.ts";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { contractOf } from "../../runtime/data/contract.ts";
import { prepareGraph } from "../../runtime/data/prepare-graph.ts";
import { preparationFromJson, preparationToJson } from "../../runtime/data/statistics.ts";
import { unscalePredictions } from "../../runtime/data/unscale-predictions.ts";
import { describeModel } from "../../runtime/description.ts";
import { interpreterEngine } from "../../runtime/engines/interpreter.ts";
import { runCli } from "../cli/run-cli.ts";
import { DataFolder, modelFor } from "./open-data.ts";

const folder = new DataFolder();
afterAll(() => folder.remove());

const model = modelFor(`import { Dense, Tower } from "std/layers"
import { bce, mse } from "std/losses"
model M {
  input x: f32[B, 4] { log: 2, raw: 2 }
  input alone: f32[B]
  input place: f32[B, 2]?
  input days: f32[B, 3, 2]?
  input days_mask: f32[B, 3]? = 1
  input kind: id[B] of 4
  experts shared { all = Dense(concat([x, alone[.., none], place, flatten(days), days_mask, embedding(kind, 2)]), [6]) }
  task bought: binary { loss: bce }
  task amount: regression { loss: mse }
  task pair: regression(2) { loss: mse }
  flow per task { return shared.all |> Tower(task.width, [4]) }
  train { batch: 8, phases: [phase("joint", epochs: 1)] }
}
`);

const csv = `a,b,c,d,e,p,days,kind,bought,amount,pair
1,10,100,-5,3,"[0.5, 2]","[[1,50],[3,70]]",red,1,100,"[1, 10]"
2,0,300,5,,"[1.5, 6]",,blue,0,900,"[2, 30]"
8,4,200,50,7,,"[[2,10],[4,20],[9,90]]",red,1,250,"[6, 20]"
30,2,-50,0,5,"[0, 4]","[[7,7]]",green,0,4,"[3, 90]"
`;
const inputs = `source: rows.csv
inputs:
  x.log: { columns: [a, b], scale: [log, standard] }
  x.2: { column: c, scale: symlog }
  x.3: { column: d, scale: standard }
  alone: { column: e, scale: standard, missing: mean }
  place: { column: p, scale: standard }
  days: { mask: days_mask, scale: standard }
  kind:
`;
const labels = `labels:
  bought: bought
  amount: { column: amount, scale: [log, standard] }
  pair: { column: pair, scale: standard }
`;

describe("preparation in the graph", () => {
  it("gives for values as they stand in the table what the model gives for prepared ones", async () => {
    folder.write("rows.csv", csv);
    const prepared = await folder.require(contractOf(model), inputs + labels);
    const description = describeModel(model);
    const diagnostics: Diagnostic[] = [];
    // as it comes with weights
    const preparation = preparationFromJson("x", preparationToJson(prepared.preparation), diagnostics);
    if (preparation === null) throw new Error("no preparation");
    const graph = prepareGraph(model.graph, description, preparation);
    verifyGraph(graph);
    expect(graph.inputs.map(({ name }) => name)).toEqual(model.graph.inputs.map(({ name }) => name));
    const weights = drawWeights(model.graph, 3);
    const [whole, plain] = [interpreterEngine(graph, weights), interpreterEngine(model.graph, weights)];

    const [batch] = await collect(prepared.batches({ split: "train", size: 8 }));
    if (batch === undefined) throw new Error("no batch");
    const raw = new Map(batch.tensors);
    const set = (name: string, values: readonly number[]) => {
      const tensor = raw.get(name);
      if (tensor?.dtype === "f32") raw.set(name, { ...tensor, data: Float32Array.from(values) });
    };
    set("x", [1, 10, 100, -5, 2, 0, 300, 5, 8, 4, 200, 50, 30, 2, -50, 0]);
    set("alone", [3, Number.NaN, 7, 5]);
    set("place", [0.5, 2, 1.5, 6, 0, 0, 0, 4]);
    set("days", [1, 50, 3, 70, 0, 0, ...[0, 0, 0, 0, 0, 0], 2, 10, 4, 20, 9, 90, 7, 7, 0, 0, 0, 0]);
    const expected = unscalePredictions(await plain.run(batch.tensors), preparation);
    const found = await whole.run(raw);
    for (const task of ["bought", "amount", "pair"]) {
      const [of, to] = [found.get(task)?.data ?? [], expected.get(task)?.data ?? []];
      expect(of.length).toBeGreaterThan(0);
      for (const [i, value] of of.entries()) expect(value).toBeCloseTo(to[i] ?? Number.NaN, 3);
    }
    // 4 to 900: the mean of their logarithms, and not of standardised values
    for (const value of found.get("amount")?.data ?? []) expect(value).toBeGreaterThan(4);
  });

  it("is of no use for padding that nothing tells from steps", async () => {
    folder.write("rows.csv", csv);
    const padded = inputs.replace("mask: days_mask", "pad: end");
    const prepared = await folder.require(contractOf(model), padded + labels);
    expect(() => prepareGraph(model.graph, describeModel(model), prepared.preparation)).toThrow(
      "`days` is standardised and padded, and no mask tells padding from steps",
    );
  });
});

describe("plec compile --with-preparation", () => {
  const spec = `import { Dense, Tower } from "std/layers"
import { bce, mse } from "std/losses"
model Shop {
  input x: f32[B, 2]
  input kind: id[B] of 4
  experts shared { all = Dense(concat([x, embedding(kind, 2)]), [6]) }
  task bought: binary { loss: bce }
  task amount: regression { loss: mse }
  flow per task { return shared.all |> Tower(task.width, [4]) }
  train { optimizer: adamw(lr: 0.01), batch: 8, phases: [phase("joint", epochs: 1)] }
}
`;
  const at = (name: string) => join(folder.path, name);
  const plec = async (...argv: readonly string[]) => {
    const { code, stdout, stderr } = await runCli(argv);
    expect({ argv, code, stderr }).toEqual({ argv, code: 0, stderr: "" });
    return stdout;
  };

  it.each(["onnx", "tfjs"])(
    "predicts from the table's own numbers what `plec predict` predicts: %s",
    { timeout: 60_000 },
    async (target) => {
      const rows = Array.from({ length: 40 }, (_, i) => ({
        a: (i * 37) % 101,
        b: 1000 + 13 * i,
        kind: ["r", "g", "b"][i % 3],
        amount: 5000 + 40 * i,
      }));
      folder.write("shop.ple", spec);
      folder.write("shop.csv", `a,b,kind,amount\n${rows.map((row) => Object.values(row).join(",")).join("\n")}\n`);
      const columns = "inputs:\n  x: { columns: [a, b], scale: [symlog, standard] }\n  kind:\n";
      folder.write("shop.yaml", `source: shop.csv\n${columns}labels:\n  bought: a > 50\n  amount: { column: amount, scale: standard }\n`);
      const run = at(`run-${target}`);
      await plec("train", at("shop.ple"), "--data", at("shop.yaml"), "--out", run);
      await plec("predict", run, "--data", at("shop.csv"), "-o", at("predicted.csv"));
      const compiled = at(target === "onnx" ? "shop.onnx" : "graph-model");
      await plec("compile", at("shop.ple"), "--weights", run, "--with-preparation", "--target", target, "-o", compiled);
      // most frequent first, ties by their text: r 14 rows, then b and g
      const id = { r: 1, b: 2, g: 3 } as Readonly<Record<string, number>>;
      writeFileSync(at("rows.json"), JSON.stringify(rows.map(({ a, b, kind = "" }) => ({ x: [a, b], kind: id[kind] }))));
      const { predictions } = JSON.parse(await plec("run", compiled, "--input", at("rows.json"), "--json"));
      const predicted: readonly Readonly<Record<string, string>>[] = parse(readFileSync(at("predicted.csv")), { columns: true });
      for (const [i, { bought, amount }] of predicted.entries()) {
        expect(predictions.bought[i]).toBeCloseTo(Number(bought), 4);
        expect(predictions.amount[i] / Number(amount)).toBeCloseTo(1, 4);
        expect(Number(amount)).toBeGreaterThan(3000);
      }
      if (target === "onnx") expect(readFileSync(compiled).includes('"vocabularies":{"kind":["r","b","g"]}')).toBe(true);
    },
  );

  it.each([
    [[], "--with-preparation goes with --weights"],
    [["--weights", "run-onnx", "--precision", "fp16"], "--with-preparation goes with fp32"],
    [["--weights", "run-onnx", "--train"], "--with-preparation is for predictions"],
  ])("says what it cannot do: %j", async (options, expected) => {
    const argv = options.map((option) => (option === "run-onnx" ? at(option) : option));
    const { code, stderr } = await runCli(["compile", at("shop.ple"), "-o", at("y.onnx"), "--with-preparation", ...argv]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(expected) });
  });
});

async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
