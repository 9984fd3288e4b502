import type { Entry, Expr, Flow, Task, Transfer } from "../../dsl/ast.ts";
import type { Span } from "../../dsl/source.ts";
import { closest } from "../../dsl/suggest.ts";
import { type Declarations, isEnabled, settingOf, taskKinds } from "../check/declarations.ts";
import type { Dim } from "../ir/dim.ts";
import { dimsEqual, symbolDim } from "../ir/dim.ts";
import type { Node, Value } from "../ir/graph.ts";
import type { ModelTransfer, TaskKind } from "../model.ts";
import { evaluateBody } from "./body.ts";
import { define, tensorAt } from "./builtins/define.ts";
import { builtins } from "./builtins/table.ts";
import { applyFunction, type GivenArgument } from "./call.ts";
import { type Context, contextAt, contextWith, report } from "./context.ts";
import { toInteger, toNumber } from "./dims.ts";
import { evaluate } from "./evaluate.ts";
import { labelCalls } from "./labels.ts";
import { groupRecord, largestBank, type ModelScope, placeOf, routesOf } from "./model-scope.ts";
import { LocalScope } from "./scope.ts";
import { dtypeOf, makeTensor, shapeOf } from "./tensors.ts";
import {
  type BuiltinCall,
  describe,
  type FunctionValue,
  functionName,
  listValue,
  none,
  numberValue,
  poison,
  type RecordValue,
  recordValue,
  type StaticValue,
  stringValue,
  type TensorValue,
} from "./value.ts";

/** A task with its settings evaluated. */
export interface TaskSettings {
  readonly task: Task;
  readonly kind: TaskKind;
  readonly width: number;
  readonly weight: number;
  readonly positives: number | null;
  readonly prefer: readonly string[];
  readonly route: string | null;
  readonly loss: LossSetting | null;
  /** Applied for predictions. */
  readonly activation: FunctionValue | null;
  readonly record: RecordValue;
}

export interface LossSetting {
  readonly fn: FunctionValue;
  readonly given: readonly GivenArgument[];
  readonly span: Span;
}

/** Evaluates kind, width and settings of a task; null once a finding leaves no meaning. */
export function evaluateTask(
  task: Task,
  index: number,
  declarations: Declarations,
  group: RecordValue | null,
  context: Context,
): TaskSettings | null {
  const kind = taskKinds.find((candidate) => candidate === task.taskKind.text);
  if (kind === undefined) {
    const near = closest(task.taskKind.text, taskKinds);
    report(
      context,
      "task/kind",
      task.taskKind.span,
      { kind: task.taskKind.text },
      { help: near === null ? `kinds are ${taskKinds.join(", ")}` : `did you mean \`${near}\`?` },
    );
    return null;
  }
  const width = taskWidth(task, kind, context);
  if (width === null) return null;
  const weight = numberSetting(task, "weight", 1, context);
  const prefer = preferredExperts(task, declarations, context);
  const positives = positiveShare(task, kind, context);
  const routes = routesOf(task, declarations);
  const fields = new Map<string, StaticValue>([
    ["name", stringValue(task.name.text)],
    ["index", numberValue(index)],
    ["kind", stringValue(kind)],
    ["width", numberValue(width)],
    ["positives", positives === null ? none : numberValue(positives)],
    ["weight", numberValue(weight)],
    ["prefer", listValue(prefer.map(stringValue))],
  ]);
  if (group !== null) fields.set("group", group);
  return {
    task,
    kind,
    width,
    weight,
    positives,
    prefer,
    route: routes[0]?.name ?? null,
    loss: lossSetting(task, context),
    activation: activationOf(task, kind, context),
    record: recordValue(`task ${task.name.text}`, fields),
  };
}

function taskWidth(task: Task, kind: TaskKind, context: Context): number | null {
  const fail = (message: string) => {
    report(context, "task/classes", task.width?.span ?? task.taskKind.span, { message });
    return null;
  };
  if (task.width === null)
    return kind === "classes" || kind === "embedding"
      ? fail(`\`${kind}\` needs a number: \`${kind}(${kind === "classes" ? 10 : 64})\``)
      : 1;
  const width = toInteger(evaluate(task.width, context), task.width.span, `the width of task \`${task.name.text}\``, context);
  if (width === null) return null;
  if (kind === "binary") return fail("`binary` has one logit and takes no number");
  if (width < (kind === "classes" ? 2 : 1))
    return fail(`\`${kind}(${width})\` has too few ${kind === "classes" ? "classes: a task with two outcomes is `binary`" : "values"}`);
  if (width > 10_000_000) return fail(`\`${kind}(${width})\` is more than plec builds (10,000,000)`);
  return width;
}

