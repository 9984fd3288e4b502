import type { Call, Expr, Field, Train } from "../../dsl/ast.ts";
import type { Span } from "../../dsl/source.ts";
import { closest } from "../../dsl/suggest.ts";
import { type AdaTT, type TrainingPlan, trainingPlan } from "../training/plan.ts";
import { type Context, report } from "./context.ts";
import { evaluate } from "./evaluate.ts";
import { listNames } from "./subscript.ts";
import { describe } from "./value.ts";

/** What a setting of the train block may be. */
type Form =
  | "count"
  | "epoch"
  | "number"
  | "positive"
  | "factor"
  | "share"
  | "fraction"
  | "string"
  | "flag"
  | "names"
  | Words
  | Options
  | ListOf;

const numberForms = {
  count: { expected: "a whole number from 1 up", holds: (n: number) => Number.isSafeInteger(n) && n >= 1 },
  epoch: { expected: "a whole number from 0 up", holds: (n: number) => Number.isSafeInteger(n) && n >= 0 },
  number: { expected: "a number", holds: Number.isFinite },
  positive: { expected: "a number greater than 0", holds: (n: number) => Number.isFinite(n) && n > 0 },
  factor: { expected: "a number from 0 up", holds: (n: number) => Number.isFinite(n) && n >= 0 },
  share: { expected: "a number from 0 to 1", holds: (n: number) => n >= 0 && n <= 1 },
  fraction: { expected: "a number from 0 up and below 1", holds: (n: number) => n >= 0 && n < 1 },
} as const;

/** One of several named forms with settings of their own: `adamw(lr: 5e-4)`. */
interface Options {
  readonly options: Readonly<Record<string, Readonly<Record<string, Form>>>>;
}

/** One of several strings. */
interface Words {
  readonly words: readonly string[];
}

interface ListOf {
  readonly each: Options;
}

/** Every setting of `train`; defaults belong to the training code that reads them. */
const settings: Readonly<Record<string, Form>> = {
  optimizer: {
    options: {
      adamw: { lr: "positive", weight_decay: "share", beta1: "fraction", beta2: "fraction", eps: "positive" },
      sgd: { lr: "positive", momentum: "fraction", weight_decay: "share" },
    },
  },
  schedule: { options: { cosine_restarts: { t0: "count", t_mult: "count", lr_min: "share" }, constant: {} } },
  batch: "count",
  accumulate: "count",
  clip: "positive",
  early_stop: "count",
  seed: "epoch",
  weighting: {
    options: {
      uncertainty: { clamp: "positive", form: { words: ["sum", "kendall", "positive"] } },
      fixed: {},
      dwa: { temperature: "positive" },
      gradnorm: { alpha: "number", lr: "positive", over: "names" },
      pcgrad: {},
    },
  },
  adatt: {
    options: {
      adatt: {
        warmup: "epoch",
        freeze: "epoch",
        every: "count",
        momentum: "fraction",
        negative_below: "number",
        inter: "factor",
        clamp_low: "factor",
        clamp_high: "factor",
        mode: { words: ["bounded", "source", "direction"] },
        over: "names",
        freeze_with: "names",
      },
    },
  },
  phases: { each: { options: { phase: { name: "string", epochs: "count", freeze: "names", lr: "positive" } } } },
};

/** Checks the train block against the settings that training knows, and gives it as plain data; null once something was reported. */
export function evaluateTrain(train: Train, knownNames: ReadonlySet<string>, context: Context): Readonly<Record<string, unknown>> | null {
  const reader = new SettingsReader(knownNames, context);
  const plain = reader.record(train.settings.fields, settings, "`train`");
  if (plain === null) return null;
  checkSettings(plain, train, context);
  return plain;
}

class SettingsReader {
  readonly #names: ReadonlySet<string>;
  readonly #context: Context;

  constructor(names: ReadonlySet<string>, context: Context) {
    this.#names = names;
    this.#context = context;
  }

