import type { Model, Output, Penalty } from "../../dsl/ast.ts";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { collectDeclarations, type Declarations, settingOf } from "../check/declarations.ts";
import { evaluateLoss, lossOperands } from "../check/losses.ts";
import { checkUnused } from "../check/unused.ts";
import { type Dim, dimsEqual, symbolDim } from "../ir/dim.ts";
import type { DType, Graph, GraphInput, GraphOutput, GraphParam } from "../ir/graph.ts";
import { lazily } from "../lazily.ts";
import type { CheckedModel, ModelBank, ModelGroup, ModelLoss, ModelTask, ModelTransfer } from "../model.ts";
import { prune } from "../passes/prune.ts";
import { claim, declarePenalty } from "./body.ts";
import { type Budget, type Context, contextWith, type DeclaredParam, report, Session } from "./context.ts";
import { toNumber } from "./dims.ts";
import { evaluate } from "./evaluate.ts";
import type { FileScope } from "./file-scope.ts";
import { inputValue } from "./inputs.ts";
import { labelCalls } from "./labels.ts";
import { type EvaluatedEntry, groupRecord, ModelScope, placeOf, routesOf } from "./model-scope.ts";
import { namePenalties } from "./name-penalties.ts";
import { Place } from "./place.ts";
import { LocalScope, type Scope } from "./scope.ts";
import { evaluateTask, Flows, squeezeWidth, type TaskResult, type TaskSettings } from "./tasks.ts";
import { makeTensor } from "./tensors.ts";
import { evaluateTrain } from "./train.ts";
import {
  describe,
  functionName,
  numberValue,
  type RecordValue,
  recordValue,
  type StaticValue,
  stringValue,
  type TensorValue,
  textField,
} from "./value.ts";

/** A checked model with what it was made of, for lints. */
export interface ElaboratedModel {
  readonly checked: CheckedModel;
  readonly declarations: Declarations;
  /** Every entry of every bank, for each task or group where the bank is per task or group. */
  readonly entries: readonly EvaluatedEntry[];
  /** What predictions, outputs, penalties and losses depend on. */
  readonly whole: Graph;
  /** Where the parameters of the whole graph are declared. */
  readonly params: readonly DeclaredParam[];
}

/** Checks a model and builds its graph; null when there are errors. */
export function elaborateModel(
  model: Model,
  scope: FileScope,
  hash: () => string,
  budget: Budget,
  diagnostics: Diagnostic[],
): ElaboratedModel | null {
  const own: Diagnostic[] = [];
  const declarations = collectDeclarations(model, own);
  const session = new Session(own, budget);
  const elaboration = new Elaboration(declarations, scope, session);
  const elaborated = elaboration.run(hash, diagnostics);
  diagnostics.push(...own);
  return own.some((diagnostic) => diagnostic.severity === "error") ? null : elaborated;
}

class Elaboration {
  readonly #declarations: Declarations;
  readonly #session: Session;
  readonly #scope: ModelScope;
  readonly #flows: Flows;
  readonly #settings = new Map<string, TaskSettings>();
  readonly #groups = new Map<string, RecordValue>();
  readonly #outputs: GraphOutput[] = [];
  /** What only training feeds: labels by task, and the epoch. */
  readonly #trainingInputs = new Map<string, TensorValue>();

