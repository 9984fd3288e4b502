// Drives a training step that plec has compiled, with nothing but ONNX Runtime: node train.mjs step.onnx step.safetensors trained.safetensors
import { readFileSync, writeFileSync } from "node:fs";
import ort from "onnxruntime-node";

const [stepPath, statePath, trainedPath] = process.argv.slice(2);
const f32 = (data, shape) => new ort.Tensor("float32", Float32Array.from(data), shape);

/** 64 rows whose labels follow from x: what a model can learn. */
function makeBatch(rows = 64) {
  const x = Array.from({ length: rows * 8 }, () => 2 * Math.random() - 1);
  const sums = Array.from({ length: rows }, (_, row) => x[row * 8] + x[row * 8 + 1]);
  const basket = sums.map((sum) => (sum < -0.5 ? 0 : sum < 0.5 ? 1 : 2));
  const click = sums.map((sum) => Number(sum > 0));
  return {
    x: f32(x, [rows, 8]),
    "label/click": f32(click, [rows]),
    "label/basket": new ort.Tensor("int32", Int32Array.from(basket), [rows]),
    "label/amount": f32(sums, [rows]),
  };
}
// The state is a safetensors file: u64 length of the header, JSON header, float32 data.
const file = readFileSync(statePath);
const start = 8 + Number(file.readBigUInt64LE(0));
const { __metadata__, ...entries } = JSON.parse(file.toString("utf8", 8, start));
const state = {};
for (const [name, { shape, data_offsets }] of Object.entries(entries)) {
  const [from, to] = data_offsets.map((offset) => file.byteOffset + start + offset);
  state[name] = f32(new Float32Array(file.buffer.slice(from, to)), shape);
}
const session = await ort.InferenceSession.create(stepPath);
for (let step = 0; step < 200; step++) {
  const scalars = { "train/epoch": f32([step / 20], []), "train/step": f32([step], []), "train/seed": f32([0], []) };
  const results = await session.run({ ...state, ...makeBatch(), ...scalars });
  for (const name in results) if (name.startsWith("next/")) state[name.slice(5)] = results[name];
  const losses = ["click", "basket", "amount"].map((task) => `${task} ${results[`loss/${task}`].data[0].toFixed(3)}`);
  if (step % 50 === 0 || step === 199) console.log(`step ${step}: ${losses.join(", ")}`);
}
// The same file with the numbers of now: to go on from, and what `plec compile --weights` takes.
for (const name in state) Buffer.from(state[name].data.buffer).copy(file, start + entries[name].data_offsets[0]);
writeFileSync(trainedPath, file);
