// Drives a training step that plec has compiled, with nothing but ONNX Runtime: node train.mjs step.onnx step.safetensors
import { readFileSync } from "node:fs";
import ort from "onnxruntime-node";

/** The tensors of a safetensors file: u64 length of the header, JSON header, float32 data. */
function readState(path) {
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const entries = Object.entries(JSON.parse(bytes.toString("utf8", 8, start)));
  return entries.map(
    ([
      name,
      {
        shape,
        data_offsets: [from, to],
      },
    ]) => {
      const data = bytes.buffer.slice(bytes.byteOffset + start + from, bytes.byteOffset + start + to);
      return [name, new ort.Tensor("float32", new Float32Array(data), shape)];
    },
  );
}

/** 64 rows whose labels follow from x: what a model can learn. */
function makeBatch(step, rows = 64) {
  const noise = (i) => Math.sin(12.9898 * (i + 1) + 78.233 * (step + 1)) * 43758.5453;
  const x = Float32Array.from({ length: rows * 8 }, (_, i) => 2 * (noise(i) - Math.floor(noise(i))) - 1);
  const sums = Array.from({ length: rows }, (_, row) => x[row * 8] + x[row * 8 + 1]);
  return {
    x: new ort.Tensor("float32", x, [rows, 8]),
    "label/click": new ort.Tensor(
      "float32",
      Float32Array.from(sums, (s) => Number(s > 0)),
      [rows],
    ),
    "label/basket": new ort.Tensor(
      "int32",
      Int32Array.from(sums, (s) => (s < -0.5 ? 0 : s < 0.5 ? 1 : 2)),
      [rows],
    ),
    "label/amount": new ort.Tensor("float32", Float32Array.from(sums), [rows]),
  };
}

const scalar = (value) => new ort.Tensor("float32", [value], []);
const [stepPath, statePath] = process.argv.slice(2);
const session = await ort.InferenceSession.create(stepPath);
const state = Object.fromEntries(readState(statePath));
for (let step = 0; step < 200; step++) {
  const scalars = { "train/epoch": scalar(step / 20), "train/step": scalar(step), "train/seed": scalar(0) };
  const results = await session.run({ ...state, ...makeBatch(step), ...scalars });
  for (const [name, tensor] of Object.entries(results)) if (name.startsWith("next/")) state[name.slice(5)] = tensor;
  const losses = Object.entries(results).filter(([name]) => name.startsWith("loss/"));
  if (step % 50 === 0 || step === 199) console.log(step, ...losses.map(([name, { data }]) => `${name} ${data[0].toFixed(3)}`));
}
