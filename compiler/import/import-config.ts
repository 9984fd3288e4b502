import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { formatSource } from "../../dsl/printer.ts";
import { Source } from "../../dsl/source.ts";
import { type FeatureSchema, readFeatureSchema } from "../yaml/feature-schema.ts";
import { readYaml } from "../yaml/read.ts";
import { type ImportedExperts, importExperts } from "./experts.ts";
import { type Features, featuresOfConfig, featuresOfSchema } from "./features.ts";
import { Report, type Section } from "./section.ts";
import {
  type ImportedTask,
  type ImportedTransfer,
  importGroups,
  importRoutes,
  importTasks,
  importTransfers,
  type Routes,
  taskNames,
} from "./tasks.ts";
import { importTraining } from "./training.ts";

export interface ImportOptions {
  /** The feature schema that gives the columns of `features`, and its path as the spec is to name it. */
  readonly schema: { readonly source: Source; readonly path: string } | null;
  readonly modelName: string;
}

export interface ImportedConfig {
  /** A formatted spec; null when there are errors. */
  readonly text: string | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** The sections of a configuration, in the order of the system's document. */
const sections = [
  "global",
  "shared_experts",
  "cgc",
  "hmm_triple_mode",
  "task_experts",
  "adatt",
  "task_relationships",
  "task_towers",
  "sae",
  "evidential",
  "training",
  "loss_weighting",
];

/**
 * Writes a spec from a model configuration. Every key of it is either in the spec or in a finding, and so is everything that the spec says and the
 * configuration does not.
 */
export function importConfig(config: Source, options: ImportOptions): ImportedConfig {
  const report = new Report();
  const node = readYaml(config, report.diagnostics);
  const schema = options.schema === null ? null : readSchema(options.schema.source, options.schema.path, report);
  if (node !== null && node.kind !== "map") report.expected(node, "a configuration", `a mapping with the sections ${sections.join(", ")}`);
  if (node?.kind !== "map" || hasErrors(report.diagnostics)) return { text: null, diagnostics: report.diagnostics };
  const root = report.section("", node, { source: config, start: 0, end: 0 });
  const lines = new ConfigImport(root, report, options, schema).lines();
  const diagnostics = report.finish();
  if (hasErrors(diagnostics) || lines === null) return { text: null, diagnostics };
  const { text } = formatSource(new Source("imported", lines.join("\n")));
  if (text === null) throw new Error("the imported spec is not syntactically right");
  return { text, diagnostics };
}

function readSchema(source: Source, path: string, report: Report): FeatureSchema | null {
  const root = readYaml(source, report.diagnostics);
  const name = { kind: "Name", text: "features", span: { source, start: 0, end: 0 } } as const;
  return root === null ? null : readFeatureSchema(root, name, path, report.diagnostics);
}

const hasErrors = (diagnostics: readonly Diagnostic[]): boolean => diagnostics.some(({ severity }) => severity === "error");

class ConfigImport {
  readonly #root: Section;
  readonly #report: Report;
  readonly #options: ImportOptions;
  readonly #schema: FeatureSchema | null;
  /** Imported names by library file. */
  readonly #library = new Map<string, Set<string>>();

  constructor(root: Section, report: Report, options: ImportOptions, schema: FeatureSchema | null) {
    this.#root = root;
    this.#report = report;
    this.#options = options;
    this.#schema = schema;
  }

