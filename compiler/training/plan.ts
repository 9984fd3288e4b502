import type { CheckedModel } from "../model.ts";

/** The settings of `train` with every default filled in. */
export interface TrainingPlan {
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  /** Rows of a batch. */
  readonly batch: number;
  /** Batches whose gradients are averaged before one update. */
  readonly accumulate: number;
  /** The largest global norm of the gradient; null clips nothing. */
  readonly clip: number | null;
  /** Epochs without improvement after which a phase ends; null never ends one early. */
  readonly earlyStop: number | null;
  readonly seed: number;
  readonly weighting: Weighting;
  readonly adatt: AdaTT | null;
  /** At least one. */
  readonly phases: readonly Phase[];
}

export type Optimizer =
  | {
      readonly form: "adamw";
      readonly lr: number;
      readonly weightDecay: number;
      readonly beta1: number;
      readonly beta2: number;
      readonly eps: number;
    }
  | { readonly form: "sgd"; readonly lr: number; readonly weightDecay: number; readonly momentum: number };

export type Schedule =
  | { readonly form: "constant" }
  | { readonly form: "cosine_restarts"; readonly t0: number; readonly tMult: number; readonly lrMin: number };

export type UncertaintyForm = "sum" | "kendall" | "positive";

export type Weighting =
  | { readonly form: "fixed" }
  | { readonly form: "uncertainty"; readonly clamp: number; readonly variant: UncertaintyForm }
  | { readonly form: "dwa"; readonly temperature: number }
  | { readonly form: "gradnorm"; readonly alpha: number; readonly lr: number; readonly over: readonly string[] | null }
  | { readonly form: "pcgrad" };

export type AdaTTMode = "bounded" | "source" | "direction";

export interface AdaTT {
  /** Epochs during which affinities are measured and nothing is weighed. */
  readonly warmup: number;
  /** The epoch from which affinities and weights stay as they are; infinite without `freeze`. */
  readonly freeze: number;
  readonly every: number;
  readonly momentum: number;
  readonly negativeBelow: number;
  readonly inter: number;
  readonly clampLow: number;
  readonly clampHigh: number;
  readonly mode: AdaTTMode;
  /** Whose parameters the gradients are taken of; null: of what the shared experts give. */
  readonly over: readonly string[] | null;
  /** What freezes too; null: parameters with the tag `gate`. */
  readonly freezeWith: readonly string[] | null;
}

export interface Phase {
  readonly name: string;
  readonly epochs: number;
  /** The epoch, counted over all phases, at which it begins. */
  readonly start: number;
  readonly freeze: readonly string[];
  readonly lr: number;
}

/** Reads the plain data that the checker made of `train`; a model without the block is trained by the defaults. */
export function trainingPlan({ train }: Pick<CheckedModel, "train">): TrainingPlan {
  const settings = new Settings(train ?? {});
  const optimizer = readOptimizer(settings.form("optimizer"));
  return {
    optimizer,
    schedule: readSchedule(settings.form("schedule")),
    batch: settings.number("batch", 1024),
    accumulate: settings.number("accumulate", 1),
    clip: settings.optional("clip"),
    earlyStop: settings.optional("early_stop"),
    seed: settings.number("seed", 0),
    weighting: readWeighting(settings.form("weighting")),
    adatt: readAdaTT(settings.form("adatt")),
    phases: readPhases(settings.list("phases"), optimizer.lr),
  };
}

function readOptimizer(given: Settings | null): Optimizer {
  const settings = given ?? new Settings({});
  const lr = settings.number("lr", 5e-4);
  if (settings.option === "sgd") {
    return { form: "sgd", lr, weightDecay: settings.number("weight_decay", 0), momentum: settings.number("momentum", 0) };
  }
  return {
    form: "adamw",
    lr,
    weightDecay: settings.number("weight_decay", 0.01),
    beta1: settings.number("beta1", 0.9),
    beta2: settings.number("beta2", 0.999),
    eps: settings.number("eps", 1e-8),
  };
}

function readSchedule(settings: Settings | null): Schedule {
  if (settings?.option !== "cosine_restarts") return { form: "constant" };
  return {
    form: "cosine_restarts",
    t0: settings.number("t0", 10),
    tMult: settings.number("t_mult", 2),
    lrMin: settings.number("lr_min", 0),
  };
}

function readWeighting(settings: Settings | null): Weighting {
  switch (settings?.option) {
    case "uncertainty":
      return { form: "uncertainty", clamp: settings.number("clamp", 4), variant: settings.word("form", "sum") as UncertaintyForm };
    case "dwa":
      return { form: "dwa", temperature: settings.number("temperature", 2) };
    case "gradnorm":
      return { form: "gradnorm", alpha: settings.number("alpha", 1.5), lr: settings.number("lr", 0.025), over: settings.names("over") };
    case "pcgrad":
      return { form: "pcgrad" };
    default:
      return { form: "fixed" };
  }
}

function readAdaTT(settings: Settings | null): AdaTT | null {
  if (settings === null) return null;
  return {
    warmup: settings.number("warmup", 0),
    freeze: settings.optional("freeze") ?? Number.POSITIVE_INFINITY,
    every: settings.number("every", 10),
    momentum: settings.number("momentum", 0.9),
    negativeBelow: settings.number("negative_below", -0.1),
    inter: settings.number("inter", 0.3),
    clampLow: settings.number("clamp_low", 0.1),
    clampHigh: settings.number("clamp_high", 3),
    mode: settings.word("mode", "bounded") as AdaTTMode,
    over: settings.names("over"),
    freezeWith: settings.names("freeze_with"),
  };
}

function readPhases(given: readonly Settings[], lr: number): readonly Phase[] {
  const phases = given.length === 0 ? [new Settings({})] : given;
  let start = 0;
  return phases.map((settings, i) => {
    const epochs = settings.number("epochs", 10);
    const phase = {
      name: settings.word("name", given.length === 0 ? "train" : `phase_${i + 1}`),
      epochs,
      start,
      freeze: settings.names("freeze") ?? [],
      lr: settings.number("lr", lr),
    };
    start += epochs;
    return phase;
  });
}

/** A record that the checker has found to hold what its forms say. */
class Settings {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(fields: Readonly<Record<string, unknown>>) {
    this.#fields = fields;
  }

  /** Which of several forms it is: `adamw` in `adamw(lr: 5e-4)`. */
  get option(): string | null {
    const { option } = this.#fields;
    return typeof option === "string" ? option : null;
  }

  optional(name: string): number | null {
    const value = this.#fields[name];
    return typeof value === "number" ? value : null;
  }

  number(name: string, otherwise: number): number {
    return this.optional(name) ?? otherwise;
  }

  word(name: string, otherwise: string): string {
    const value = this.#fields[name];
    return typeof value === "string" ? value : otherwise;
  }

  names(name: string): readonly string[] | null {
    const value = this.#fields[name];
    return Array.isArray(value) ? (value as readonly string[]) : null;
  }

  form(name: string): Settings | null {
    const value = this.#fields[name];
    return typeof value === "object" && value !== null ? new Settings(value as Readonly<Record<string, unknown>>) : null;
  }

  list(name: string): readonly Settings[] {
    const value = this.#fields[name];
    return Array.isArray(value) ? value.map((item: Readonly<Record<string, unknown>>) => new Settings(item)) : [];
  }
}
