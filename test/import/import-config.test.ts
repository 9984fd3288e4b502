import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { parse, stringify } from "yaml";
import { compareModels } from "../../compiler/compare/compare.ts";
import { checkFile, checkSource } from "../../compiler/driver.ts";
import { importConfig } from "../../compiler/import/import-config.ts";
import { formatSource } from "../../dsl/printer.ts";
import { Source } from "../../dsl/source.ts";
import { brief } from "../yaml/support.ts";

const configText = readFileSync("examples/import/model_config.yaml", "utf8");
const schema = {
  source: new Source("feature_schema.yaml", readFileSync("examples/import/feature_schema.yaml", "utf8")),
  path: "feature_schema.yaml",
};

function run(text: string, options: { readonly schema?: typeof schema | null; readonly modelName?: string } = {}) {
  const { text: spec, diagnostics } = importConfig(new Source("config.yaml", text), { schema, modelName: "M", ...options });
  return { spec, found: brief(diagnostics).map((line) => line.replace(/:\d+ "/, ' "')), diagnostics };
}

/** The model of an imported spec, which must check without findings. */
function modelOf(spec: string | null) {
  if (spec === null) throw new Error("nothing was imported");
  const { models, diagnostics } = checkSource("examples/import/imported.ple", spec);
  // A schema may hold columns that no expert reads.
  expect(brief(diagnostics.filter(({ code }) => code !== "slice/unused"))).toEqual([]);
  const [model] = models;
  if (model === undefined) throw new Error("there is no model");
  return model;
}

type Config = Record<string, unknown>;

const isConfig = (value: unknown): value is Config => typeof value === "object" && value !== null;

/** The mapping or list at a path. */
function at(config: Config, ...path: readonly (string | number)[]): Config {
  const found = path.reduce<unknown>((value, key) => (isConfig(value) ? value[key] : undefined), config);
  if (!isConfig(found)) throw new Error(`there is nothing at ${path.join(".")}`);
  return found;
}

/** The full configuration after a change of its data; comments and layout are lost. */
function edited(change: (config: Config) => unknown): string {
  const config: Config = parse(configText);
  change(config);
  return stringify(config, { aliasDuplicateObjects: false });
}

const drop = (config: Config, ...keys: readonly string[]): void => {
  for (const key of keys) delete config[key];
};

describe("a full configuration", () => {
  const { spec, found } = run(configText, { modelName: "PleClusterAdaTT" });

  it("gives the model of specs/ple_cluster_adatt.ple: the same parameters by module, and the same computation", () => {
    const [byHand] = checkFile("specs/ple_cluster_adatt.ple").models;
    if (byHand === undefined) throw new Error("the spec does not check");
    const { changes, weights, parameters } = compareModels(byHand, modelOf(spec));
    expect(parameters).toMatchObject({ before: parameters.after, modules: [] });
    expect(weights.loads).toBe(true);
    // The schema names five features that the spec does not.
    expect(changes.map(({ area, kind, name }) => `${area} ${kind} ${name}`)).toEqual(
      ["dominant_state", "duration", "stability", "entropy", "change_rate"].map(
        (name) => `inputs added features.model_derived.hmm_summary.${name}`,
      ),
    );
  });

  it("says of two keys that they are not carried over, and assumes nothing", () => {
    expect(found).toEqual([
      'config/not-carried 282 "max_epochs": `training.max_epochs` is not carried over: the phases plan 23 epochs',
      expect.stringContaining('config/not-carried 285 "mixed_precision"'),
    ]);
  });

  it("is formatted, and what the example holds", () => {
    expect(formatSource(new Source("m.ple", spec ?? "")).text).toBe(spec);
    expect(readFileSync("examples/import/model.ple", "utf8")).toBe(spec);
  });
});

describe("every key is carried over, or reported", () => {
  const paths: (readonly (string | number)[])[] = [];
  const collect = (value: unknown, path: readonly (string | number)[]): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      const at = [...path, Array.isArray(value) ? Number(key) : key];
      if (!Array.isArray(value)) paths.push(at);
      collect(inner, at);
    }
  };
  collect(parse(configText), []);
  const everyFifth = paths.filter((_, i) => i % 5 === 0);

  test.each(everyFifth.map((path) => [path.join("."), path] as const))("a key beside %s", (_, path) => {
    const text = edited((config) => {
      const parent = at(config, ...path.slice(0, -1));
      Object.assign(parent, { no_such_key: 1 });
    });
    const { found } = run(text);
    expect(found.filter((line) => line.includes("no_such_key"))).not.toEqual([]);
  });

  test.each(everyFifth.map((path) => [path.join("."), path] as const))("a value of the wrong kind at %s", (_, path) => {
    const text = edited((config) => {
      const parent = at(config, ...path.slice(0, -1));
      Object.assign(parent, { [path.at(-1) ?? ""]: [[{ wrong: true }]] });
    });
    const { spec, found } = run(text);
    const last = path.at(-1);
    // Keys that a spec has no place for may hold anything.
    if (last === "mixed_precision") return;
    expect(spec, found.join("\n")).toBeNull();
    expect(found.some((line) => line.startsWith("yaml/type") || line.startsWith("config/conflict"))).toBe(true);
  });
});

test("docs/import.md lists every key of the example", () => {
  const page = readFileSync("docs/import.md", "utf8");
  const named =
    /^(ctr|cvr|engagement|uplift|churn|retention|life-stage|ltv|balance_util|channel|timing|nba|spending_|consumption|category_|brand_|merchant_affinity|lifecycle|value|journey|behavior)/;
  const keys = new Set(
    [...configText.matchAll(/(?:^|[{,]) *([a-z_0-9-]+):/gm)].map((match) => match[1] ?? "").filter((key) => !named.test(key)),
  );
  expect(
    [...keys].filter(
      (key) =>
        !["max_epochs", "mixed_precision", "input_dim", "output_dim", "shared_experts", "tasks", "common", "patience"].includes(key) &&
        !new RegExp(`\\b${key}\\b`).test(page),
    ),
  ).toEqual([]);
});

describe("partial configurations", () => {
  const minimal = `global: { input_dim: 12 }
task_experts:
  tasks:
    click: { type: binary, loss: bce, weight: 1.0 }
task_towers: { hidden_dims: [8] }
`;

  it("of one task over the features", () => {
    const { spec, found } = run(minimal, { schema: null });
    expect(modelOf(spec)).toMatchObject({ inputs: [{ name: "features", shape: [{}, 12] }], tasks: [{ name: "click" }], banks: [] });
    expect(found).toEqual(['config/assumed 2 "task_experts": there is no `task_experts.common`: towers read what the experts give']);
  });

  test.each<readonly [string, (config: Config) => unknown, readonly string[]]>([
    ["without cgc", (config) => drop(config, "cgc"), ["there is no `cgc`", "change nothing"]],
    ["with cgc off", (config) => Object.assign(at(config, "cgc"), { enabled: false }), ["change nothing"]],
    ["without hidden Markov states", (config) => drop(config, "hmm_triple_mode"), []],
    ["without a sparse autoencoder", (config) => drop(config, "sae"), []],
    ["without evidence", (config) => drop(config, "evidential"), []],
    ["without edges", (config) => drop(config, "task_relationships"), []],
    ["without training", (config) => drop(config, "training"), []],
    ["without adaptive transfer, and so without groups", (config) => drop(config, "adatt"), ["every task has an encoder of its own"]],
    ["without widths of towers", (config) => drop(config, "task_towers"), ["towers are [64, 32]"]],
    ["without an encoder", (config) => drop(at(config, "task_experts"), "common"), ["towers read what the experts give"]],
    [
      "with the legacy basket",
      (config) => Object.assign(at(config, "task_experts", "common"), { use_group_encoder: false }),
      ["a sub-head for each cluster", "`task_experts.common.group_hidden_dim` is not carried over"],
    ],
    [
      "with one expert",
      (config) => {
        config.shared_experts = { causal: { output_dim: 64 } };
      },
      ["leaves `n_nodes`", "there is no expert `perslay`"],
    ],
    [
      "with an expert off",
      (config) => Object.assign(at(config, "shared_experts", "temporal"), { enabled: false }),
      ["`shared_experts.temporal` is not carried over: it is switched off", "there is no expert `temporal` in the bank"],
    ],
    ["with a mode less", (config) => drop(at(config, "hmm_triple_mode"), "behavior"), ["it takes journey, as the system does"]],
  ])("%s", (_, change, remarks) => {
    const { spec, found } = run(edited(change));
    modelOf(spec);
    for (const remark of remarks)
      expect(
        found.some((line) => line.includes(remark)),
        `${remark}\n  in\n${found.join("\n")}`,
      ).toBe(true);
    expect(found.every((line) => line.startsWith("config/"))).toBe(true);
  });

  it("without a feature schema: columns by number, and what needs groups is left out", () => {
    const { spec, found } = run(configText, { schema: null });
    const model = modelOf(spec);
    expect(spec).toContain("features[:, 0:644]");
    expect(spec).toContain("RawScale(features[:, 644:734]");
    expect(model.banks[0]?.entries.map(({ name }) => name)).not.toContain("deepfm");
    expect(found.filter((line) => line.includes("--features") || line.includes("group `"))).not.toEqual([]);
    expect(found.some((line) => line.includes('"deepfm": `shared_experts.deepfm` is not carried over'))).toBe(true);
  });
});

describe("findings point into the configuration", () => {
  const replace = (from: string, to: string) => {
    expect(configText).toContain(from);
    return configText.replace(from, to);
  };
  test.each([
    ["a misspelt section", replace("task_towers:", "task_tower:"), '"task_tower": `task_tower` is not carried over'],
    ["a misspelt key", replace("entropy_lambda", "entropy_lamda"), '"entropy_lamda": `cgc.entropy_lamda` is not carried over'],
    [
      "an unknown expert",
      replace("  causal:\n", "  causl:\n"),
      '"causl": `shared_experts.causl` is not carried over: plec knows no expert of this name',
    ],
    [
      "an unknown loss",
      replace("loss: mse", "loss: quantile"),
      '"loss": `task_experts.tasks.engagement.loss` is not carried over: plec imports no loss `quantile`',
    ],
    ["an unknown schedule", replace("type: cosine_warm_restarts", "type: step"), "`training.scheduler.type` is not carried over"],
    [
      "an unknown expert that a task prefers",
      replace("domain_experts: [temporal]", "domain_experts: [tmporal]"),
      '"tmporal": `task_experts.tasks.engagement.domain_experts` is not carried over',
    ],
    [
      "a freeze that never comes",
      replace("freeze_epoch: 12", "freeze_epoch: 28"),
      "`adatt.freeze_epoch` is not carried over: the phases plan 23 epochs, so that epoch 28 never comes",
    ],
    [
      "an edge from a task that is off",
      replace("source: ctr", "source: uplift"),
      "`task_relationships[0]` is not carried over: task `uplift` is not enabled",
    ],
  ])("%s is a warning", (_, text, message) => {
    const { spec, found } = run(text);
    modelOf(spec);
    expect(
      found.some((line) => line.includes(message)),
      found.join("\n"),
    ).toBe(true);
  });

  test.each([
    [
      "text for a number",
      replace("dropout: 0.2\n\nshared", "dropout: a lot\n\nshared"),
      'yaml/type 5 "a lot": `global.dropout` must be a number, not the text "a lot"',
    ],
    [
      "yes for true",
      replace("dim_normalize: true", "dim_normalize: yes"),
      'yaml/type 67 "yes": `cgc.dim_normalize` must be true or false, not the text "yes"',
    ],
    ["a list for a section", replace("  hidden_dims: [64, 32]\n  dropout: 0.2", "  - 64"), "`task_towers` must be a mapping, not a list"],
    [
      "a width that disagrees with its columns",
      replace("input_dim: 644", "input_dim: 600"),
      'config/conflict 25 "input_dim": deepfm reads 644 columns, and `input_dim` is 600',
    ],
    [
      "a width that disagrees with the schema",
      replace("input_dim: 734", "input_dim: 700"),
      'config/conflict 4 "input_dim": `global.input_dim` is 700, and the schema has 734 columns',
    ],
    [
      "an unknown task of a group",
      replace("members: [balance_util, channel, timing]", "members: [balance_util, chanel, timing]"),
      "names `chanel`, which is no task",
    ],
    [
      "a task in two groups",
      replace("members: [balance_util, channel, timing]", "members: [balance_util, channel, timing, ctr]"),
      "task `ctr` is in the groups engagement and value",
    ],
    [
      "a task in no group",
      replace("members: [balance_util, channel, timing]", "members: [balance_util, channel]"),
      "task `timing` is in no group",
    ],
    [
      "a task of two modes",
      replace("      - nba\n      - balance_util", "      - nba\n      - ctr"),
      "task `ctr` is routed to journey and to behavior",
    ],
    ["an edge from nowhere", replace("source: ctr", "source: crt"), '"source": there is no task `crt`'],
    ["a binary task with three outputs", replace("output_dim: 1\n", "output_dim: 3\n"), "a binary task has one output, not 3"],
    ["classes without a number", replace("      output_dim: 6\n", ""), "`task_experts.tasks.life-stage` has no `output_dim`"],
    ["clusters without a number", replace("  n_clusters: 20\n", ""), "`global.n_clusters` does not say how many"],
    ["no tasks", "global: { input_dim: 4 }\n", "the configuration has no `task_experts`"],
    ["a list", "- 1\n", "a configuration must be a mapping"],
    ["nothing", "", "a configuration must be a mapping"],
    ["broken YAML", "a: [", "yaml/syntax"],
  ])("%s is an error, and nothing is written", (_, text, message) => {
    const { spec, found } = run(text);
    expect(spec).toBeNull();
    expect(
      found.some((line) => line.includes(message)),
      found.join("\n"),
    ).toBe(true);
  });

  it("reads merged defaults and aliases", () => {
    const text = replace("  perslay:\n    enabled: true\n", "  perslay: &on\n    enabled: true\n").replace(
      "  raw_scale:\n    enabled: true\n    input_dim: 90\n    hidden_dim: 72\n",
      "  raw_scale:\n    <<: *on\n    input_dim: 90\n",
    );
    const { spec, found } = run(text);
    modelOf(spec);
    expect(found.filter((line) => line.includes("raw_scale.n_gaussians"))).toHaveLength(1);
    expect(spec).toContain("RawScale(features.raw_power_law, hidden: 72, out: 64)");
  });
});
