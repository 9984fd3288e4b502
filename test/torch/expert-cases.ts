import { noise, tensor } from "../std/build-library.ts";
import type { Comparison } from "./comparison.ts";

const rows = { "x: f32[B, 8]": noise([5, 8], 22, 2) };
const sequence = { "x: f32[B, 6, 8]": noise([3, 6, 8], 21), "mask: f32[B, 6]": tensor([3, 6], (i) => (i % 6 < ([6, 4, 1][Math.floor(i / 6)] ?? 0) ? 1 : 0)) }; // biome-ignore format: one sequence

/** Points (birth, death, degree): some padding, a death at infinity, and one row without any. */
function diagram(points: number, degrees: number, seed: number) {
  const { data } = noise([4, points, 3], seed, 0.4);
  return tensor([4, points, 3], (i) => {
    const [row, point, part] = [Math.floor(i / (3 * points)), Math.floor(i / 3) % points, i % 3];
    if (row === 3 || point >= points - row) return 0;
    if (part === 2) return point % degrees;
    if (part === 1 && point === 1) return Number.POSITIVE_INFINITY;
    return Math.abs(data[i] ?? 0);
  });
}

const poincare = {
  "a: f32[B, 2]": tensor([4, 2], (i) => [0.3, -0.2, 0, 0, 0.9, 0.6, 0, 0][i] ?? 0),
  "b: f32[B, 3]": tensor([4, 3], (i) => [0.1, 0.4, -0.5, 0.2, 0, 0, -3, 1, 0.5, 0, 0, 0][i] ?? 0),
  "merchant: f32[B, 4]": tensor([4, 4], (i) => (i >= 12 ? 0 : Math.sin(7 * i) * 4)),
};

export const expertCases: readonly Comparison[] = [
  {
    name: "RawScale",
    head: `import { RawScale } from "std/experts/raw_scale"`,
    inputs: { "x: f32[B, 5]": tensor([4, 5], (i) => [1e6, -3, 0.01, Number.NaN, Number.POSITIVE_INFINITY][i % 5] ?? 0) },
    plec: "RawScale(x, hidden: 6, out: 4)",
    torch: "raw_scale",
  },
  {
    name: "LightGCN",
    head: `import { LightGCN } from "std/experts/lightgcn"`,
    inputs: { "x: f32[B, 8]": tensor([4, 8], (i) => (i >= 24 ? 0 : Math.sin(5 * i))) },
    plec: "LightGCN(x, hidden: 6)",
    torch: "light_gcn",
    wrt: ["x"],
  },
  {
    name: "Causal, with its penalties",
    head: `import { Causal } from "std/experts/causal"`,
    inputs: rows,
    plec: "Causal(x, nodes: 6, hidden: 7, out: 4, acyclic: 0.2, sparse: 0.05, fit: 0.3)",
    penalties: ["acyclicity", "sparsity", "fit"].map((term) => `result/y/structural/${term}`),
    torch: "causal",
    settings: { acyclic: 0.2, sparse: 0.05, fit: 0.3 },
    wrt: ["x"],
  },
  {
    name: "PersLay",
    head: `import { PersLay } from "std/experts/perslay"`,
    inputs: {
      "short: f32[B, 7, 3]": diagram(7, 2, 61),
      "long: f32[B, 9, 3]": diagram(9, 3, 62),
      "stats: f32[B, 4]": noise([4, 4], 63),
      "fallback: f32[B, 5]": noise([4, 5], 64),
    },
    plec: "PersLay([short, long], stats, fallback, gaussians: 4, tents: 3, hidden: 6, fallback_hidden: 5, out: 4)",
    torch: "pers_lay",
    wrt: ["stats", "fallback"],
  },
  ...(["tangent", "gyromidpoint"] as const).map((aggregate) => ({
    name: `UnifiedHGCN, ${aggregate}`,
    head: `import { UnifiedHGCN } from "std/experts/unified_hgcn"`,
    inputs: poincare,
    plec: `UnifiedHGCN([a, b], merchant, ball: 6, hidden: 7, out: 4, aggregate: "${aggregate}")`,
    torch: "unified_hgcn",
    settings: { aggregate },
    wrt: ["a", "b", "merchant"],
  })),
  ...[0, 1].map((debias) => ({
    name: debias === 1 ? "OptimalTransport, debiased" : "OptimalTransport",
    head: `import { OptimalTransport } from "std/experts/optimal_transport"`,
    inputs: rows,
    plec: `OptimalTransport(x, particles: 4, space: 3, prototypes: 3, atoms: 5, out: 4, eps: 0.4, iterations: 7, debias: ${debias === 1})`,
    torch: "optimal_transport",
    settings: { eps: 0.4, iterations: 7, debias },
    wrt: ["x"],
  })),
  {
    name: "LtcDiag",
    head: `import { LtcDiag } from "std/liquid"`,
    inputs: { ...sequence, "elapsed: f32[B, 6]": tensor([3, 6], (i) => 0.1 + ((i * 7) % 5)) },
    plec: "LtcDiag(x, mask, elapsed)",
    torch: "ltc_diag",
    wrt: ["x", "elapsed"],
  },
  ...[2, 3, 6].map((chunk) => ({
    name: `Mamba2 in chunks of ${chunk}`,
    head: `import { Mamba2 } from "std/mamba"`,
    inputs: sequence,
    plec: `Mamba2(x, mask, state: 3, head: 4, chunk: ${chunk})`,
    torch: "mamba2",
    settings: { state: 3, head: 4 },
    wrt: ["x"],
  })),
  {
    name: "HmmProjector",
    head: `import { HmmProjector } from "std/layers"`,
    inputs: { "x: f32[B, 6]": tensor([4, 6], (i) => (i < 6 ? 0 : Math.sin(3 * i))) },
    plec: "HmmProjector(x, 4)",
    torch: "hmm_projector",
    wrt: ["x"],
  },
  {
    name: "AuxiliaryProjection",
    head: `import { AuxiliaryProjection } from "std/layers"`,
    inputs: {
      "h: f32[B, 5]": noise([6, 5], 65),
      "segment: id[B] of 3": tensor([6], (i) => i % 3),
      "cold: f32[B, 4]": noise([6, 4], 66),
      "anonymous: f32[B, 3]": noise([6, 3], 67),
    },
    plec: "AuxiliaryProjection(h, segment, cold, anonymous)",
    torch: "auxiliary_projection",
    wrt: ["h", "cold", "anonymous"],
  },
  {
    name: "PersonalTower",
    head: `import { PersonalTower } from "std/personal"`,
    inputs: { ...rows, "prior: f32[B, 4]": noise([5, 4], 68) },
    plec: "PersonalTower(x, 2, prior, widths: [6, 5])",
    torch: "personal_tower",
    wrt: ["x", "prior"],
  },
];