function numberSetting(task: Task, name: string, otherwise: number, context: Context): number {
  const setting = settingOf(task.settings, name);
  if (setting === null) return otherwise;
  const value = toNumber(evaluate(setting, context), setting.span, `\`${name}\``, context);
  if (value !== null && !(value >= 0 && Number.isFinite(value)))
    report(context, "type/range", setting.span, { message: `\`${name}\` is a number from 0 up, not ${value}` });
  return value ?? otherwise;
}

/** The stated share of rows with label 1. */
function positiveShare(task: Task, kind: TaskKind, context: Context): number | null {
  const setting = settingOf(task.settings, "positives");
  if (setting === null) return null;
  const value = toNumber(evaluate(setting, context), setting.span, "`positives`", context);
  if (value === null) return null;
  const message =
    kind !== "binary"
      ? `\`positives\` is the share of rows with label 1, and \`${task.name.text}\` is no binary task`
      : value > 0 && value < 1
        ? null
        : `\`positives\` is a share between 0 and 1, not ${value}`;
  if (message === null) return value;
  report(context, "type/range", setting.span, { message });
  return null;
}

/** Names of experts, each an entry of some `experts` bank. */
function preferredExperts(task: Task, declarations: Declarations, context: Context): readonly string[] {
  const setting = settingOf(task.settings, "prefer");
  if (setting === null) return [];
  if (setting.kind !== "ListLiteral") {
    report(context, "type/mismatch", setting.span, {
      what: "`prefer`",
      expected: "a list of experts, such as [perslay, temporal]",
      found: "something else",
    });
    return [];
  }
  const known = declarations.banks
    .filter((bank) => bank.role === "experts")
    .flatMap((bank) => bank.entries.flatMap((entry) => entryNames(entry, context)));
  const names: string[] = [];
  for (const item of setting.items) {
    const name = item.kind === "Reference" ? item.name : null;
    if (name === null || !known.includes(name)) {
      const near = name === null ? null : closest(name, known);
      const fixes = near === null ? [] : [{ title: `change to \`${near}\``, safe: false, edits: [{ span: item.span, text: near }] }];
      report(
        context,
        "task/unknown-expert",
        item.span,
        { task: task.name.text, name: name ?? "…" },
        { help: near === null ? null : `did you mean \`${near}\`?`, fixes },
      );
    } else if (names.includes(name)) {
      report(context, "task/preferred-twice", item.span, { task: task.name.text, name });
    } else names.push(name);
  }
  return names;
}

/** The names that an entry of a bank makes: `e[2]` makes e_0 and e_1. */
function entryNames(entry: Entry, context: Context): readonly string[] {
  if (entry.count === null) return [entry.name.text];
  const count = evaluate(entry.count, context);
  const known = count.kind === "number" && typeof count.value === "number" ? Math.min(count.value, largestBank) : 0;
  return Array.from({ length: Math.max(0, Math.floor(known)) }, (_, i) => `${entry.name.text}_${i}`);
}

/** A function with settings: `focal(gamma: 2.0)` or `focal`, whose first arguments come later. */
export function partialCall(expr: Expr, context: Context): { readonly fn: FunctionValue; readonly given: readonly GivenArgument[] } | null {
  const call = expr.kind === "Call" ? expr : null;
  const callee = evaluate(call?.callee ?? expr, context);
  if (callee.kind === "poison") return null;
  if (callee.kind !== "function") {
    report(context, "call/not-callable", expr.span, { found: describe(callee) });
    return null;
  }
  const given = (call?.arguments ?? []).map((argument) => ({
    name: argument.name?.text ?? null,
    nameSpan: argument.name?.span ?? null,
    value: evaluate(argument.value, context),
    span: argument.value.span,
  }));
  return { fn: callee, given };
}

function lossSetting(task: Task, context: Context): LossSetting | null {
  const setting = settingOf(task.settings, "loss");
  if (setting === null) {
    if (isEnabled(task)) report(context, "task/loss-missing", task.name.span, { task: task.name.text });
    return null;
  }
  if (setting.kind === "NoneLiteral") return null;
  const partial = partialCall(setting, context);
  if (partial === null) return null;
  const { fn } = partial;
  if (fn.form !== "definition" || fn.definition.role !== "loss") {
    const found = fn.form === "definition" ? fn.definition.role : "function";
    report(context, "role/mismatch", setting.span, { name: functionName(fn), found, place: "`loss`", expected: "a loss" });
    return null;
  }
  return { ...partial, span: setting.span };
}

