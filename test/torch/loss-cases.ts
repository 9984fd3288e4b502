import type { NdArray } from "../../compiler/ir/ndarray.ts";
import { noise, tensor } from "../std/build-library.ts";
import type { Comparison } from "./comparison.ts";

const gap = Number.NaN;
const extreme = [-1000, -80, -40, -3.5, -0.01, 0, 0.3, 2, 40, 80, 1000];

/** Each logit with each label. */
function pairs(logits: readonly number[], labels: readonly number[]): { readonly "z: f32[B]": NdArray; readonly "y: f32[B]": NdArray } {
  const size = [logits.length * labels.length];
  return {
    "z: f32[B]": tensor(size, (i) => logits[Math.floor(i / labels.length)] ?? 0),
    "y: f32[B]": tensor(size, (i) => labels[i % labels.length] ?? 0),
  };
}

const matrix = (rows: readonly (readonly number[])[]): NdArray => {
  const width = rows[0]?.length ?? 0;
  return tensor([rows.length, width], (i) => rows[Math.floor(i / width)]?.[i % width] ?? 0);
};

const losses = `import { bce, focal, huber, info_nce, mse, nll } from "std/losses"`;
const heads = `import { SparseAutoencoder, dirichlet, dirichlet_loss, dirichlet_uncertainty, normal_inverse_gamma, normal_loss, normal_uncertainty } from "std/heads"`;

const binary: readonly Comparison[] = [
  { name: "bce", head: losses, inputs: pairs(extreme, [0, 1, -1, gap]), plec: "bce(z, y)", torch: "bce", wrt: ["z"] },
  ...[
    { gamma: 2, alpha: 0.25 },
    { gamma: 1.5, alpha: 0.6 },
    { gamma: 0, alpha: 0.5 },
  ].map(({ gamma, alpha }) => ({
    name: `focal, γ = ${gamma}, α = ${alpha}`,
    head: losses,
    inputs: pairs(extreme, [0, 1, -1, gap]),
    plec: `focal(z, y, gamma: ${gamma}, alpha: ${alpha})`,
    torch: "focal",
    settings: { gamma, alpha },
    wrt: ["z"],
  })),
];

const classes: Comparison = {
  name: "nll",
  head: losses,
  inputs: {
    "z: f32[B, 4]": matrix([
      [1, 2, 3, 4],
      [0, 0, 0, 0],
      [-0.5, 0.5, 2, -3],
      [800, -800, 0, 0],
      [-1e4, 3, 1e4, 0],
      [5, 1, 0, 2],
    ]),
    "y: i32[B]": tensor([6], (i) => [3, 0, 2, 1, 0, -1][i] ?? 0),
  },
  plec: "nll(z, y)",
  torch: "nll",
  wrt: ["z"],
};

const targets = [0.25, -3, 100, gap];
const wideTargets = matrix([
  [0, 1, 2],
  [gap, 1, gap],
  [gap, gap, gap],
  [-7, 0.5, 1e3],
]);

const regressions: readonly Comparison[] = [
  ["mse", "mse", {}] as const,
  ...[0.5, 1, 10].map((delta) => ["huber", `huber δ = ${delta}`, { delta }] as const),
].flatMap(([loss, name, settings]) => {
  const call = "delta" in settings ? `${loss}(z, y, delta: ${settings.delta})` : `${loss}(z, y)`;
  const common = { head: losses, plec: call, torch: loss, settings, wrt: ["z"] };
  return [
    { ...common, name, inputs: pairs([-50, -3, 0.3, 1.1, 7], targets) },
    { ...common, name: `${name}, several values`, inputs: { "z: f32[B, 3]": noise([4, 3], 5, 2), "y: f32[B, 3]": wideTargets } },
  ];
});

/** Rows 1 and 4 have one target; rows 2 and 5 have none. */
const keys = (() => {
  const { shape, data } = noise([7, 5], 8);
  return tensor(shape, (i) => {
    const row = Math.floor(i / 5);
    return row === 4 ? (data[5 + (i % 5)] ?? 0) : row === 2 ? 0 : row === 5 ? gap : (data[i] ?? 0);
  });
})();

const contrast: readonly Comparison[] = [0.07, 0.5].map((tau) => ({
  name: `info_nce, τ = ${tau}`,
  head: losses,
  inputs: { "z: f32[B, 5]": noise([7, 5], 7, 3), "y: f32[B, 5]": keys },
  plec: `info_nce(z, y, tau: ${tau})`,
  torch: "info_nce",
  settings: { tau },
  wrt: ["z"],
}));

