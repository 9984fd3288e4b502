import { createHash } from "node:crypto";
import { appendFileSync, closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bytesOfFile, hashOfFile } from "../../runtime/file-bytes.ts";
import { placeTensors, placeWeights, writeWeights } from "../../runtime/safetensors.ts";
import { Sketch } from "../ops/build-graph.ts";

let folder = "";
let path = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "plec-bytes-"));
  path = join(folder, "weights.safetensors");
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const sketch = new Sketch();
sketch.param("w", [2, 2]);
sketch.param("b", [3]);
const graph = sketch.graph({});
const weights = new Map([
  ["w", Float32Array.of(1, 2, 3, 4)],
  ["b", Float32Array.of(5, 6, 7)],
]);

test("weights are read from where they lie", () => {
  const bytes = writeWeights(weights, graph);
  writeFileSync(path, bytes);
  const read = placeWeights(bytesOfFile(path), graph);
  for (const [name, values] of weights) expect(read.get(name)).toEqual(values);
  expect(read.get("other")).toBeUndefined();
  expect(hashOfFile(path)).toBe(createHash("sha256").update(bytes).digest("hex"));
});

test("a file that changes under the reader is refused", () => {
  writeFileSync(path, writeWeights(weights, graph));
  const read = placeWeights(bytesOfFile(path), graph);
  appendFileSync(path, "more");
  expect(() => read.get("w")).toThrow("the file has changed while it was read");
});

test("a tensor behind the first 2 GiB", () => {
  const large = 2 ** 29 + 5; // numbers, of which the file system stores none
  const header = Buffer.from(
    JSON.stringify({
      large: { dtype: "F32", shape: [large], data_offsets: [0, 4 * large] },
      last: { dtype: "F32", shape: [2], data_offsets: [4 * large, 4 * large + 8] },
    }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = openSync(path, "w");
  writeSync(file, Buffer.concat([length, header]));
  const at = 8 + header.length + 4 * large;
  ftruncateSync(file, at);
  writeSync(file, Buffer.from(Float32Array.of(1.5, -2).buffer), 0, 8, at);
  closeSync(file);
  expect(placeTensors(bytesOfFile(path)).tensors.get("last")?.read()).toEqual(Float32Array.of(1.5, -2));
});