  constructor(declarations: Declarations, fileScope: FileScope, session: Session) {
    this.#declarations = declarations;
    this.#session = session;
    const tasks = new Map<string, RecordValue>();
    const base = { session, place: Place.root, labels: new Map(), frame: null, task: null, group: null, initial: null };
    const names = { all: (name: string, span: Model["span"], context: Context) => this.#scope.all(name, span, context) };
    this.#scope = new ModelScope(fileScope, declarations, { task: tasks, group: this.#groups }, { ...base, model: names });
    this.#evaluateGroups();
    for (const [i, task] of declarations.enabled.entries()) {
      const group = task.group === null ? null : (this.#groups.get(task.group.text) ?? null);
      const settings = evaluateTask(task, i, declarations, group, this.#scope.contextFor());
      if (settings === null) continue;
      this.#settings.set(task.name.text, settings);
      tasks.set(task.name.text, settings.record);
    }
    this.#flows = new Flows(declarations, this.#settings, this.#scope);
  }

  /** `outside` are findings about the file: with errors there, values may be missing that nothing here has reported. */
  run(hash: () => string, outside: readonly Diagnostic[]): ElaboratedModel | null {
    const { model } = this.#declarations;
    this.#scope.evaluateAll();
    this.#checkRoutes();
    const results = new Map<string, TaskResult>();
    for (const name of this.#declarations.order) {
      const result = this.#flows.run(name);
      if (result !== null) results.set(name, result);
    }
    const predictions = this.#predictions(results);
    for (const output of this.#declarations.outputs) this.#evaluateOutput(output, results);
    for (const penalty of this.#declarations.penalties) this.#evaluatePenalty(penalty, results);
    const train = this.#train();
    const penalties = namePenalties(this.#session.penalties, this.#session.diagnostics);
    // Last, so that the nodes of the model do not depend on its losses.
    const losses = this.#losses(results);
    if ([...outside, ...this.#session.diagnostics].some((diagnostic) => diagnostic.severity === "error")) return null;
    const full = this.#graph(model.name.text, predictions);
    const trained = prune({
      ...full,
      outputs: [
        ...full.outputs,
        ...penalties.map(({ name, value }) => ({ name: `penalty ${name}`, value, doc: null })),
        ...losses.map(({ task, rows }) => ({ name: `loss ${task}`, value: rows, doc: null })),
      ],
    });
    checkUnused(this.#declarations, this.#scope, trained, this.#session);
    const graph = lazily(() => prune(full));
    const training = lazily(() => this.#trainingGraph(full, losses, penalties));
    const checked: CheckedModel = {
      name: model.name.text,
      doc: model.doc,
      get hash() {
        return hash();
      },
      get graph() {
        return graph();
      },
      parameters: trained.params,
      inputs: [...this.#scope.inputs.values()].flatMap((input) => (input.info === null ? [] : [input.info])),
      groups: this.#modelGroups(),
      tasks: this.#modelTasks(results, predictions),
      order: this.#declarations.order,
      transfers: this.#modelTransfers(),
      banks: this.#modelBanks(),
      penalties,
      losses,
      get training() {
        return training();
      },
      trainingInputs: [...this.#trainingInputs].map(([name, { value }]) => ({ name, value })),
      outputs: this.#outputs.map(({ name, doc }) => ({ name, doc })),
      train,
    };
    const kept = new Set(trained.params.map(({ name }) => name));
    const params = [...this.#session.params.values()].filter(({ name }) => kept.has(name));
    return { checked, declarations: this.#declarations, entries: this.#scope.entries, whole: trained, params };
  }

  // ── parts ─────────────────────────────────────────────────────────────────

  #evaluateGroups(): void {
    const context = this.#scope.contextFor();
    for (const [name, group] of this.#declarations.groups) {
      const fields = new Map<string, StaticValue>([["name", stringValue(name)]]);
      for (const field of group.settings?.fields ?? []) {
        if (field.name.text === "route") continue;
        const value = toNumber(evaluate(field.value, context), field.value.span, `\`${field.name.text}\``, context);
        if (value !== null) fields.set(field.name.text, numberValue(value));
      }
      this.#groups.set(name, recordValue(`group ${name}`, fields));
    }
  }

  /** Every route that is named must exist in some `routes` bank. */
  #checkRoutes(): void {
    const known = new Set(
      this.#declarations.banks.filter((bank) => bank.role === "routes").flatMap((bank) => bank.entries.map((entry) => entry.name.text)),
    );
    const context = this.#scope.contextFor();
    for (const task of this.#declarations.enabled) {
      for (const route of routesOf(task, this.#declarations)) {
        if (!known.has(route.name)) report(context, "task/unknown-route", route.span, { name: route.name });
      }
    }
    for (const bank of this.#declarations.banks.filter((candidate) => candidate.role === "routes")) {
      const entries = new Set(bank.entries.map((entry) => entry.name.text));
      for (const task of this.#declarations.enabled) {
        if (routesOf(task, this.#declarations).some((route) => entries.has(route.name))) continue;
        if (
          routesOf(task, this.#declarations).some((route) => !known.has(route.name)) ||
          settingOf(task.settings, "route")?.kind === "StringLiteral"
        )
          continue;
        report(
          context,
          "task/no-route",
          task.name.span,
          { task: task.name.text, bank: bank.name.text },
          { notes: [{ message: "the bank", span: bank.name.span }] },
        );
      }
    }
  }

  /** Predictions as callers get them: f32[B] for one number for each customer, else f32[B, width]. */
  #predictions(results: ReadonlyMap<string, TaskResult>): ReadonlyMap<string, GraphOutput> {
    const predictions = new Map<string, GraphOutput>();
    for (const { name, doc } of this.#declarations.enabled) {
      const result = results.get(name.text);
      const settings = this.#settings.get(name.text);
      if (result === undefined || settings === undefined) continue;
      const value = settings.width === 1 ? squeezeWidth(result.prediction, name.text, this.#scope.contextFor()) : result.prediction;
      if (value !== null) predictions.set(name.text, { name: name.text, value: value.value, doc });
    }
    return predictions;
  }

  #evaluateOutput(output: Output, results: ReadonlyMap<string, TaskResult>): void {
    for (const { suffix, context, scope } of this.#unitContexts(output, results)) {
      const name = output.name.text;
      const inner = contextWith(context, { labels: labelCalls(output.value) });
      const value = claim(output.type, evaluate(output.value, inner), name, output.value.span, scope, inner);
      // `none` is how an output leaves out a task.
      if (value.kind === "poison" || value.kind === "none") continue;
      if (value.kind !== "tensor") {
        report(inner, "type/mismatch", output.value.span, {
          what: `output \`${name}\``,
          expected: "a tensor; `stack` or `per task` makes tensors of banks and records",
          found: describe(value),
        });
      } else if (value.value.type.shape.length === 0 || !dimsEqual(value.value.type.shape[0] as Dim, symbolDim("B"))) {
        report(inner, "dim/batch-lost", output.value.span, { what: `output \`${name}\``, shape: describe(value) });
      } else this.#outputs.push({ name: name + suffix, value: value.value, doc: output.doc });
    }
  }

  #evaluatePenalty(penalty: Penalty, results: ReadonlyMap<string, TaskResult>): void {
    for (const { context } of this.#unitContexts(penalty, results)) {
      const scope: Scope = { parent: context.scope, lookup: (name) => this.#trainingName(name, context, penalty.span) };
      declarePenalty(penalty, contextWith(context, { scope, labels: labelCalls(penalty.value) }));
    }
  }

  /** `epoch`, counted from 0, and the `label` of the task at hand. */
  #trainingName(name: string, context: Context, span: Model["span"]): TensorValue | undefined {
    if (name === "epoch") return this.#trainingInput("train/epoch", "f32", [], span);
    const task = context.task === null ? null : textField(context.task, "name");
    const settings = task === null ? undefined : this.#settings.get(task);
    if (name !== "label" || settings === undefined) return undefined;
    const { dtype, shape } = lossOperands(settings.kind, settings.width).labels;
    return this.#trainingInput(`label/${task}`, dtype, shape, span);
  }

  #trainingInput(name: string, dtype: DType, shape: readonly Dim[], span: Model["span"]): TensorValue | undefined {
    const before = this.#trainingInputs.get(name);
    if (before !== undefined) return before;
    const made = makeTensor(this.#scope.contextFor(), "input", [], { name, dtype, shape }, span);
    if (made.kind === "tensor") this.#trainingInputs.set(name, made);
    return made.kind === "tensor" ? made : undefined;
  }

  #losses(results: ReadonlyMap<string, TaskResult>): readonly ModelLoss[] {
    return this.#declarations.order.flatMap((task) => {
      const settings = this.#settings.get(task);
      if (settings === undefined || settings.loss === null) return [];
      const { loss, kind, width, record } = settings;
      const base = this.#scope.contextFor();
      const context = contextWith(base, { place: placeOf("loss", { per: "task", unit: task, record }) });
      const { logits, labels } = lossOperands(kind, width);
      const label = this.#trainingInput(`label/${task}`, labels.dtype, labels.shape, loss.span);
      const result = results.get(task)?.logit;
      // Where the flow has a fault, the loss is checked with logits of the right shape.
      const logit =
        result === undefined
          ? makeTensor(context, "input", [], { name: "logits", dtype: "f32", shape: logits }, loss.span)
          : width === 1
            ? squeezeWidth(result, task, context)
            : result;
      if (label === undefined || logit === null) return [];
      const rows = evaluateLoss(settings, loss, [logit, label], context);
      return rows === null ? [] : [{ task, rows, label: label.value }];
    });
  }

  #trainingGraph(full: Graph, losses: readonly ModelLoss[], penalties: CheckedModel["penalties"]): Graph {
    const fed = [...this.#trainingInputs].map(([name, { value }]) => ({
      name,
      value,
      optional: false,
      fill: 0,
      vocabulary: null,
      doc: null,
    }));
    return prune({
      ...full,
      inputs: [...full.inputs, ...fed],
      outputs: [
        ...losses.map(({ task, rows }) => ({ name: `loss/${task}`, value: rows, doc: null })),
        ...penalties.map(({ name, value }) => ({ name: `penalty/${name}`, value, doc: null })),
      ],
    });
  }

  /** A context for each unit of a model-level output or penalty; per task, the flow's outputs are in scope. */
  #unitContexts(
    item: Output | Penalty,
    results: ReadonlyMap<string, TaskResult>,
  ): readonly { readonly suffix: string; readonly context: Context; readonly scope: Context["scope"] }[] {
    const name = item.name.text;
    // Every flow has run by now, so tasks are names here: `ctr.logit`.
    const scope: Scope = { parent: this.#scope, lookup: (task) => (results.has(task) ? this.#flows.source(task) : undefined) };
    if (item.per === null || item.per.unit === "model") {
      return [{ suffix: "", context: { ...this.#scope.contextFor(), scope, place: Place.root.child(name) }, scope }];
    }
    if (item.per.unit === "group") {
      return [...this.#groups].map(([group, record]) => {
        const context = {
          ...this.#scope.contextFor({ task: null, group: record }),
          scope,
          place: placeOf(name, { per: "group", unit: group, record }),
        };
        return { suffix: `/${group}`, context, scope };
      });
    }
    return [...results].map(([task, result]) => {
      const { record } = this.#settings.get(task) as TaskSettings;
      const base = this.#scope.contextFor({ task: record, group: groupRecord(record) });
      const own = new LocalScope(scope);
      for (const [output, value] of [...result.outputs, ["logit", result.logit], ["prediction", result.prediction]] as const)
        own.set(output, value);
      const context = contextWith(base, { scope: own, place: placeOf(name, { per: "task", unit: task, record }) });
      return { suffix: `/${task}`, context, scope: own };
    });
  }

  #train(): Readonly<Record<string, unknown>> | null {
    const { train, named } = this.#declarations;
    if (train === null) return null;
    const names = new Set(
      [...named].filter(([, item]) => item.kind === "Bank" || item.kind === "Let" || item.kind === "Param").map(([name]) => name),
    );
    const tags = [...this.#session.params.values()].flatMap((param) => (param.tag === null ? [] : [param.tag]));
    return evaluateTrain(train, new Set([...names, ...tags]), this.#scope.contextFor());
  }

  #graph(name: string, predictions: ReadonlyMap<string, GraphOutput>): Graph {
    const inputs: GraphInput[] = [];
    for (const input of this.#scope.inputs.values()) {
      const value = inputValue(input);
      if (input.info === null || value === null) continue;
      const { optional, fill, vocabulary, doc } = input.info;
      inputs.push({ name: input.info.name, value, optional, fill, vocabulary, doc });
    }
    const params: GraphParam[] = [...this.#session.params.values()].map(({ span: _, ...param }) => param);
    return { name, inputs, params, nodes: this.#session.builder.nodes, outputs: [...predictions.values(), ...this.#outputs] };
  }

  // ── what summaries and metadata tell ──────────────────────────────────────

  #modelGroups(): readonly ModelGroup[] {
    return [...this.#declarations.groups].map(([name, group]) => {
      const route = settingOf(group.settings, "route");
      const fields = [...(this.#groups.get(name)?.fields ?? [])].flatMap(([key, value]) =>
        value.kind === "number" ? [[key, value.value] as const] : [],
      );
      return { name, doc: group.doc, route: route?.kind === "Reference" ? route.name : null, settings: Object.fromEntries(fields) };
    });
  }

  #modelTasks(results: ReadonlyMap<string, TaskResult>, predictions: ReadonlyMap<string, GraphOutput>): readonly ModelTask[] {
    const context = this.#scope.contextFor();
    return [...this.#declarations.tasks.values()].flatMap((task) => {
      const name = task.name.text;
      const enabled = this.#settings.get(name);
      const settings = enabled ?? evaluateTask(task, -1, this.#declarations, null, context);
      if (settings === null) return [];
      const { kind, width, weight, positives, prefer, route, loss, activation } = settings;
      const given = loss?.given.map((argument, i) => [argument.name ?? `#${i}`, plainValue(argument.value)] as const) ?? [];
      return [
        {
          name,
          kind,
          width,
          group: task.group?.text ?? null,
          enabled: enabled !== undefined,
          weight,
          positives,
          loss: loss === null ? null : { name: functionName(loss.fn), settings: Object.fromEntries(given) },
          activation: activation === null ? null : functionName(activation),
          prefer,
          route,
          logit: results.get(name)?.logit.value ?? null,
          prediction: predictions.get(name)?.value ?? null,
          doc: task.doc,
          span: task.name.span,
        },
      ];
    });
  }

  #modelTransfers(): readonly ModelTransfer[] {
    return this.#declarations.transfers.map((transfer) => {
      const { from, to, value, span } = transfer;
      const callee = value.kind === "Call" ? value.callee : value;
      const module = callee.kind === "Reference" ? callee.name : "(…) => …";
      return { from: from.text, to: to.text, module, applied: this.#flows.applied(transfer), span };
    });
  }

  #modelBanks(): readonly ModelBank[] {
    return this.#declarations.banks.map((bank) => {
      const evaluated = this.#scope.entries.filter((entry) => entry.bank === bank);
      const firstUnit = evaluated[0]?.unit;
      const entries = evaluated
        .filter((entry) => entry.unit === firstUnit)
        .map(({ name, tensor }) => ({ name, module: tensor.made?.name.text ?? null, shape: tensor.value.type.shape }));
      const per = bank.per === null || bank.per.unit === "model" ? null : bank.per.unit;
      const instances = evaluated.map(({ name, unit, path, tensor, entry }) => ({
        name,
        unit,
        path,
        value: tensor.value,
        span: entry.span,
      }));
      return { name: bank.name.text, role: bank.role, per, entries, instances };
    });
  }
}

function plainValue(value: StaticValue): unknown {
  if (value.kind === "number" || value.kind === "boolean" || value.kind === "string") return value.value;
  if (value.kind === "list") return value.items.map(plainValue);
  return value.kind === "none" ? null : describe(value);
}
