/** Every module of the library that has something to differentiate, called at small sizes on inputs of a batch of 3. */
export interface LibraryCase {
  readonly name: string;
  readonly from: string;
  readonly imports: readonly string[];
  readonly inputs: readonly string[];
  readonly call: string;
}

function std(from: string, name: string, inputs: readonly string[], call: string, imports: readonly string[] = [name]): LibraryCase {
  return { name: `${name}: ${call}`, from, imports, inputs, call };
}

const evidence = ["alpha: f32[B, 3]", "y: f32[B]", "e: f32[B, 4]", "v: f32[B, 1]"];
const sequence = ["x: f32[B, 12, 8]", "mask: f32[B, 12]"];

export const libraryCases: readonly LibraryCase[] = [
  // experts
  std("std/experts", "UnifiedHGCN", ["h: f32[B, 4]", "k: f32[B, 3]", "m: f32[B, 5]"], "UnifiedHGCN([h, k], m, ball: 6, hidden: 8, out: 4)"),
  std(
    "std/experts",
    "UnifiedHGCN",
    ["h: f32[B, 4]", "k: f32[B, 3]", "m: f32[B, 5]"],
    `UnifiedHGCN([h, k], m, ball: 6, hidden: 8, out: 4, aggregate: "gyromidpoint")`,
  ),
  std(
    "std/experts",
    "PersLay",
    ["d: f32[B, 6, 3]", "e: f32[B, 5, 3]", "stats: f32[B, 4]", "fallback: f32[B, 5]"],
    "PersLay([d, e], stats: stats, fallback: fallback, gaussians: 4, tents: 3, hidden: 6, out: 4)",
  ),
  std("std/experts", "DeepFM", ["a: f32[B, 3]", "b: f32[B, 4]", "c: f32[B, 2]"], "DeepFM([a, b, c], k: 3, deep: [5], out: 4)"),
  std("std/experts", "LightGCN", ["x: f32[B, 6]"], "LightGCN(x, hidden: 8)"),
  std("std/experts", "Causal", ["x: f32[B, 6]"], "Causal(x, nodes: 4, hidden: 6, out: 4)"),
  std("std/experts", "FieldCausal", ["a: f32[B, 3]", "b: f32[B, 4]"], "FieldCausal([a, b], hidden: 6, out: 4)"),
  std("std/experts", "OptimalTransport", ["x: f32[B, 6]"], "OptimalTransport(x, particles: 3, space: 4, prototypes: 3, atoms: 2, out: 4)"),
  std(
    "std/experts",
    "OptimalTransport",
    ["x: f32[B, 6]"],
    "OptimalTransport(x, particles: 3, space: 4, prototypes: 3, atoms: 2, debias: true, out: 4)",
  ),
  std("std/experts", "RawScale", ["x: f32[B, 6]"], "RawScale(x, hidden: 5, out: 4)"),
  std("std/experts", "DCN", ["x: f32[B, 6]"], "DCN(x)"),
  std("std/experts", "CrossNet", ["x: f32[B, 6]"], "CrossNet(x, rank: 2, experts: 2)"),
  std("std/experts", "TemporalEnsemble", ["s: f32[B, 12, 5]", "t: f32[B, 6, 3]"], "TemporalEnsemble([s, t], blocks: [2, 1], d: 8, out: 4)"),
  std(
    "std/experts",
    "TemporalEnsemble",
    ["s: f32[B, 30, 5]"],
    `TemporalEnsemble([s], blocks: [1], d: 16, ssm: "mamba2", lnn: "ltc_diag", out: 4)`,
  ),

  // parts of experts
  std("std/mamba", "Mamba", sequence, "Mamba(x, mask, state: 4, rank: 2)"),
  std("std/mamba", "Mamba2", sequence, "Mamba2(x, mask, state: 4, head: 8, chunk: 4)"),
  std("std/liquid", "CfC", sequence, "CfC(x, mask, hidden: 4, backbone: 5)"),
  std("std/liquid", "LtcDiag", sequence, "LtcDiag(x, mask)"),
  std("std/transformer", "Transformer", sequence, "Transformer(x, mask, layers: 1, heads: 2, hidden: 6)"),

  // gates
  std(
    "std/gates",
    "BlockScale",
    ["a: f32[B, 3]", "b: f32[B, 4]"],
    "BlockScale([a, b], by: concat([a, b]), dim_normalize: true, entropy: 0.1)",
  ),
  std("std/gates", "WeightedSum", ["a: f32[B, 3]", "b: f32[B, 3]"], "WeightedSum([a, b], by: a)"),
  std("std/gates", "LinearSum", ["a: f32[B, 3]", "b: f32[B, 3]"], "LinearSum([a, b])"),

  // layers and towers
  std("std/layers", "Dense", ["x: f32[B, 6]"], "Dense(x, [5, 4])"),
  std("std/layers", "Tower", ["x: f32[B, 6]"], "Tower(x, 2, [5, 4])"),
  std("std/layers", "HmmProjector", ["x: f32[B, 6]"], "HmmProjector(x, 4)"),
  std("std/layers", "ClusterEmbedding", ["i: id[B] of 4", "p: f32[B, 4]"], "ClusterEmbedding(i, p, dim: 3)"),
  std("std/layers", "GroupTaskExpert", ["x: f32[B, 6]", "c: f32[B, 3]"], "GroupTaskExpert(x, c, hidden: 5, encoded: 4, out: 3)"),
  std("std/layers", "ClusterTaskExpert", ["x: f32[B, 6]", "p: f32[B, 3]"], "ClusterTaskExpert(x, p, trunk: [5], hidden: 4, out: 3)"),
  std(
    "std/layers",
    "AuxiliaryProjection",
    ["h: f32[B, 4]", "i: id[B] of 3", "c: f32[B, 3]", "a: f32[B, 2]"],
    "AuxiliaryProjection(h, i, c, a)",
  ),
  std(
    "std/layers",
    "OutputConcat",
    ["x: f32[B, 4]", "p: f32[B, 1]"],
    "HiddenConcat(OutputConcat(x, { prediction: sigmoid(p) }), { hidden: x })",
    ["OutputConcat", "HiddenConcat"],
  ),
  std("std/layers", "Residual", ["x: f32[B, 4]", "p: f32[B, 1]"], `Residual(x, { prediction: sigmoid(p), logit: p }, type: "inverse")`),
  std("std/personal", "PersonalEmbedding", ["x: f32[B, 4]", "p: f32[B, 3]"], "PersonalEmbedding(x, p)"),
  std("std/personal", "PersonalTower", ["x: f32[B, 4]", "p: f32[B, 3]"], "PersonalTower(x, 2, p, [5])"),

  // losses
  std("std/losses", "bce", ["z: f32[B]", "y: f32[B]"], "bce(z, f32(y > 0.2))"),
  std("std/losses", "focal", ["z: f32[B]", "y: f32[B]"], "focal(z, f32(y > 0.2))"),
  std("std/losses", "nll", ["z: f32[B, 4]", "i: id[B] of 4"], "nll(z, i)"),
  std("std/losses", "mse", ["z: f32[B]", "y: f32[B]"], "mse(z, y)"),
  std("std/losses", "mse", ["z: f32[B, 3]", "y: f32[B, 3]"], "mse(z, y)"),
  std("std/losses", "huber", ["z: f32[B]", "y: f32[B]"], "huber(z, y, delta: 0.5)"),
  std("std/losses", "info_nce", ["z: f32[B, 4]", "y: f32[B, 4]"], "info_nce(z, y)"),

  // evidence, latents, numerics
  std("std/heads", "dirichlet", ["h: f32[B, 5]"], "dirichlet(h, 3)"),
  std("std/heads", "normal_inverse_gamma", ["h: f32[B, 5]"], "normal_inverse_gamma(h, 1)"),
  std("std/heads", "dirichlet_uncertainty", ["h: f32[B, 5]"], "dirichlet_uncertainty(dirichlet(h, 3))", [
    "dirichlet",
    "dirichlet_uncertainty",
  ]),
  std("std/heads", "normal_uncertainty", ["h: f32[B, 5]"], "normal_uncertainty(normal_inverse_gamma(h, 1))", [
    "normal_inverse_gamma",
    "normal_uncertainty",
  ]),
  ...["likelihood", "brier", "none"].flatMap((data) =>
    ["wrong", "all"].map((regularise) =>
      std(
        "std/heads",
        "dirichlet_loss",
        ["h: f32[B, 5]", ...evidence],
        `anchor * dirichlet_loss(dirichlet(h, 3), floor(y), y[0] * y[0], "${data}", "${regularise}")`,
        ["dirichlet", "dirichlet_loss"],
      ),
    ),
  ),
  std("std/heads", "normal_loss", ["h: f32[B, 5]", ...evidence], "anchor * normal_loss(normal_inverse_gamma(h, 1), v, y[0] * y[0])", [
    "normal_inverse_gamma",
    "normal_loss",
  ]),
  std("std/heads", "SparseAutoencoder", ["h: f32[B, 4]"], "SparseAutoencoder(h, expand: 2)"),
  std("std/heads", "SparseAutoencoder", ["h: f32[B, 4]"], `SparseAutoencoder(h, expand: 2, decoder: "untied")`),
  std("std/special", "lgamma", ["x: f32[B, 3]"], "lgamma(abs(x) + 0.1)"),
  std("std/special", "digamma", ["x: f32[B, 3]"], "digamma(abs(x) + 0.1)"),

  // the prelude, where no module above uses it
  { name: "norm", from: "", imports: [], inputs: ["x: f32[B, 3]"], call: "norm(x)" },
  { name: "l2_normalize", from: "", imports: [], inputs: ["x: f32[B, 3]"], call: "l2_normalize(x)" },
  { name: "rms_norm", from: "", imports: [], inputs: ["x: f32[B, 3]"], call: "rms_norm(x)" },
  { name: "logsumexp", from: "", imports: [], inputs: ["x: f32[B, 3]"], call: "logsumexp(x)" },
  { name: "symlog", from: "", imports: [], inputs: ["x: f32[B, 3]"], call: "symlog(x)" },
  { name: "embedding", from: "", imports: [], inputs: ["i: id[B] of 4"], call: "embedding(i, 3)" },
  { name: "masked_mean", from: "", imports: [], inputs: sequence, call: "masked_mean(x, f32(mask > 0))" },
  { name: "last_valid", from: "", imports: [], inputs: sequence, call: "last_valid(x, f32(mask > 0))" },
];
