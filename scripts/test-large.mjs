// Compiles a model with more than 2 GB of embeddings, which protobuf cannot hold in one file, and runs it: the weights must come to lie in a data file, be
// made one table at a time, and be found by ONNX Runtime. Slow, and hungry for disk and memory: not part of `npm test`.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { freemem, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import "./ensure-installed.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const GiB = 2 ** 30;
const tables = 3;
const rows = 12_000_000;
const width = 16;
const weightBytes = tables * rows * width * 4;

const spec = `import { bce } from "std/losses"

model Large {
  input x: f32[B, 4]
${Array.from({ length: tables }, (_, i) => `  input id_${i}: id[B] of ${rows}`).join("\n")}
  task t: binary { loss: bce }
  flow per task { return concat([x, ${Array.from({ length: tables }, (_, i) => `embedding(id_${i}, ${width})`).join(", ")}]) |> linear(1) }
}
`;

const needs = [
  [
    "disk",
    statfsSync(tmpdir()).bavail * statfsSync(tmpdir()).bsize,
    weightBytes + GiB,
    `free in ${tmpdir()} (TMPDIR names another folder)`,
  ],
  // While a table is drawn it is there in float64, twice, and in float32; ONNX Runtime then holds all of them.
  ["memory", freemem(), Math.max(rows * width * 20 + GiB, weightBytes + 2 * GiB), "free"],
];
for (const [what, there, needed, where] of needs) {
  if (there >= needed) continue;
  console.error(`test:large needs ${(needed / GiB).toFixed(1)} GiB of ${what} ${where}; there are ${(there / GiB).toFixed(1)}`);
  process.exit(1);
}

const folder = mkdtempSync(join(tmpdir(), "plec-large-"));
const model = join(folder, "large.onnx");

function plec(...argv) {
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--max-old-space-size=2048", "bin/plec.cjs", ...argv], {
    cwd: root,
    encoding: "utf8",
  });
  console.log(`plec ${argv[0]}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  if (status !== 0) throw new Error(`plec ${argv.join(" ")} failed with ${status}\n${stdout}${stderr}`);
  return stdout;
}

let failed = false;
try {
  writeFileSync(join(folder, "large.ple"), spec);
  const changed = [{}, { id_0: rows - 1 }, { id_1: rows >> 1 }, { [`id_${tables - 1}`]: rows - 1 }];
  const first = { x: [1, 2, 3, 4], ...Object.fromEntries(Array.from({ length: tables }, (_, i) => [`id_${i}`, 0])) };
  writeFileSync(join(folder, "rows.json"), JSON.stringify(changed.map((row) => ({ ...first, ...row }))));
  console.log(plec("compile", join(folder, "large.ple"), "-o", model).trim());
  const [small, data] = [statSync(model).size, statSync(`${model}.data`).size];
  if (small > 2 ** 20) throw new Error(`the model file holds ${small} bytes: its weights are inside`);
  if (data < weightBytes || weightBytes <= 2 ** 31) throw new Error(`the data file holds ${data} bytes, not more than ${weightBytes}`);
  const { predictions } = JSON.parse(plec("run", model, "--input", join(folder, "rows.json"), "--json"));
  if (predictions.t.length !== 4 || !predictions.t.every((p) => p > 0 && p < 1)) throw new Error(`odd predictions ${predictions.t}`);
  // Each table is read where it lies: the rows differ in one id each, from the first to the last.
  if (new Set(predictions.t).size !== 4) throw new Error(`the rows have the same prediction ${predictions.t}`);
} catch (error) {
  failed = true;
  console.error(error.message);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(failed ? "test:large: failed" : `test:large: passed, ${(weightBytes / GiB).toFixed(2)} GiB of weights`);
process.exit(failed ? 1 : 0);