  record(
    fields: readonly { readonly name: Field["name"]; readonly value: Expr }[],
    forms: Readonly<Record<string, Form>>,
    owner: string,
  ): Record<string, unknown> | null {
    const plain: Record<string, unknown> = {};
    let sound = true;
    for (const { name, value } of fields) {
      const form = Object.hasOwn(forms, name.text) ? forms[name.text] : undefined;
      if (form === undefined) {
        const near = closest(name.text, Object.keys(forms));
        this.#fail(
          name.span,
          `${owner} has no setting \`${name.text}\``,
          near !== null ? `did you mean \`${near}\`?` : `it has ${listNames(Object.keys(forms))}`,
        );
        sound = false;
      } else if (name.text in plain) {
        this.#fail(name.span, `\`${name.text}\` is set twice`, null);
        sound = false;
      } else {
        const read = this.#value(value, form, `\`${name.text}\``);
        if (read === null) sound = false;
        plain[name.text] = read;
      }
    }
    return sound ? plain : null;
  }

  /** The plain value of a setting; null once reported. */
  #value(expr: Expr, form: Form, what: string): unknown {
    if (form === "names") return this.#nameList(expr, what);
    if (typeof form === "object" && "each" in form) {
      if (expr.kind !== "ListLiteral") return this.#fail(expr.span, `${what} must be a list`, null);
      const items = expr.items.map((item) => this.#option(item, form.each, `an item of ${what}`));
      return items.some((item) => item === null) ? null : items;
    }
    if (typeof form === "object" && "options" in form) return this.#option(expr, form, what);
    const value = evaluate(expr, this.#context);
    if (value.kind === "poison") return null;
    if (typeof form === "object") {
      if (value.kind === "string" && form.words.includes(value.value)) return value.value;
      const near = value.kind === "string" ? closest(value.value, form.words) : null;
      const help = near === null ? null : `did you mean "${near}"?`;
      return this.#fail(expr.span, `${what} must be one of ${form.words.map((word) => `"${word}"`).join(", ")}`, help);
    }
    const number = value.kind === "number" && typeof value.value === "number" ? value.value : null;
    if (form in numberForms) {
      const { holds, expected } = numberForms[form as keyof typeof numberForms];
      return number !== null && holds(number) ? number : this.#fail(expr.span, `${what} must be ${expected}, not ${describe(value)}`, null);
    }
    if (form === "string")
      return value.kind === "string" ? value.value : this.#fail(expr.span, `${what} must be a string, not ${describe(value)}`, null);
    return value.kind === "boolean" ? value.value : this.#fail(expr.span, `${what} must be true or false, not ${describe(value)}`, null);
  }

  #option(expr: Expr, { options }: Options, what: string): unknown {
    const call: Call | null = expr.kind === "Call" ? expr : null;
    const callee = call?.callee ?? expr;
    const name = callee.kind === "Reference" ? callee.name : null;
    const forms = name !== null && Object.hasOwn(options, name) ? options[name] : undefined;
    if (forms === undefined || name === null) {
      const near = name === null ? null : closest(name, Object.keys(options));
      return this.#fail(
        callee.span,
        `${what} must be one of ${Object.keys(options).join(", ")}`,
        near === null ? null : `did you mean \`${near}\`?`,
      );
    }
    const positional = Object.keys(forms);
    const extra = call?.arguments.slice(positional.length).find((argument) => argument.name === null);
    if (extra !== undefined) return this.#fail(extra.span, `\`${name}\` has ${positional.length} settings, and this is one more`, null);
    const fields = (call?.arguments ?? []).map((argument, i) => ({
      name: argument.name ?? { kind: "Name" as const, text: positional[i] ?? `argument ${i + 1}`, span: argument.span },
      value: argument.value,
    }));
    const plain = this.record(fields, forms, `\`${name}\``);
    return plain === null ? null : { option: name, ...plain };
  }

  #nameList(expr: Expr, what: string): readonly string[] | null {
    if (expr.kind !== "ListLiteral") return this.#fail(expr.span, `${what} must be a list of names`, null);
    const names: string[] = [];
    for (const item of expr.items) {
      if (item.kind === "Reference" && this.#names.has(item.name)) names.push(item.name);
      else {
        const near = item.kind === "Reference" ? closest(item.name, [...this.#names]) : null;
        return this.#fail(
          item.span,
          `${what} names something that the model does not have`,
          near === null ? "it takes banks, `let`s and `param`s" : `did you mean \`${near}\`?`,
        );
      }
    }
    return names;
  }

  #fail(span: Span, message: string, help: string | null): null {
    report(this.#context, "train/setting", span, { message }, { help });
    return null;
  }
}

type Complain = (setting: string, message: string, help: string) => void;

/** What settings say of one another: rates, phases, and adaTT's place among them. */
function checkSettings(plain: Readonly<Record<string, unknown>>, train: Train, context: Context): void {
  const plan = trainingPlan({ train: plain });
  const complain: Complain = (setting, message, help) => {
    const span = train.settings.fields.find((field) => field.name.text === setting)?.value.span ?? train.span;
    report(context, "train/setting", span, { message }, { help });
  };
  checkRates(plan, complain);
  checkPhaseNames(plan, complain);
  // Without phases the command says how many epochs there are.
  const epochs = plain.phases === undefined ? Number.POSITIVE_INFINITY : plan.phases.reduce((sum, phase) => sum + phase.epochs, 0);
  if (plan.adatt !== null) checkAdaTT(plan.adatt, epochs, complain);
}

function checkRates({ schedule, phases }: TrainingPlan, complain: Complain): void {
  if (schedule.form !== "cosine_restarts") return;
  const slowest = phases.reduce((least, phase) => (phase.lr < least.lr ? phase : least));
  if (schedule.lrMin <= slowest.lr) return;
  complain(
    "schedule",
    `\`lr_min\` is ${schedule.lrMin}, above the learning rate of ${slowest.lr} from which it is to fall`,
    "the rate would rise: choose a smaller `lr_min`",
  );
}

/** `plec compile --train --phase` chooses by name. */
function checkPhaseNames({ phases }: TrainingPlan, complain: Complain): void {
  const names = phases.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) complain("phases", `two phases are called "${twice}"`, "give each a name of its own");
}

/** adaTT must start before it freezes, and freeze while epochs are left. */
function checkAdaTT({ warmup, freeze, clampLow, clampHigh }: AdaTT, epochs: number, complain: Complain): void {
  if (clampLow > clampHigh) {
    complain(
      "adatt",
      `adaTT keeps weights from ${clampLow} to ${clampHigh}, which is nothing`,
      "`clamp_low` (0.1 by default) must be at most `clamp_high` (3)",
    );
  }
  if (!Number.isFinite(freeze)) return;
  if (freeze <= warmup) {
    complain(
      "adatt",
      `adaTT freezes at epoch ${freeze}, before its warm-up of ${warmup} epochs has ended`,
      "it would never act: freeze later, or warm up less",
    );
  }
  if (freeze >= epochs) {
    complain(
      "adatt",
      `adaTT freezes at epoch ${freeze}, and the phases plan ${epochs} epochs`,
      "freeze within the planned epochs, or leave `freeze` out",
    );
  }
}