/** What turns logits into predictions: the task's own, or its kind's (sigmoid, softmax, none). */
function activationOf(task: Task, kind: TaskKind, context: Context): FunctionValue | null {
  const setting = settingOf(task.settings, "activation");
  if (setting?.kind === "NoneLiteral") return null;
  if (setting !== null) return partialCall(setting, context)?.fn ?? null;
  const name = { binary: "sigmoid", classes: "softmax", regression: null, embedding: null }[kind];
  if (name === null) return null;
  return builtins.get(name) ?? null;
}

/** What the flow of a task gave. */
export interface TaskResult {
  /** f32[B, width] */
  readonly logit: TensorValue;
  /** The logit under the activation, f32[B, width]. */
  readonly prediction: TensorValue;
  /** The flow's `output`s. */
  readonly outputs: ReadonlyMap<string, StaticValue>;
}

/** Runs the flows of a model, each task once, sources before targets. */
export class Flows {
  readonly #declarations: Declarations;
  readonly #settings: ReadonlyMap<string, TaskSettings>;
  readonly #scope: ModelScope;
  readonly #results = new Map<string, TaskResult | "busy" | null>();
  /** Where each task's incoming edges were applied. */
  readonly #applied = new Map<Task, Span>();
  /** What each edge made of its target's representation. */
  readonly #edges = new Map<Transfer, NonNullable<ModelTransfer["applied"]>>();

  constructor(declarations: Declarations, settings: ReadonlyMap<string, TaskSettings>, scope: ModelScope) {
    this.#declarations = declarations;
    this.#settings = settings;
    this.#scope = scope;
  }

  /** The result of a task's flow; null once something was reported. */
  run(name: string): TaskResult | null {
    const known = this.#results.get(name);
    if (known !== undefined) return known === "busy" ? null : known; // Cycles were reported with the transfer graph.
    const settings = this.#settings.get(name);
    const flow = this.#declarations.flows.get(name);
    if (settings === undefined || flow === undefined) return null;
    this.#results.set(name, "busy");
    const result = this.#runFlow(flow, settings);
    this.#results.set(name, result);
    return result;
  }

  #runFlow(flow: Flow, settings: TaskSettings): TaskResult | null {
    const { record, task } = settings;
    const unit = { per: "task", unit: task.name.text, record } as const;
    const base = this.#scope.contextFor({ task: record, group: groupRecord(record) });
    const scope = new LocalScope({ parent: this.#scope, lookup: (name) => this.#flowName(name, task, flow) });
    const context = contextWith(base, { scope, place: placeOf("flow", unit), labels: labelCalls(flow.body) });
    const { result, members } = evaluateBody(flow.body, `the flow of ${task.name.text}`, scope, context);
    if (result.kind === "poison") return null;
    const returned = flow.body.statements.find((statement) => statement.kind === "Return");
    const span = returned?.value.span ?? flow.span;
    this.#checkTransfersApplied(task, flow, context);
    const logit = checkLogit(result, settings, span, context);
    if (logit === null) return null;
    const prediction = activate(logit, settings, span, context);
    return prediction === null ? null : { logit, prediction, outputs: members };
  }

  /** Names that only flows know: `transfers`, and the other tasks. */
  #flowName(name: string, task: Task, flow: Flow): StaticValue | undefined {
    if (name === "transfers") {
      const builtin = define("transfers", "x", "Applies the incoming edges in order of declaration.", (call) =>
        this.#applyTransfers(tensorAt(call, 0, "x"), task, call),
      );
      return { kind: "function", form: "builtin", builtin };
    }
    // A disabled task was reported with the transfer graph, one with wrong settings by those.
    return flow.task !== null && this.#declarations.tasks.has(name) ? this.source(name) : undefined;
  }

  /** A task as others see it: `logit`, `prediction`, `name` and its flow's outputs. */
  source(name: string): StaticValue {
    const result = this.run(name);
    if (result === null) return poison;
    const fields = new Map<string, StaticValue>([
      ["name", stringValue(name)],
      ["logit", result.logit],
      ["prediction", result.prediction],
      ...result.outputs,
    ]);
    return recordValue(`task ${name}`, fields);
  }

