import { closest } from "../../dsl/suggest.ts";
import type { Features } from "./features.ts";
import type { Report, Section } from "./section.ts";

/** A shared expert as it stands in the bank. */
export interface ImportedExpert {
  readonly name: string;
  readonly definition: string;
  readonly width: number | null;
  readonly call: string;
}

export interface ImportedExperts {
  readonly experts: readonly ImportedExpert[];
  /** Declarations of the inputs that the experts read, by name. */
  readonly inputs: ReadonlyMap<string, string>;
  readonly usesNormalized: boolean;
}

/** Inputs of the known experts, as the system's input class declares them. */
const declarations: Readonly<Record<string, string>> = {
  hierarchy: "/// Points of the Poincaré ball.\ninput hierarchy: f32[B, 20]? { mcc: 8, product: 8, region: 4 }",
  tda: "/// Precomputed persistence features, used where there is no diagram.\ninput tda: f32[B, 70]?",
  tda_short: "/// Persistence diagrams: birth, death, homology degree.\ninput tda_short: f32[B, 200, 3]?",
  tda_short_mask: "input tda_short_mask: f32[B, 200]? = 1",
  tda_long: "input tda_long: f32[B, 150, 3]?",
  tda_long_mask: "input tda_long_mask: f32[B, 150]? = 1",
  tda_global_stats: "input tda_global_stats: f32[B, 30]?",
  tda_phase_transition: "input tda_phase_transition: f32[B, 10]?",
  txn_seq: "input txn_seq: f32[B, 180, 16]?",
  session_seq: "input session_seq: f32[B, 90, 8]?",
};

/** What an expert reads: arguments as text, and how wide it is all together where `input_dim` may say so. */
interface Reading {
  readonly text: string;
  readonly width: number | null;
}

interface Recipe {
  readonly definition: string;
  /** Keys of the configuration and the parameters that they set. */
  readonly settings: Readonly<Record<string, readonly [parameter: string, kind: "whole" | "wholes" | "number" | readonly string[]]>>;
  readonly inputs: readonly string[];
  /** Null once reported. */
  readonly reads: (section: Section, features: Features, report: Report) => Reading | null;
}

const out = { output_dim: ["out", "whole"] } as const;

const fromNormalized: Recipe["reads"] = (section, { normalized }, report) =>
  normalized === null
    ? report.notCarried(section.span, section.path, "nothing says how wide `features` is: state `global.input_dim`, or pass --features")
    : { text: "normalized", width: normalized.width };

const recipes: Readonly<Record<string, Recipe>> = {
  unified_hgcn: {
    definition: "UnifiedHGCN",
    settings: { hidden_dim: ["hidden", "whole"], n_layers: ["layers", "whole"], ball_dim: ["ball", "whole"], ...out },
    inputs: ["hierarchy"],
    reads: (section, features, report) => {
      const names = section.words("merchant_features");
      if (names === null) {
        const help = "state `merchant_features`: the groups of features that describe merchants";
        return section.has("merchant_features")
          ? null
          : report.notCarried(section.span, section.path, "nothing says which columns describe merchants", help);
      }
      const groups = names.map(
        ({ text, span }) =>
          features.group(text) ??
          report.notCarried(span, section.path, `there is no group \`${text}\` of features; pass the schema with --features`),
      );
      if (groups.some((group) => group === null)) return null;
      const columns = groups.flatMap((group) => (group === null ? [] : [group]));
      const merchant =
        columns.length === 1 ? columns[0]?.expression : `concat([${columns.map(({ expression }) => expression).join(", ")}])`;
      const width = columns.reduce((sum, column) => sum + column.width, 20);
      return { text: `[hierarchy.mcc, hierarchy.product, hierarchy.region], ${merchant}`, width };
    },
  },
  perslay: {
    definition: "PersLay",
    settings: { n_gaussians: ["gaussians", "whole"], n_tents: ["tents", "whole"], hidden_dim: ["hidden", "whole"], ...out },
    inputs: ["tda", "tda_short", "tda_short_mask", "tda_long", "tda_long_mask", "tda_global_stats", "tda_phase_transition"],
    reads: () => ({
      text: "[tda_short, tda_long], stats: concat([tda_global_stats, tda_phase_transition]), fallback: tda, masks: [tda_short_mask * step_mask(tda_short), tda_long_mask * step_mask(tda_long)]",
      width: 70,
    }),
  },
  deepfm: {
    definition: "DeepFM",
    settings: { embedding_dim: ["k", "whole"], deep_dims: ["deep", "wholes"], ...out },
    inputs: [],
    reads: (section, features, report) =>
      features.grouped && features.normalized !== null
        ? { text: "leaves(normalized)", width: features.normalized.width }
        : report.notCarried(section.span, section.path, "its fields are the groups of a feature schema: pass it with --features"),
  },
  temporal: {
    definition: "TemporalEnsemble",
    settings: {
      n_layers: ["blocks", "wholes"],
      d_model: ["d", "whole"],
      ssm: ["ssm", ["mamba", "mamba2"]],
      lnn: ["lnn", ["cfc", "ltc_diag"]],
      ...out,
    },
    inputs: ["txn_seq", "session_seq"],
    reads: () => ({ text: "[txn_seq, session_seq]", width: null }),
  },
  lightgcn: {
    definition: "LightGCN",
    settings: { hidden_dim: ["hidden", "whole"] },
    inputs: ["collaborative"],
    reads: (section, _, report) => {
      const [width, given] = [section.whole("output_dim"), section.whole("input_dim")];
      if (width !== null && given !== null && width !== given)
        return report.conflict(
          section.spanOf("output_dim"),
          `lightgcn keeps the width of its input, ${given}, and \`output_dim\` is ${width}`,
        );
      return { text: "collaborative", width: width ?? given };
    },
  },
  causal: {
    definition: "Causal",
    settings: {
      n_nodes: ["nodes", "whole"],
      hidden_dim: ["hidden", "whole"],
      dag_lambda: ["acyclic", "number"],
      sparsity_lambda: ["sparse", "number"],
      ...out,
    },
    inputs: [],
    reads: fromNormalized,
  },
  optimal_transport: {
    definition: "OptimalTransport",
    settings: {
      n_prototypes: ["prototypes", "whole"],
      sinkhorn_eps: ["eps", "number"],
      sinkhorn_iterations: ["iterations", "whole"],
      ...out,
    },
    inputs: [],
    reads: fromNormalized,
  },
  raw_scale: {
    definition: "RawScale",
    settings: { hidden_dim: ["hidden", "whole"], ...out },
    inputs: [],
    reads: (section, { raw }, report) =>
      raw === null
        ? report.notCarried(
            section.span,
            section.path,
            "nothing says which columns of `features` are raw: state its `input_dim`, or pass --features",
          )
        : { text: raw.expression, width: raw.width },
  },
};

