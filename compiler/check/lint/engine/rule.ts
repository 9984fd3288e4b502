import {
  type Details,
  type Diagnostic,
  type DiagnosticDefinition,
  fillMessage,
  type Placeholders,
  type Severity,
} from "../../../../dsl/diagnostic.ts";
import type { Span } from "../../../../dsl/source.ts";
import type { ElaboratedModel } from "../../../elaborate/model.ts";
import type { LoadedFile } from "../../../project.ts";
import type { ModelAnalysis } from "../analysis/model-analysis.ts";

/** A threshold that `plec.config.yaml` may set. */
export interface RuleOption {
  readonly default: number;
  /** The smallest value with a meaning. */
  readonly least: number;
  /** For the documentation: `experts whose ...`. */
  readonly what: string;
}

type Options = Readonly<Record<string, RuleOption>>;

/** What a rule looks at: syntax trees of the file and its imports, and for each model of the file its declarations, graph and analyses. */
export interface LintContext {
  readonly entry: LoadedFile;
  /** The entry, what it imports, and the prelude. */
  readonly files: readonly LoadedFile[];
  readonly models: readonly LintedModel[];
}

export interface LintedModel extends ElaboratedModel {
  readonly analysis: ModelAnalysis;
}

type Report<M extends string> = (span: Span, values: Placeholders<M>, details?: Details) => void;

export interface RuleDefinition<M extends string, O extends Options> {
  /** `lint/...`; stable, since comments and configurations name it. */
  readonly code: string;
  readonly severity: Severity;
  readonly message: M;
  readonly why: string;
  readonly help: string;
  readonly options: O;
  readonly check: (context: LintContext, report: Report<M>, options: { readonly [K in keyof O]: number }) => void;
}

/** A rule as the engine sees it. */
export interface LintRule extends DiagnosticDefinition {
  readonly code: string;
  readonly options: Options;
  /** Findings with the rule's own severity; `options` overrides defaults by name. */
  readonly run: (context: LintContext, options: Readonly<Record<string, number>>) => readonly Diagnostic[];
}

/** Keeps the literal message and option names, so that the compiler checks what a rule reports and reads. */
export function defineRule<const M extends string, const O extends Options>(definition: RuleDefinition<M, O>): LintRule {
  const { code, severity, message, why, help, options, check } = definition;
  const defaults = Object.fromEntries(Object.entries(options).map(([name, option]) => [name, option.default]));
  return {
    code,
    severity,
    message,
    why,
    help,
    options,
    run: (context, given) => {
      const found: Diagnostic[] = [];
      const report: Report<M> = (span, values, { notes = [], help: own = null, fixes = [] } = {}) => {
        found.push({ code, severity, message: fillMessage(message, values), span, notes, help: own, fixes });
      };
      check(context, report, { ...defaults, ...given } as { readonly [K in keyof O]: number });
      return found;
    },
  };
}