const alpha = matrix([
  [1, 1, 1],
  [3, 2, 4],
  [1, 60, 2.5],
  [1000, 1.5, 7],
  [2, 2, 9],
  [1.01, 4, 1],
]);
const outcome = tensor([6], (i) => [0, 2, 1, 1, -1, gap][i] ?? 0);
const evidence = matrix([
  [1, 2, 0.1, 0.5, 1.001, 3, 1, 0.2],
  [-3, 0.5, 3, 1, 20, 1.5, 7, 0.01],
  [0, 100, 1, 1, 2, 2, 1, 50],
]);
const values = matrix([
  [1.5, -20],
  [gap, 0.25],
  [3, gap],
]);

const evidential: readonly Comparison[] = [
  ...[
    { data: "likelihood", regularise: "wrong", ramp: 0 },
    { data: "likelihood", regularise: "wrong", ramp: 0.3 },
    { data: "brier", regularise: "wrong", ramp: 0.3 },
    { data: "none", regularise: "all", ramp: 1 },
  ].map((settings) => ({
    name: `evidential loss of classes, ${Object.values(settings).join(", ")}`,
    head: heads,
    inputs: { "alpha: f32[B, 3]": alpha, "y: f32[B]": outcome },
    plec: `dirichlet_loss(alpha, y, full([], ${settings.ramp}), "${settings.data}", "${settings.regularise}") * ones([B])`,
    torch: "dirichlet_loss",
    settings,
    single: 1e-4, // lgamma of a thousand, less others of its size
    wrt: ["alpha"],
  })),
  {
    name: "uncertainty of classes",
    head: heads,
    inputs: { "alpha: f32[B, 3]": alpha },
    plec: "dirichlet_uncertainty(alpha)",
    torch: "dirichlet_uncertainty",
    wrt: ["alpha"],
  },
  ...[0, 0.25].map((ramp) => ({
    name: `evidential loss of values, regularised ${ramp}`,
    head: heads,
    inputs: { "evidence: f32[B, 8]": evidence, "y: f32[B, 2]": values },
    plec: `normal_loss(evidence, y, full([], ${ramp})) * ones([B])`,
    torch: "normal_loss",
    settings: { ramp },
    wrt: ["evidence"],
  })),
  {
    name: "uncertainty of values",
    head: heads,
    inputs: { "evidence: f32[B, 8]": evidence },
    plec: "normal_uncertainty(evidence)",
    single: 1e-4, // α - 1 at α = 1.001
    torch: "normal_uncertainty",
    wrt: ["evidence"],
  },
  ...(["classes", "values"] as const).map((kind) => ({
    name: `evidential head of ${kind}`,
    head: heads,
    inputs: { "h: f32[B, 6]": noise([5, 6], 3, 4) },
    plec: kind === "classes" ? "dirichlet(h, 4)" : "normal_inverse_gamma(h, 2)",
    torch: "evidential_head",
    settings: { kind },
    wrt: ["h"],
  })),
  {
    name: "lgamma and digamma",
    head: `import { digamma, lgamma } from "std/special"`,
    inputs: { "x: f32[B]": tensor([9], (i) => [0.5, 1, 1.5, 2, 3.25, 10, 77, 500, 10_001][i] ?? 1) },
    plec: { lgamma: "lgamma(x)", digamma: "digamma(x)" },
    torch: "special",
    wrt: ["x"],
  },
];

const auxiliary: readonly Comparison[] = [
  {
    name: "sparse autoencoder",
    head: heads,
    inputs: { "h: f32[B, 5]": noise([6, 5], 11) },
    plec: "SparseAutoencoder(h, expand: 3, l1: 0.05, weight: 0.2)",
    penalties: ["result/sae"],
    torch: "sparse_autoencoder",
    settings: { l1: 0.05, weight: 0.2 },
    wrt: ["h"],
  },
  ...[3, 8].map((nodes) => ({
    name: `acyclicity of ${nodes} nodes`,
    head: `import { cycles } from "std/experts/causal"
module Graph(n: int) -> f32[] {
  param A: f32[n, n] = normal(1)
  return cycles(A * A)
}`,
    inputs: { "x: f32[B]": noise([2], 1) },
    plec: `Graph(${nodes}) * ones([B])`,
    torch: "cycles",
  })),
  {
    name: "entropy of a gate",
    head: `import { BlockScale } from "std/gates"
module Attention(x: f32[B, 5], strength: float) -> f32[B, 4] {
  return BlockScale([x, x, x, x], by: x, entropy: strength).attention
}`,
    inputs: { "x: f32[B, 5]": noise([6, 5], 12, 2) },
    plec: "Attention(x, 0.3)",
    penalties: ["result/BlockScale/entropy"],
    torch: "gate_entropy",
    settings: { strength: 0.3 },
    wrt: ["x"],
  },
];

export const lossCases: readonly Comparison[] = [...binary, classes, ...regressions, ...contrast, ...evidential, ...auxiliary];