  #applyTransfers(x: StaticValue, task: Task, { context, span }: BuiltinCall): StaticValue {
    const before = this.#applied.get(task);
    if (before !== undefined)
      return report(context, "transfer/twice", span, {}, { notes: before === span ? [] : [{ message: "the first", span: before }] });
    this.#applied.set(task, span);
    let value = x;
    for (const transfer of this.#declarations.transfers) {
      if (transfer.to.text !== task.name.text || value.kind === "poison") continue;
      const before = value;
      value = this.#applyTransfer(value, transfer, context);
      if (before.kind === "tensor" && value.kind === "tensor") this.#edges.set(transfer, { before: before.value, after: value.value });
    }
    return value;
  }

  /** What an edge made of its target's representation; null where it was not applied. */
  applied(transfer: Transfer): ModelTransfer["applied"] {
    return this.#edges.get(transfer) ?? null;
  }

  /** The stage `transfers` may stand in a branch that this task does not take. */
  #checkTransfersApplied(task: Task, flow: Flow, context: Context): void {
    const edge = this.#declarations.transfers.find((transfer) => transfer.to.text === task.name.text);
    if (edge === undefined || this.#applied.has(task)) return;
    report(
      context,
      "transfer/dropped",
      edge.span,
      { task: task.name.text },
      { notes: [{ message: "its flow", span: flow.task?.span ?? flow.per?.span ?? null }] },
    );
  }

  #applyTransfer(x: StaticValue, transfer: Transfer, context: Context): StaticValue {
    const outside = this.#scope.contextFor();
    const partial = partialCall(transfer.value, contextWith(outside, { labels: labelCalls(transfer.value) }));
    const source = this.source(transfer.from.text);
    if (partial === null || source.kind === "poison") return poison;
    const { span } = transfer.value;
    const first = [x, source].map((value) => ({ name: null, nameSpan: null, value, span }));
    const place = context.place.child("transfers").child(transfer.from.text);
    return applyFunction(partial.fn, [...first, ...partial.given], contextAt(context, place), span, span);
  }
}

function checkLogit(result: StaticValue, { task, width }: TaskSettings, span: Span, context: Context): TensorValue | null {
  const shape = result.kind === "tensor" ? shapeOf(result) : [];
  if (
    result.kind === "tensor" &&
    dtypeOf(result) === "f32" &&
    shape.length === 2 &&
    dimsEqual(shape[0] as Dim, symbolDim("B")) &&
    dimsEqual(shape[1] as Dim, width)
  )
    return result;
  report(
    context,
    "task/logit-shape",
    span,
    { task: task.name.text, found: describe(result), width },
    { notes: [{ message: `\`${task.name.text}\` is declared here`, span: task.name.span }] },
  );
  return null;
}

const saturating: ReadonlySet<string> = new Set(["sigmoid", "softmax", "log_softmax"]);

/** Ops after which an activation is still one: they move or drop values. */
const moving: ReadonlySet<string> = new Set(["reshape", "slice", "transpose", "expand", "concat", "reverse", "stop_gradient", "dropout"]);

/** The activation that every value of a tensor has passed last, or null. */
function activationBehind(value: Value): Node | null {
  const seen = new Set<Node>();
  const pending = [value.node];
  let found: Node | null = null;
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (saturating.has(node.op)) found = node;
    else if (moving.has(node.op)) pending.push(...node.inputs.map((input) => input.node));
    else return null;
  }
  return found;
}

function activate(logit: TensorValue, settings: TaskSettings, span: Span, context: Context): TensorValue | null {
  const { activation, task, kind, loss } = settings;
  const activated = activationBehind(logit.value);
  const again =
    activation !== null && saturating.has(functionName(activation)) ? `the task applies \`${functionName(activation)}\` again` : null;
  const read = loss !== null && (kind === "binary" || kind === "classes") ? `its loss \`${functionName(loss.fn)}\` takes logits` : null;
  if (activated !== null && (again ?? read) !== null) {
    const values = { task: task.name.text, op: activated.op, again: again ?? read ?? "" };
    report(context, "task/activated-twice", span, values, { notes: [{ message: "activated here", span: activated.span }] });
    return null;
  }
  if (activation === null) return logit;
  const place = context.place.child("prediction");
  const value = applyFunction(activation, [{ name: null, nameSpan: null, value: logit, span }], contextAt(context, place), span, span);
  if (value.kind === "poison") return null;
  if (
    value.kind === "tensor" &&
    value.value.type.shape.length === 2 &&
    value.value.type.shape.every((dim, i) => dimsEqual(dim, shapeOf(logit)[i] as Dim))
  )
    return value;
  report(context, "type/mismatch", span, {
    what: `the activation of task \`${task.name.text}\``,
    expected: "a function that keeps the shape of the logits",
    found: describe(value),
  });
  return null;
}

/** f32[B, 1] as f32[B], for results that hold one number for each customer. */
export function squeezeWidth(value: TensorValue, name: string, context: Context): TensorValue | null {
  const squeezed = makeTensor(contextAt(context, context.place.child(name)), "reshape", [value], { shape: [symbolDim("B")] }, value.span);
  return squeezed.kind === "poison" ? null : squeezed;
}
