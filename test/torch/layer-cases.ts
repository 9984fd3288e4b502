import { noise, tensor } from "../std/build-library.ts";
import type { Comparison } from "./comparison.ts";

const sequence = { "x: f32[B, 6, 8]": noise([3, 6, 8], 21) };
/** Steps at the end are missing: none, two, all but the first. */
const mask = { "mask: f32[B, 6]": tensor([3, 6], (i) => (i % 6 < ([6, 4, 1][Math.floor(i / 6)] ?? 0) ? 1 : 0)) };
const rows = { "x: f32[B, 8]": noise([5, 8], 22, 2) };

/** Recurrences that the library does not have, written in the language. */
const recurrent = `
module GRU(x: f32[B, T, n], d: int) -> f32[B, T, d] {
  let driven = linear(x, 3 * d)
  return scan((h, step) => {
    let reset, update, fresh = split(step, 3)
    let reset_h, update_h, fresh_h = split(linear(h, 3 * d), 3)
    let keep = sigmoid(update + update_h)
    return keep * h + (1 - keep) * tanh(fresh + sigmoid(reset + reset_h) * fresh_h)
  }, init: zeros([B, d]), over: driven)
}
module LSTM(x: f32[B, T, n], d: int) -> f32[B, T, d] {
  let driven = linear(x, 4 * d)
  let states = scan((state, step) => {
    let h, c = state
    let enter, forget, fresh, leave = split(step + linear(h, 4 * d), 4)
    let memory = sigmoid(forget) * c + sigmoid(enter) * tanh(fresh)
    return [sigmoid(leave) * tanh(memory), memory]
  }, init: [zeros([B, d]), zeros([B, d])], over: driven)
  return states[0]
}`;

const elementwise = {
  silu: "silu(x)",
  leaky: "leaky_relu(x)",
  softplus: "softplus(x)",
  sigmoid: "sigmoid(x)",
  symlog: "symlog(x)",
  unit: "l2_normalize(x)",
  lse: "logsumexp(x)",
  softmax: "softmax(x)",
  log_softmax: "log_softmax(x)",
  running: "cumsum(x, 1)",
};

export const layerCases: readonly Comparison[] = [
  { name: "linear", inputs: sequence, plec: "linear(x, 5)", torch: "linear", wrt: ["x"] },
  { name: "layer_norm", inputs: sequence, plec: "layer_norm(x)", torch: "layer_norm", wrt: ["x"] },
  { name: "layer_norm of equal numbers", inputs: { "x: f32[B, 4]": tensor([2, 4], () => 3) }, plec: "layer_norm(x)", torch: "layer_norm", wrt: ["x"] }, // biome-ignore format: one case a line
  { name: "rms_norm", inputs: sequence, plec: "rms_norm(x)", torch: "rms_norm", wrt: ["x"] },
  {
    name: "elementwise functions and sums",
    inputs: { "x: f32[B, 7]": noise([5, 7], 23, 6) },
    plec: elementwise,
    torch: "elementwise",
    wrt: ["x"],
  },
  {
    name: "elementwise functions far out",
    inputs: { "x: f32[B, 4]": tensor([2, 4], (i) => [-1000, -80, -30, -1e-3, 30, 80, 700, 1000][i] ?? 0) },
    plec: elementwise,
    torch: "elementwise",
    wrt: ["x"],
  },
  {
    name: "embedding",
    inputs: { "ids: id[B, 3] of 7": tensor([4, 3], (i) => (i * 5) % 7) },
    plec: "embedding(ids, 4)",
    torch: "embedding",
  },
  { name: "two layers", inputs: rows, plec: "x |> mlp([6]) |> linear(3)", torch: "mlp", wrt: ["x"] },
  { name: "causal convolution", inputs: sequence, plec: "causal_conv(x)", torch: "causal_conv", wrt: ["x"] },
  {
    name: "self-attention",
    inputs: { ...sequence, ...mask },
    plec: "self_attention(x, mask, heads: 2)",
    torch: "self_attention",
    settings: { heads: 2 },
    wrt: ["x"],
  },
  {
    name: "transformer encoder",
    head: `import { Transformer } from "std/transformer"`,
    inputs: { ...sequence, ...mask },
    plec: "Transformer(x, mask, layers: 2, heads: 4, hidden: 12)",
    torch: "transformer",
    settings: { layers: 2, heads: 4, hidden: 12 },
    wrt: ["x"],
  },
  { name: "GRU as a scan", head: recurrent, inputs: sequence, plec: "GRU(x, 5)", torch: "gru", wrt: ["x"] },
  { name: "LSTM as a scan", head: recurrent, inputs: sequence, plec: "LSTM(x, 5)", torch: "lstm", wrt: ["x"] },
  {
    name: "closed-form continuous-time cell",
    head: `import { CfC } from "std/liquid"`,
    inputs: { ...sequence, ...mask, "elapsed: f32[B, 6]": tensor([3, 6], (i) => 0.1 + ((i * 7) % 5)) },
    plec: "CfC(x, mask, elapsed, hidden: 4, backbone: 6)",
    torch: "cfc",
    wrt: ["x", "elapsed"],
  },
  {
    name: "selective state space",
    head: `import { Mamba } from "std/mamba"`,
    inputs: { ...sequence, ...mask },
    plec: "Mamba(x, mask, state: 4, rank: 3)",
    torch: "mamba",
    settings: { state: 4, rank: 3 },
    wrt: ["x"],
  },
  {
    name: "cross network",
    head: `import { CrossNet } from "std/experts/cross"`,
    inputs: rows,
    plec: "CrossNet(x, layers: 3)",
    torch: "cross_net",
    wrt: ["x"],
  },
  {
    name: "softmax gate over experts",
    head: `import { WeightedSum } from "std/gates"`,
    inputs: { ...rows, "a: f32[B, 4]": noise([5, 4], 24), "b: f32[B, 4]": noise([5, 4], 25) },
    plec: "WeightedSum([a, b], by: x)",
    torch: "weighted_sum",
    wrt: ["x", "a", "b"],
  },
  {
    name: "gate over a concatenation",
    head: `import { BlockScale } from "std/gates"`,
    inputs: { ...rows, "a: f32[B, 4]": noise([5, 4], 24), "c: f32[B, 6]": noise([5, 6], 26) },
    plec: "BlockScale([a, c], by: x)",
    torch: "block_scale",
    wrt: ["x", "a", "c"],
  },
  {
    name: "expert with a head for each cluster",
    head: `import { ClusterTaskExpert } from "std/layers"`,
    inputs: { ...rows, "p: f32[B, 3]": tensor([5, 3], (i) => 0.2 + (i % 4)) },
    plec: "ClusterTaskExpert(x, p, trunk: [6], hidden: 5, out: 2)",
    torch: "cluster_task_expert",
    wrt: ["x", "p"],
  },
];
