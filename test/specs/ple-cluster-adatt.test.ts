import { describe, expect, test } from "vitest";
import { checkSpec, countWeights, editSpec, logitOf, modelOf, specText, trainedBy } from "./checked-specs.ts";

const file = "ple_cluster_adatt.ple";
const model = modelOf(checkSpec(file));

const withoutRawScale = [
  [/ +raw_scale: .*\n/, ""],
  [/import \{ UnifiedHGCN(.*), RawScale \}/, "import { UnifiedHGCN$1 }"],
  ["let cgc per task: f32[B, 576]", "let cgc per task: f32[B, 512]"],
] as const;

describe("PLE-Cluster-adaTT", () => {
  test("is one screenful of text after another, not a program", () => expect(specText(file).split("\n").length).toBeLessThan(250));

  test.each([
    ["shared/unified_hgcn", 205_061],
    ["shared/perslay", 48_429],
    ["shared/deepfm", 169_253],
    ["shared/temporal", 491_779],
    ["shared/lightgcn", 21_248],
    ["shared/causal", 100_668],
    ["shared/optimal_transport", 99_560],
    ["shared/raw_scale", 11_676],
    ["cgc", 73_856],
    ["hmm", 1_920],
    ["(hidden|cluster)", 361_600],
    ["flow/\\w+/Tower", 76_909],
    ["flow/\\w+/transfers", 1_344],
    ["evidence", 3_168],
    ["sae", 1_329_984],
  ])("%s has %i weights", (path, count) => expect(countWeights(model, new RegExp(`^${path}/`))).toBe(count));

  test("has 1,666,471 weights without the autoencoder, and none beside the modules counted above", () => {
    expect(countWeights(model, /^(?!sae\/)/)).toBe(1_666_471);
    expect(countWeights(model)).toBe(1_666_471 + 1_329_984);
  });

  test("runs sources before targets, in order of declaration otherwise", () => {
    const active = "ctr cvr engagement churn retention life_stage ltv balance_util channel timing nba spending_category consumption_cycle";
    expect(model.order).toEqual([...active.split(" "), "spending_bucket", "brand_prediction", "merchant_affinity"]);
  });

  test("has 18 tasks of which two are off", () => {
    expect(model.tasks).toHaveLength(18);
    expect(model.tasks.filter(({ enabled }) => !enabled).map(({ name }) => name)).toEqual(["uplift", "category_uplift"]);
    expect(model.tasks.filter(({ enabled }) => enabled).reduce((total, { width }) => total + width, 0)).toBe(205);
  });

  test("has an entropy penalty for each task that is on", () => {
    expect(model.penalties.filter(({ name }) => name.endsWith("/entropy"))).toHaveLength(model.order.length);
  });

  test("splits 644 columns into 34 fields", () => {
    const fields = model.parameters
      .filter(({ name }) => /^shared\/deepfm\/v\/.*W$/.test(name))
      .map(({ value }) => value.type.shape[0] as number);
    expect(fields).toHaveLength(34);
    expect(fields.reduce((a, b) => a + b, 0)).toBe(644);
  });

  test("asks for gates, representations and latents beside the predictions", () => {
    const shapes = new Map(model.graph.outputs.map(({ name, value }) => [name, value.type.shape.slice(1)]));
    expect(shapes.size).toBe(16 * 3 + 15 + 1);
    expect(shapes.get("uncertainty/nba")).toEqual([2]);
    expect(shapes.get("uncertainty/brand_prediction")).toBeUndefined();
    expect(shapes.get("gates/ctr")).toEqual([8]);
    expect(shapes.get("representation/ctr")).toEqual([32]);
    expect(shapes.get("sae_latents")).toEqual([2304]);
  });

  test("every transfer edge reaches its target and no other task", () => {
    const targets = new Set(
      model.parameters.flatMap(({ name }) => /^flow\/(\w+)\/transfers\/(\w+)/.exec(name)?.slice(1, 3).reverse().join(" -> ") ?? []),
    );
    expect([...targets].sort()).toEqual(model.transfers.map(({ from, to }) => `${from} -> ${to}`).sort());
    expect(targets.size).toBe(5);
  });

  test("weight decay is for matrices and convolution kernels; it spares biases, norms, embeddings, prototypes and the DAG", () => {
    const decayed = model.parameters.filter(({ decay }) => decay).map(({ name }) => name.replace(/.*\//, ""));
    expect([...new Set(decayed)].sort()).toEqual(["K", "W", "Wb"]);
  });
});

describe("where gradients stop", () => {
  test("the autoencoder trains nothing but itself", () => {
    const penalty = model.penalties.find(({ name }) => name === "sae/sae");
    if (penalty === undefined) throw new Error("no penalty of the autoencoder");
    expect([...trainedBy(penalty.value)].map((name) => name.split("/")[0])).toEqual(["sae", "sae", "sae"]);
  });

  test("a transfer trains its source, unless it is detached", () => {
    const detached = modelOf(editSpec(file, ['type: "sequential", strength: 0.5', 'type: "sequential", detach: true']));
    const reachesSource = (of: typeof model) => [...trainedBy(logitOf(of, "cvr"))].some((name) => name.startsWith("flow/ctr/"));
    expect(reachesSource(model)).toBe(true);
    expect(reachesSource(detached)).toBe(false);
  });
});

describe("its variants", () => {
  test("seven experts", () => {
    const seven = editSpec(file, ...withoutRawScale);
    const [variant] = [modelOf(seven)];
    expect(seven.diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual([
      expect.stringContaining("slice/unused slice `raw_power_law`"),
    ]);
    expect(countWeights(variant, /^cgc\//)).toBe(57_456);
    expect(countWeights(variant, /^sae\//)).toBe(1_051_136);
    expect(countWeights(variant, /^hidden\/engagement\/encoding\/mlp\/0\/y\/W/)).toBe(544 * 128);
  });

  test("projections for new and anonymous customers, one set of weights for all tasks", () => {
    const inputs = `  input segment: id[B] of 3
  input coldstart: f32[B, 40]?
  input anonymous: f32[B, 15]?

  let normalized:`;
    const variant = editSpec(
      file,
      ["  let normalized:", inputs],
      [
        "  routes hmm {",
        "  let known per task: f32[B, 576] = AuxiliaryProjection(cgc, segment, coldstart, anonymous) per model\n\n  routes hmm {",
      ],
      ["concat([cgc, hmm])", "concat([known, hmm])"],
      ["Residual, Tower", "AuxiliaryProjection, Residual, Tower"],
    );
    expect(variant.diagnostics).toEqual([]);
    expect(countWeights(modelOf(variant), /^known/)).toBe(39_665);
    expect(countWeights(modelOf(variant), /^(?!sae\/)/)).toBe(1_666_471 + 39_665);
  });

  test("an untied autoencoder", () => {
    const variant = modelOf(editSpec(file, ['decoder: "tied"', 'decoder: "untied"']));
    expect(countWeights(variant, /^sae\//)).toBe(2_657_088);
  });

  test("the cluster joining early, with one embedding for all groups", () => {
    const variant = modelOf(editSpec(file, ['form: "late"', 'form: "early"'], ["let cluster per group:", "let cluster:"]));
    expect(countWeights(variant, /^(hidden|cluster)\//)).toBe(371_968);
  });

  test("heads of the tasks' own", () => {
    const late = /let hidden per task: f32\[B, 32\] = [\s\S]*? per group\n/;
    const variant = modelOf(
      editSpec(
        file,
        [
          late,
          "let encoding per task = GroupEncoder(concat([cgc, hmm]), dropout: 0.2) per group\n  let hidden per task = TaskHead(concat([encoding, cluster]))\n",
        ],
        ["GroupTaskExpert", "GroupEncoder, TaskHead"],
      ),
    );
    // one embedding and one encoder for each group as before, 16 heads instead of 4, each with a norm of its own
    expect(countWeights(variant, /^(encoding|hidden|cluster)\//)).toBe(361_600 + 12 * (96 * 32 + 32 + 64));
  });

  test("a sub-head for each task and cluster", () => {
    const variant = modelOf(
      editSpec(
        file,
        [
          /let hidden per task: f32\[B, 32\] = [\s\S]*? per group\n/,
          "let hidden per task = ClusterTaskExpert(concat([cgc, hmm]), routing(cluster_id, cluster_probs))\n",
        ],
        [/ +let cluster per group.*\n/, ""],
        ["ClusterEmbedding, GroupTaskExpert", "ClusterTaskExpert, routing"],
      ),
    );
    expect(countWeights(variant, /^hidden\//)).toBe(3_031_552);
  });

  test("concatenating transfers widen the tower and need no weights of their own", () => {
    const variant = modelOf(
      editSpec(
        file,
        [/transfer nba .*\n/, "transfer nba -> spending_category = OutputConcat()\n"],
        ["Residual, Tower", "OutputConcat, Residual, Tower"],
      ),
    );
    expect(countWeights(variant, /^flow\/spending_category\/Tower\/mlp\/0\/y\/W/)).toBe((32 + 12) * 64);
    expect(countWeights(variant, /^flow\/spending_category\/transfers/)).toBe(0);
  });
});