  /** The lines of the spec, not yet formatted; null where there is nothing to write. */
  lines(): readonly string[] | null {
    const root = this.#root;
    const global = root.section("global");
    const shared = root.section("shared_experts");
    const features = this.#features(global, shared);
    const experts = importExperts(shared, features, this.#report);
    for (const { definition } of experts.experts) this.#use("std/experts", definition);

    const taskExperts = root.section("task_experts");
    const taskSection = taskExperts?.section("tasks") ?? (taskExperts === null ? null : taskExperts.missing("tasks"));
    if (taskExperts === null) root.missing("task_experts");
    const known = taskNames(taskSection);
    const hmm = root.section("hmm_triple_mode");
    const routes = importRoutes(hmm, known, this.#report);
    const grouping = importGroups(root.section("adatt"), known, routes, this.#report);
    const tasks = importTasks(
      taskSection,
      experts.experts.map(({ name }) => name),
      grouping,
      routes,
      this.#report,
    );
    const relationships = root.entry("task_relationships");
    const transfers = relationships === null ? [] : importTransfers(root.sections("task_relationships") ?? [], tasks, this.#report);
    const grouped = grouping.groups.length > 0;

    const dropout = global?.number("dropout") ?? null;
    const clusters = global?.whole("n_clusters") ?? null;
    const common = taskExperts?.section("common") ?? null;
    const cgc = this.#cgc(experts, tasks);
    const body = [
      ...this.#banks(experts, features, cgc.lines),
      ...this.#routes(hmm, routes),
      "",
      ...grouping.groups.map(
        ({ name, route, settings }) => `group ${name} { ${[...(route === null ? [] : [`route: ${route}`]), ...settings].join(", ")} }`,
      ),
      "",
      ...tasks.map((task) => this.#task(task)),
      "",
      ...transfers.map(({ from, to, call }) => `transfer ${from} -> ${to} = ${call}`),
    ];
    if (transfers.length > 0) this.#use("std/layers", "Residual");
    const parts = [...cgc.expression, ...(routes.modes.length > 0 ? ["hmm"] : [])];
    const hidden = this.#hidden(
      common,
      parts.length === 1 ? (parts[0] ?? "") : `concat([${parts.join(", ")}])`,
      clusters,
      dropout,
      grouped,
    );
    const flow = this.#flow(transfers, dropout);
    const beside = [
      ...this.#sae(experts),
      ...this.#evidence(),
      ...(cgc.gated ? ["output gates per task = cgc.attention"] : []),
      "output representation per task = hidden",
    ];
    const banks = [...(experts.experts.length > 0 ? ["shared"] : []), ...(cgc.gated ? ["cgc"] : [])];
    const train = importTraining(root, banks, this.#report);
    if (tasks.length === 0 && taskSection !== null) this.#report.conflict(taskSection.span, "there is no task that could be imported");
    if (cgc.expression[0] === "features" && features.declaration === null)
      this.#report.conflict(
        root.span,
        "there are neither shared experts nor a width of `features` (`global.input_dim`): nothing says what tasks read",
      );
    const inputs = [
      ...(features.declaration === null ? [] : [features.declaration]),
      ...(hidden.clustered && clusters !== null ? ["input cluster_id: id[B] of clusters", "input cluster_probs: f32[B, clusters]?"] : []),
      ...experts.inputs.values(),
      ...routes.modes.map((mode) => `input hmm_${mode}: f32[B, ${hmm?.whole("hmm_dim") ?? 16}]?`),
    ];
    return [
      `// Imported by plec import; inputs of the experts have the shapes of the system's input class.`,
      "",
      ...[...this.#library].map(([path, names]) => `import { ${[...names].join(", ")} } from "${path}"`),
      "",
      `model ${this.#options.modelName} {`,
      ...(hidden.clustered && clusters !== null ? [`const clusters = ${clusters}`, ""] : []),
      ...inputs,
      "",
      ...body,
      "",
      ...hidden.lines,
      "",
      ...flow,
      "",
      ...beside,
      "",
      ...(train === null ? [] : ["train {", `${train.join(",\n")},`, "}"]),
      "}",
      "",
    ];
  }

  #use(path: string, ...names: readonly string[]): void {
    const used = this.#library.get(path) ?? new Set();
    for (const name of names) used.add(name);
    this.#library.set(path, used);
  }

  #features(global: Section | null, shared: Section | null): Features {
    const width = global?.whole("input_dim") ?? null;
    if (this.#schema !== null && this.#options.schema !== null) {
      if (width !== null && width !== this.#schema.width && global !== null)
        this.#report.conflict(
          global.spanOf("input_dim"),
          `\`global.input_dim\` is ${width}, and the schema has ${this.#schema.width} columns`,
        );
      return featuresOfSchema(this.#schema, this.#options.schema.path, width);
    }
    const raw = shared?.has("raw_scale") === true ? (shared.section("raw_scale")?.whole("input_dim") ?? null) : null;
    return featuresOfConfig(width, raw, shared, this.#report);
  }

  #banks({ experts, usesNormalized }: ImportedExperts, features: Features, cgc: readonly string[]): readonly string[] {
    const normalized =
      usesNormalized && features.normalized !== null
        ? [`let normalized: f32[B, ${features.normalized.width}] = ${features.normalized.expression}`, ""]
        : [];
    if (experts.length === 0) return normalized;
    const entries = experts.map(({ name, width, call }) => `${name}${width === null ? "" : `: f32[B, ${width}]`} = ${call}`);
    return [...normalized, "experts shared {", ...entries, "}", "", ...cgc];
  }

  /** What a task reads of the experts. */
  #cgc(
    { experts }: ImportedExperts,
    tasks: readonly ImportedTask[],
  ): { readonly gated: boolean; readonly expression: readonly string[]; readonly lines: readonly string[] } {
    const section = this.#root.section("cgc");
    const report = this.#report;
    if (experts.length === 0) {
      section?.entries();
      if (section !== null) report.notCarried(section.span, "cgc", "there are no shared experts to mix");
      return { gated: false, expression: ["features"], lines: [] };
    }
    if (section === null || !section.enabled()) {
      if (section === null) report.assumed(this.#root.span, "there is no `cgc`: tasks read the experts side by side, without gates");
      const preferring = tasks.find((task) => task.prefer.length > 0);
      if (preferring !== undefined)
        report.assumed(
          preferring.section.spanOf("domain_experts"),
          "without gates `domain_experts` change nothing; they are kept as `prefer`",
        );
      return { gated: false, expression: ["concat(shared)"], lines: [] };
    }
    this.#use("std/gates", "BlockScale");
    const numberOr = (key: string, fallback: number, otherwise: string) => {
      const value = section.number(key);
      if (value === null && !section.has(key)) report.assumed(section.span, `\`cgc.${key}\` is not given: ${otherwise}`);
      return value ?? fallback;
    };
    const high = numberOr("bias_high", 1, "preferred experts begin at 1.0");
    const low = numberOr("bias_low", -1, "other experts begin at -1.0");
    const entropy = numberOr("entropy_lambda", 0, "gates have no entropy penalty");
    const normalize = section.flag("dim_normalize");
    if (normalize === null && !section.has("dim_normalize"))
      report.assumed(section.span, "`cgc.dim_normalize` is not given: wide experts are not scaled down");
    const widths = experts.map(({ width }) => width);
    const total = widths.reduce<number | null>((sum, width) => (sum === null || width === null ? null : sum + width), 0);
    const settings = [
      "by: concat(shared)",
      `prior: [if expert in task.prefer then ${high} else ${low} for expert in names(shared)]`,
      `dim_normalize: ${normalize ?? false}`,
      ...(entropy === 0 ? [] : [`entropy: ${entropy} / count(tasks)`]),
    ];
    const line = `let cgc per task${total === null ? "" : `: f32[B, ${total}]`} = BlockScale(shared, ${settings.join(", ")})`;
    return { gated: true, expression: ["cgc"], lines: [line] };
  }

  #routes(hmm: Section | null, { modes }: Routes): readonly string[] {
    if (hmm === null || modes.length === 0) return [];
    this.#use("std/layers", "HmmProjector");
    const width = hmm.whole("proj_dim");
    if (width === null && !hmm.has("proj_dim"))
      this.#report.assumed(hmm.span, "`hmm_triple_mode.proj_dim` is not given: states are projected to 32");
    if (hmm.whole("hmm_dim") === null && !hmm.has("hmm_dim"))
      this.#report.assumed(hmm.span, "`hmm_triple_mode.hmm_dim` is not given: states are 16 wide");
    return ["", "routes hmm {", ...modes.map((mode) => `${mode}: f32[B, ${width ?? 32}] = HmmProjector(hmm_${mode}, ${width ?? 32})`), "}"];
  }

  #task({ name, group, route, kind, loss, weight, prefer, enabled }: ImportedTask): string {
    const definition = /^\w+/.exec(loss)?.[0] ?? "none";
    // The loss of a task that is switched off is written as well, and an import that it alone uses is used.
    if (definition !== "none") this.#use("std/losses", definition);
    const settings = [
      `loss: ${loss}`,
      ...(weight === null ? [] : [`weight: ${weight}`]),
      ...(prefer.length === 0 ? [] : [`prefer: [${prefer.join(", ")}]`]),
      ...(route === null ? [] : [`route: ${route}`]),
      ...(enabled ? [] : ["enabled: false"]),
    ];
    return `task ${name}${group === null ? "" : ` in ${group}`}: ${kind} { ${settings.join(", ")} }`;
  }

  /** What stands between the gates and the tower of a task. */
  #hidden(
    common: Section | null,
    read: string,
    clusters: number | null,
    dropout: number | null,
    grouped: boolean,
  ): { readonly clustered: boolean; readonly lines: readonly string[] } {
    const report = this.#report;
    if (common === null) {
      report.assumed(this.#root.spanOf("task_experts"), "there is no `task_experts.common`: towers read what the experts give");
      return { clustered: false, lines: [`let hidden per task = ${read}`] };
    }
    if (clusters === null) {
      report.conflict(common.span, "`task_experts.common` embeds clusters, and `global.n_clusters` does not say how many there are");
      return { clustered: true, lines: [] };
    }
    const out = this.#widthOf(common, "subhead_output_dim", 32);
    const own = common.number("dropout") ?? dropout;
    if (common.flag("use_group_encoder") === false) {
      this.#use("std/layers", "ClusterTaskExpert", "routing");
      report.assumed(
        common.spanOf("use_group_encoder"),
        "without group encoders every task has an expert with a sub-head for each cluster, of the library's widths",
      );
      return {
        clustered: true,
        lines: [`let hidden per task: f32[B, ${out}] = ClusterTaskExpert(${read}, routing(cluster_id, cluster_probs), out: ${out})`],
      };
    }
    if (!common.has("use_group_encoder"))
      report.assumed(
        common.span,
        "`task_experts.common.use_group_encoder` is not given: group encoders are used, which is the system's default",
      );
    this.#use("std/layers", "ClusterEmbedding", "GroupTaskExpert");
    if (!grouped) report.assumed(common.span, "there are no `adatt.task_groups`: every task has an encoder of its own");
    const width = this.#widthOf(common, "cluster_embed_dim", 32);
    const settings = [
      `hidden: ${this.#widthOf(common, "group_hidden_dim", 128)}`,
      `encoded: ${this.#widthOf(common, "group_output_dim", 64)}`,
      `out: ${out}`,
      ...(own === null ? [] : [`dropout: ${own}`]),
    ];
    const per = grouped ? " per group" : "";
    return {
      clustered: true,
      lines: [
        `let cluster${per}: f32[B, ${width}] = ClusterEmbedding(cluster_id, cluster_probs, dim: ${width})`,
        "",
        `let hidden per task: f32[B, ${out}] = GroupTaskExpert(${read}, cluster, ${settings.join(", ")})${per}`,
      ],
    };
  }

  #widthOf(section: Section, key: string, fallback: number): number {
    const value = section.whole(key);
    if (value === null && !section.has(key))
      this.#report.assumed(section.span, `\`${section.path}.${key}\` is not given: it is taken to be ${fallback}`);
    return value ?? fallback;
  }

  #flow(transfers: readonly ImportedTransfer[], dropout: number | null): readonly string[] {
    this.#use("std/layers", "Tower");
    const towers = this.#root.section("task_towers");
    const widths = towers?.wholes("hidden_dims") ?? null;
    const own = towers?.number("dropout") ?? dropout;
    if (widths === null && towers?.has("hidden_dims") !== true)
      this.#report.assumed(towers?.span ?? this.#root.span, "`task_towers.hidden_dims` is not given: towers are [64, 32]");
    const call = `Tower(task.width, [${(widths ?? [64, 32]).join(", ")}]${own === null ? "" : `, dropout: ${own}`})`;
    return ["flow per task {", `return hidden${transfers.length > 0 ? " |> transfers" : ""} |> ${call}`, "}"];
  }