export const expertNames = Object.keys(recipes);

/** The experts of `shared_experts`, in its order. */
export function importExperts(shared: Section | null, features: Features, report: Report): ImportedExperts {
  const inputs = new Map<string, string>();
  let usesNormalized = false;
  const experts = (shared?.entries() ?? []).flatMap(({ key, keySpan }): readonly ImportedExpert[] => {
    const recipe = recipes[key];
    if (recipe === undefined || shared === null) {
      const near = closest(key, expertNames);
      report.notCarried(
        keySpan,
        `shared_experts.${key}`,
        "plec knows no expert of this name",
        near === null ? `it knows ${expertNames.join(", ")}` : `did you mean \`${near}\`?`,
      );
      return [];
    }
    const section = shared.section(key);
    if (section === null || !section.enabled()) return [];
    const reading = recipe.reads(section, features, report);
    const settings = readSettings(section, recipe, report);
    const given = section.whole("input_dim");
    if (reading === null) {
      section.entries();
      return [];
    }
    if (given !== null && reading.width !== null && given !== reading.width)
      report.conflict(section.spanOf("input_dim"), `${key} reads ${reading.width} columns, and \`input_dim\` is ${given}`);
    for (const name of recipe.inputs) inputs.set(name, declarations[name] ?? `input collaborative: f32[B, ${reading.width ?? 64}]?`);
    if (key === "lightgcn" && reading.width === null)
      report.assumed(section.span, "lightgcn has no `output_dim`: its input is taken to be 64 wide");
    if (reading.text.includes("normalized")) usesNormalized = true;
    const width = key === "lightgcn" ? (reading.width ?? 64) : (section.whole("output_dim") ?? null);
    return [{ name: key, definition: recipe.definition, width, call: `${recipe.definition}(${[reading.text, ...settings].join(", ")})` }];
  });
  return { experts, inputs, usesNormalized };
}

/** Arguments by name, and one remark that lists those which the library's defaults stand for. */
function readSettings(section: Section, { settings }: Recipe, report: Report): readonly string[] {
  const absent: string[] = [];
  const given = Object.entries(settings).flatMap(([key, [parameter, kind]]) => {
    if (!section.has(key)) absent.push(key);
    const value = typeof kind === "string" ? section[kind](key) : section.choice(key, kind);
    if (value === null) return [];
    return [
      `${parameter}: ${typeof value === "object" ? `[${value.join(", ")}]` : typeof value === "string" ? JSON.stringify(value) : value}`,
    ];
  });
  if (absent.length > 0)
    report.assumed(
      section.span,
      `\`${section.path}\` leaves ${absent.map((key) => `\`${key}\``).join(", ")} to the library's ${absent.length === 1 ? "default" : "defaults"}`,
    );
  return given;
}
