import { readFileSync } from "node:fs";
import onnxProto from "onnx-proto";
import { afterAll, describe, expect, it } from "vitest";
import { readMetadata } from "../../runtime/read-onnx.ts";
import { runCli, temporaryFolder } from "./run-cli.ts";

const folder = temporaryFolder({
  "model.ple": `
import { Tower } from "std/layers"
import { mse } from "std/losses"
model Wide {
  input x: f32[B, 16]
  input item: id[B] of 5000
  task a: regression { loss: mse }
  flow a { return concat([x, embedding(item, 4)]) |> linear(8192) |> silu |> linear(4) |> Tower(1, [4]) }
}`,
});
afterAll(() => folder.remove());

async function compile(name: string, ...options: readonly string[]): Promise<Uint8Array> {
  const path = folder.path(name);
  const { code, stderr } = await runCli(["compile", folder.path("model.ple"), "--train", "-o", path, ...options]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  return readFileSync(path);
}

const products = (bytes: Uint8Array) =>
  onnxProto.onnx.ModelProto.decode(bytes).graph?.node?.filter(({ opType }) => opType === "MatMul").length ?? 0;

describe("compile --train", () => {
  it("makes large tensors again, unless it is told to keep them", async () => {
    expect(products(await compile("again.onnx"))).toBe(products(await compile("kept.onnx", "--no-recompute")) + 1);
  });

  it("says which tables the step takes by rows", async () => {
    const bytes = await compile("tables.onnx");
    const { tables } = JSON.parse(readMetadata(bytes)?.get("plec.training") ?? "") as { readonly tables: unknown };
    const table = "flow/a/embedding/table";
    expect(tables).toEqual([
      {
        param: table,
        states: [`param/${table}`, `adam/m/rows/${table}`, `adam/v/rows/${table}`],
        ids: [{ input: "item", places: `rows/${table}/of/item` }],
      },
    ]);
    const inputs = onnxProto.onnx.ModelProto.decode(bytes).graph?.input?.map(({ name }) => name) ?? [];
    for (const name of [`param/${table}`, `rows/${table}/of/item`]) expect(inputs).toContain(name);
    expect(inputs).not.toContain("item");
  });

  it("--no-recompute goes with it", async () => {
    const { code, stderr } = await runCli(["compile", folder.path("model.ple"), "--no-recompute", "-o", folder.path("model.onnx")]);
    expect(code).toBe(2);
    expect(stderr).toContain("--phase, --accumulate, --no-recompute, --rows and --loss-scale go with --train");
  });
});