  #evidence(): readonly string[] {
    const section = this.#root.section("evidential");
    if (section === null || !section.enabled()) return [];
    this.#use("std/heads", "EvidentialHead", "evidential_loss", "uncertainty");
    const [strength, anneal] = [section.number("kl_lambda"), section.whole("annealing_epochs")];
    const settings = [...(strength === null ? [] : [`strength: ${strength}`]), ...(anneal === null ? [] : [`anneal: ${anneal}`])];
    for (const key of ["kl_lambda", "annealing_epochs"])
      if (!section.has(key)) this.#report.assumed(section.span, `\`evidential\` leaves \`${key}\` to the library's default`);
    return [
      "let evidence per task = EvidentialHead(hidden, task)",
      `penalty evidence per task = evidential_loss(${["evidence", "f32(label)", "epoch", "task", ...settings].join(", ")})`,
      "output uncertainty per task = uncertainty(evidence, task)",
    ];
  }

  #sae({ experts }: ImportedExperts): readonly string[] {
    const section = this.#root.section("sae");
    if (section === null || !section.enabled()) return [];
    if (experts.length === 0) {
      section.entries();
      this.#report.notCarried(section.span, "sae", "there are no shared experts to look into");
      return [];
    }
    this.#use("std/heads", "SparseAutoencoder");
    const [expand, l1, weight, tied] = [
      section.whole("expansion_factor"),
      section.number("l1_lambda"),
      section.number("loss_weight"),
      section.flag("tied_weights"),
    ];
    for (const key of ["expansion_factor", "l1_lambda", "loss_weight", "tied_weights"])
      if (!section.has(key)) this.#report.assumed(section.span, `\`sae\` leaves \`${key}\` to the library's default`);
    const settings = [
      ...(expand === null ? [] : [`expand: ${expand}`]),
      ...(l1 === null ? [] : [`l1: ${l1}`]),
      ...(weight === null ? [] : [`weight: ${weight}`]),
      ...(tied === null ? [] : [`decoder: "${tied ? "tied" : "untied"}"`]),
    ];
    return [`let sae = SparseAutoencoder(${["concat(shared)", ...settings].join(", ")})`, "output sae_latents = sae.latents"];
  }
}
