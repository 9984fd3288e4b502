import fc from "fast-check";
import { expect, test } from "vitest";
import { readSafetensors, readWeights, SafetensorsError, writeSafetensors, writeWeights } from "../../runtime/safetensors.ts";
import { Sketch } from "../ops/build-graph.ts";

const tensor = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }).chain((shape) => {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return fc.array(fc.float(), { minLength: size, maxLength: size }).map((values) => ({ shape, data: Float32Array.from(values) }));
});

test("what is written is read back", () => {
  const name = fc.string().filter((text) => text !== "__metadata__" && text !== "__proto__");
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, tensor)),
      fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }),
      (entries, metadata) => {
        const file = { tensors: new Map(entries), metadata };
        const read = readSafetensors(writeSafetensors(file));
        expect(new Map(read.tensors)).toEqual(file.tensors);
        expect({ ...read.metadata }).toEqual(metadata);
      },
    ),
  );
});

test("reads a file made of its documented parts, at any place in memory", () => {
  const header = '{"b":{"dtype":"F32","shape":[1,2],"data_offsets":[4,12]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}';
  const bytes = fileOf(header, Buffer.from(Float32Array.of(1.5, -2, 3).buffer));
  for (const offset of [0, 1, 3]) {
    const moved = new Uint8Array(bytes.length + offset);
    moved.set(bytes, offset);
    const { tensors } = readSafetensors(moved.subarray(offset));
    expect(tensors).toEqual(
      new Map([
        ["b", { shape: [1, 2], data: Float32Array.of(-2, 3) }],
        ["a", { shape: [], data: Float32Array.of(1.5) }],
      ]),
    );
    expect(readSafetensors(Buffer.from(moved).subarray(offset)).tensors).toEqual(tensors);
  }
});

test("data begins at a multiple of eight bytes, as other readers expect", () => {
  const bytes = writeSafetensors({ tensors: new Map([["weight", { shape: [1], data: Float32Array.of(1) }]]), metadata: {} });
  expect(Number(new DataView(bytes.buffer).getBigUint64(0, true)) % 8).toBe(0);
});

const entry = (fields: object) => JSON.stringify({ w: { dtype: "F32", shape: [2], data_offsets: [0, 8], ...fields } });
const eight = new Uint8Array(8);
const broken: readonly (readonly [file: Uint8Array, problem: string, message: string])[] = [
  [new Uint8Array(5), "truncated", "the file has 5 bytes, too few for a safetensors file"],
  [Buffer.from("PK\x03\x04 a zip file"), "header", "this is no safetensors file"],
  [fileOf(entry({}), eight).subarray(0, 30), "truncated", "the header is 54 bytes long and the file ends 32 bytes before its end"],
  [fileOf("[1, 2]", eight), "header", "the header is no JSON object"],
  [fileOf('{"w": ', eight), "header", "the header is no JSON object"],
  [fileOf('{"w": 3}', eight), "header", "the header entry of `w` is no object"],
  [fileOf(entry({ dtype: "BF16" }), eight), "dtype", "`w` is BF16; weights are F32"],
  [fileOf(entry({ shape: [-2] }), eight), "header", "the shape of `w` is no list of whole numbers"],
  [fileOf(entry({ data_offsets: [0] }), eight), "header", "the data_offsets of `w` are no pair of whole numbers"],
  [fileOf(entry({ shape: [3] }), eight), "shape", "`w` of shape [3] takes 12 bytes and has 8"],
  [fileOf(entry({}), new Uint8Array(6)), "truncated", "the data of `w` ends 2 bytes after the end of the file"],
  [fileOf(entry({}), new Uint8Array(12)), "layout", "the last 4 bytes belong to no tensor"],
  [fileOf(entry({ data_offsets: [4, 12] }), new Uint8Array(12)), "layout", "4 bytes before `w` belong to no tensor"],
  [
    fileOf('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', eight),
    "layout",
    "`b` begins at byte 4, inside of the tensor before it, which ends at 8",
  ],
  [fileOf('{"__metadata__": {"epoch": 3}}', new Uint8Array()), "header", "the metadata entry `epoch` is no string"],
];
for (const [file, problem, message] of broken) {
  test(message, () => {
    const error = caught(() => readSafetensors(file));
    expect(error.message).toContain(message);
    expect(error.problem).toBe(problem);
  });
}

test("weights of a graph: each of its shape, none missing and none more", () => {
  const sketch = new Sketch();
  sketch.param("gate/w", [2, 3]);
  sketch.param("gate/b", [3]);
  const graph = sketch.graph({});
  const weights = new Map([
    ["gate/w", Float32Array.of(1, 2, 3, 4, 5, 6)],
    ["gate/b", Float32Array.of(7, 8, 9)],
  ]);
  expect(readWeights(writeWeights(weights, graph), graph)).toEqual(weights);

  const turned = { shape: [3, 2], data: new Float32Array(6) };
  const good = { shape: [3], data: new Float32Array(3) };
  const read = (tensors: Record<string, { shape: number[]; data: Float32Array }>) => () =>
    readWeights(writeSafetensors({ tensors: new Map(Object.entries(tensors)), metadata: {} }), graph);
  expect(caught(read({ "gate/w": turned, "gate/b": good })).message).toBe(
    "`gate/w` has the shape [3, 2] in the weight file and [2, 3] in the model",
  );
  const names = caught(read({ "gate/b": good, "gate/W": turned }));
  expect(names.message).toBe("the weight file lacks `gate/w` and has `gate/W`, unknown to the model");
  expect([names.missing, names.extra]).toEqual([["gate/w"], ["gate/W"]]);
});

function fileOf(header: string, data: Uint8Array): Uint8Array {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  return new Uint8Array(Buffer.concat([length, Buffer.from(header), data]));
}

function caught(run: () => unknown): SafetensorsError {
  try {
    run();
  } catch (error) {
    if (error instanceof SafetensorsError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
