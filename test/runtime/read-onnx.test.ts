import onnxProto from "onnx-proto";
import { describe, expect, it } from "vitest";
import { describeAsMetadata, metadataKeys } from "../../runtime/description.ts";
import { readDescription, readMetadata } from "../../runtime/read-onnx.ts";
import { description, features, input } from "./support.ts";

const { onnx } = onnxProto;

function encode(metadata: Readonly<Record<string, string>>): Uint8Array {
  return onnx.ModelProto.encode({
    irVersion: 8,
    producerName: "plec",
    graph: { name: "g", initializer: [{ name: "w", dims: [3], dataType: 1, rawData: new Uint8Array(12).fill(0xff) }] },
    opsetImport: [{ domain: "", version: 17 }],
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  }).finish();
}

describe("readMetadata", () => {
  it("finds what onnx-proto wrote", () => {
    expect(readMetadata(encode({ a: "1", ключ: "значение", empty: "" }))).toEqual(
      new Map([
        ["a", "1"],
        ["ключ", "значение"],
        ["empty", ""],
      ]),
    );
  });

  it.each([
    ["text", new TextEncoder().encode("this is not a model")],
    ["a cut file", encode({ a: "1" }).subarray(0, 20)],
  ])("gives null for %s", (_, bytes) => expect(readMetadata(bytes)).toBeNull());
});

describe("the description of a model", () => {
  const model = description([features, input("seq", { shape: ["B", "T", 3], optional: true, fill: -1 })]);

  it("survives the metadata of an ONNX file", () => {
    expect(readDescription(encode(describeAsMetadata(model, "1.2.3", { seed: 7 })))).toEqual(model);
  });

  it("says where the weights come from", () => {
    expect(describeAsMetadata(model, "1.2.3", { seed: 7 })[metadataKeys.seed]).toBe("7");
    expect(describeAsMetadata(model, "1.2.3", { fileHash: "ab" })[metadataKeys.weights]).toBe("ab");
  });

  it("is absent from other ONNX files", () => expect(readDescription(encode({ author: "someone" }))).toBeNull());
});
