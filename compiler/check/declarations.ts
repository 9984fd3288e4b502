import type {
  Bank,
  Const,
  DimDeclaration,
  Expr,
  Flow,
  Group,
  Input,
  Item,
  Let,
  Model,
  Name,
  Output,
  Param,
  Penalty,
  RecordLiteral,
  Task,
  Train,
  Transfer,
} from "../../dsl/ast.ts";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { closest } from "../../dsl/suggest.ts";
import type { TaskKind } from "../model.ts";
import { finding } from "./catalogue.ts";
import { declaredNames, referencedNames } from "./references.ts";
import { cycleNotes, type Dependency, formatCycle, orderTasks } from "./transfer-graph.ts";

/** An item that gives a name to a value. */
export type NamedItem = Const | DimDeclaration | Input | Let | Param | Bank;

/** The items of a model by what they are, with the findings that need no evaluation. */
export interface Declarations {
  readonly model: Model;
  readonly named: ReadonlyMap<string, NamedItem>;
  readonly inputs: readonly Input[];
  readonly banks: readonly Bank[];
  readonly groups: ReadonlyMap<string, Group>;
  readonly tasks: ReadonlyMap<string, Task>;
  readonly enabled: readonly Task[];
  readonly transfers: readonly Transfer[];
  /** The flow of each enabled task that has one. */
  readonly flows: ReadonlyMap<string, Flow>;
  readonly outputs: readonly Output[];
  readonly penalties: readonly Penalty[];
  readonly train: Train | null;
  /** Enabled tasks in order of execution; as declared when there is a cycle. */
  readonly order: readonly string[];
  readonly sound: boolean;
}

export const taskKinds = ["binary", "classes", "regression", "embedding"] as const satisfies readonly TaskKind[];

export const taskSettings = ["loss", "weight", "activation", "prefer", "enabled", "route", "positives"] as const;
export const groupSettings = ["route", "intra", "inter"] as const;

/** A setting of a task or group, or null. */
export function settingOf(settings: RecordLiteral | null, name: string): Expr | null {
  return settings?.fields.find((field) => field.name.text === name)?.value ?? null;
}

/** Sorts a model's items, and checks names, groups, flows and the transfer graph. */
export function collectDeclarations(model: Model, diagnostics: Diagnostic[]): Declarations {
  const before = diagnostics.length;
  const items = itemsByKind(model.items);
  const named = new Map<string, NamedItem>();
  const places = new Map<string, Name>();
  for (const item of model.items)
    for (const name of namesOf(item)) declare(places, name, diagnostics, () => isNamed(item) && named.set(name.text, item));
  const groups = declareAll(items.Group, diagnostics);
  const tasks = declareAll(items.Task, diagnostics, places);
  const enabled = items.Task.filter((task) => tasks.get(task.name.text) === task && isEnabled(task));
  checkSettings(items.Group, "a group", groupSettings, diagnostics);
  checkSettings(items.Task, "a task", taskSettings, diagnostics);
  checkGroups(items.Task, enabled, groups, diagnostics);
  if (enabled.length === 0) diagnostics.push(finding("model/no-tasks", model.name.span, { name: model.name.text }));
  const transfers = checkTransfers(items.Transfer, tasks, diagnostics);
  const flows = assignFlows(items.Flow, tasks, enabled, diagnostics);
  checkTransfersApplied(transfers, flows, diagnostics);
  checkOutputNames(items.Output, items.Input, items.Task, diagnostics);
  checkRequiredInput(items.Input, model, diagnostics);
  for (const train of items.Train.slice(1))
    diagnostics.push(finding("train/duplicate", train.span, {}, { notes: [{ message: "the first", span: items.Train[0]?.span ?? null }] }));
  for (const bank of items.Bank)
    if (bank.entries.length === 0) diagnostics.push(finding("bank/empty", bank.name.span, { name: bank.name.text }));
  const names = enabled.map((task) => task.name.text);
  const { order, cycles } = orderTasks(names, dependenciesOf(transfers, flows, tasks, diagnostics));
  for (const cycle of cycles)
    diagnostics.push(
      finding("transfer/cycle", cycle[0]?.span ?? model.name.span, { cycle: formatCycle(cycle) }, { notes: cycleNotes(cycle) }),
    );
  return {
    model,
    named,
    inputs: items.Input,
    banks: items.Bank,
    groups,
    tasks,
    enabled,
    transfers,
    flows,
    outputs: items.Output,
    penalties: items.Penalty,
    train: items.Train[0] ?? null,
    order: cycles.length === 0 ? order : names,
    sound: diagnostics.slice(before).every((diagnostic) => diagnostic.severity !== "error"),
  };
}

type ItemsByKind = { readonly [K in Item["kind"]]: readonly Extract<Item, { kind: K }>[] };

function itemsByKind(items: readonly Item[]): ItemsByKind {
  const of = <K extends Item["kind"]>(kind: K) => items.filter((item): item is Extract<Item, { kind: K }> => item.kind === kind);
  return {
    Const: of("Const"),
    DimDeclaration: of("DimDeclaration"),
    Input: of("Input"),
    Let: of("Let"),
    Param: of("Param"),
    Bank: of("Bank"),
    Group: of("Group"),
    Task: of("Task"),
    Transfer: of("Transfer"),
    Flow: of("Flow"),
    Output: of("Output"),
    Penalty: of("Penalty"),
    Train: of("Train"),
  };
}

function isNamed(item: Item): item is NamedItem {
  return ["Const", "DimDeclaration", "Input", "Let", "Param", "Bank"].includes(item.kind);
}

/** The names that an item puts into the namespace of values. */
function namesOf(item: Item): readonly Name[] {
  if (item.kind === "Let") return item.names;
  return isNamed(item) ? [item.name] : [];
}

function declare(places: Map<string, Name>, name: Name, diagnostics: Diagnostic[], accept: () => void): void {
  const before = places.get(name.text);
  if (before !== undefined) {
    diagnostics.push(
      finding("name/duplicate", name.span, { name: name.text }, { notes: [{ message: "declared here first", span: before.span }] }),
    );
    return;
  }
  places.set(name.text, name);
  accept();
}

function declareAll<T extends { readonly name: Name }>(
  items: readonly T[],
  diagnostics: Diagnostic[],
  places = new Map<string, Name>(),
): ReadonlyMap<string, T> {
  const found = new Map<string, T>();
  for (const item of items) declare(places, item.name, diagnostics, () => found.set(item.name.text, item));
  return found;
}

export function isEnabled(task: Task): boolean {
  const setting = settingOf(task.settings, "enabled");
  return !(setting?.kind === "BooleanLiteral" && !setting.value);
}

function checkSettings(items: readonly (Group | Task)[], what: string, known: readonly string[], diagnostics: Diagnostic[]): void {
  for (const { settings } of items) {
    const seen = new Map<string, Name>();
    for (const { name, value } of settings?.fields ?? []) {
      declare(seen, name, diagnostics, () => {});
      checkLiteral(name.text, value, diagnostics);
      if (known.includes(name.text)) continue;
      const near = closest(name.text, known);
      const help = near === null ? `its settings are ${known.join(", ")}` : `did you mean \`${near}\`?`;
      const fixes = near === null ? [] : [{ title: `change to \`${near}\``, safe: false, edits: [{ span: name.span, text: near }] }];
      diagnostics.push(finding("model/setting", name.span, { what, name: name.text }, { help, fixes }));
    }
  }
}

/** Settings that are read before anything is evaluated. */
function checkLiteral(name: string, value: Expr, diagnostics: Diagnostic[]): void {
  const isName = (expr: Expr) => expr.kind === "Reference";
  const expected = {
    enabled: value.kind === "BooleanLiteral" ? null : "`true` or `false`",
    route:
      isName(value) || (value.kind === "ListLiteral" && value.items.every(isName))
        ? null
        : "the name of an entry of a `routes` bank, or a list of them",
  }[name];
  if (typeof expected === "string")
    diagnostics.push(finding("type/mismatch", value.span, { what: `\`${name}\``, expected, found: "another expression" }));
}

function checkGroups(
  tasks: readonly Task[],
  enabled: readonly Task[],
  groups: ReadonlyMap<string, Group>,
  diagnostics: Diagnostic[],
): void {
  const filled = new Set(enabled.map((task) => task.group?.text));
  for (const { name, group } of tasks) {
    if (group !== null && !groups.has(group.text)) {
      const near = closest(group.text, [...groups.keys()]);
      const fixes = near === null ? [] : [{ title: `change to \`${near}\``, safe: false, edits: [{ span: group.span, text: near }] }];
      diagnostics.push(
        finding("group/unknown", group.span, { name: group.text }, { help: near === null ? null : `did you mean \`${near}\`?`, fixes }),
      );
    }
    if (group === null && groups.size > 0) diagnostics.push(finding("group/missing", name.span, { task: name.text }));
  }
  for (const [name, group] of groups) if (!filled.has(name)) diagnostics.push(finding("group/empty", group.name.span, { name }));
}

function checkTransfers(transfers: readonly Transfer[], tasks: ReadonlyMap<string, Task>, diagnostics: Diagnostic[]): readonly Transfer[] {
  const seen = new Map<string, Transfer>();
  return transfers.filter((transfer) => {
    const sides = [
      { side: "from", name: transfer.from },
      { side: "into", name: transfer.to },
    ];
    const sound = sides.map(({ side, name }) => checkTransferEnd(side, name, tasks, diagnostics)).every((fits) => fits);
    const key = `${transfer.from.text} -> ${transfer.to.text}`;
    const before = seen.get(key);
    if (before !== undefined) {
      const values = { from: transfer.from.text, to: transfer.to.text };
      diagnostics.push(finding("transfer/duplicate", transfer.span, values, { notes: [{ message: "the first", span: before.span }] }));
    }
    seen.set(key, transfer);
    return sound && before === undefined;
  });
}

function checkTransferEnd(side: string, name: Name, tasks: ReadonlyMap<string, Task>, diagnostics: Diagnostic[]): boolean {
  const task = tasks.get(name.text);
  if (task === undefined) {
    const near = closest(name.text, [...tasks.keys()]);
    const fixes = near === null ? [] : [{ title: `change to \`${near}\``, safe: false, edits: [{ span: name.span, text: near }] }];
    diagnostics.push(
      finding(
        "transfer/unknown-task",
        name.span,
        { side, name: name.text },
        { help: near === null ? null : `did you mean \`${near}\`?`, fixes },
      ),
    );
    return false;
  }
  if (isEnabled(task)) return true;
  diagnostics.push(
    finding(
      "transfer/disabled-task",
      name.span,
      { side, name: name.text },
      { notes: [{ message: "declared here", span: task.name.span }] },
    ),
  );
  return false;
}

function assignFlows(
  flows: readonly Flow[],
  tasks: ReadonlyMap<string, Task>,
  enabled: readonly Task[],
  diagnostics: Diagnostic[],
): ReadonlyMap<string, Flow> {
  const own = new Map<string, Flow>();
  let shared: Flow | null = null;
  for (const flow of flows) {
    const before: Flow | null = flow.task === null ? shared : (own.get(flow.task.text) ?? null);
    if (before !== null) {
      const what = flow.task === null ? "all tasks" : `task \`${flow.task.text}\``;
      diagnostics.push(
        finding(
          "model/duplicate-flow",
          flow.task?.span ?? flow.span,
          { what },
          { notes: [{ message: "the first", span: before.task?.span ?? before.per?.span ?? null }] },
        ),
      );
    } else if (flow.task === null) shared = flow;
    else if (tasks.has(flow.task.text)) own.set(flow.task.text, flow);
    else {
      const near = closest(flow.task.text, [...tasks.keys()]);
      diagnostics.push(
        finding("name/unknown", flow.task.span, { name: flow.task.text }, { help: near === null ? null : `did you mean \`${near}\`?` }),
      );
    }
  }
  const result = new Map<string, Flow>();
  for (const { name } of enabled) {
    const flow = own.get(name.text) ?? shared;
    if (flow === null) diagnostics.push(finding("model/no-flow", name.span, { task: name.text }));
    else result.set(name.text, flow);
  }
  return result;
}

/** The flow of every target has the stage `transfers`: one finding for each flow, at the first edge that it drops. */
function checkTransfersApplied(transfers: readonly Transfer[], flows: ReadonlyMap<string, Flow>, diagnostics: Diagnostic[]): void {
  const dropped = new Map<Flow, Transfer[]>();
  for (const transfer of transfers) {
    const flow = flows.get(transfer.to.text);
    if (flow === undefined || referencedNames(flow.body).some((reference) => reference.name === "transfers")) continue;
    dropped.set(flow, [...(dropped.get(flow) ?? []), transfer]);
  }
  for (const [flow, [first, ...others]] of dropped) {
    if (first === undefined) continue;
    const notes = [
      { message: "its flow", span: flow.task?.span ?? flow.per?.span ?? null },
      ...others.map(({ span }) => ({ message: "this edge is dropped too", span })),
    ];
    diagnostics.push(finding("transfer/dropped", first.span, { task: first.to.text }, { notes }));
  }
}

/** Outputs stand beside the predictions, which bear the names of tasks, and beside the inputs. */
/** A compiled model has one namespace for what goes in and what comes out, and predictions bear the names of their tasks. */
function checkOutputNames(outputs: readonly Output[], inputs: readonly Input[], tasks: readonly Task[], diagnostics: Diagnostic[]): void {
  const taken = new Map<string, { readonly what: string; readonly name: Name }>([
    ...inputs.map(({ name }) => [name.text, { what: "an input", name }] as const),
    ...tasks.map(({ name }) => [name.text, { what: "the prediction of a task", name }] as const),
  ]);
  const seen = new Map<string, Name>();
  for (const { name } of outputs) {
    const owner = taken.get(name.text);
    if (owner === undefined) declare(seen, name, diagnostics, () => {});
    else {
      const notes = [{ message: "declared here", span: owner.name.span }];
      diagnostics.push(finding("output/name-taken", name.span, { name: name.text, what: owner.what }, { notes }));
    }
  }
}

function checkRequiredInput(inputs: readonly Input[], model: Model, diagnostics: Diagnostic[]): void {
  if (inputs.every((input) => input.type?.optional === true))
    diagnostics.push(finding("model/no-required-input", model.name.span, { name: model.name.text }));
}

/** Edges, and flows that read other tasks by name. */
function dependenciesOf(
  transfers: readonly Transfer[],
  flows: ReadonlyMap<string, Flow>,
  tasks: ReadonlyMap<string, Task>,
  diagnostics: Diagnostic[],
): readonly Dependency[] {
  const edges: Dependency[] = transfers.map((transfer) => ({
    from: transfer.from.text,
    to: transfer.to.text,
    span: transfer.span,
    kind: "transfer",
  }));
  for (const [target, flow] of flows) {
    if (flow.task === null) continue;
    const own = declaredNames(flow.body);
    for (const { name, span } of referencedNames(flow.body)) {
      const task = own.has(name) ? undefined : tasks.get(name);
      if (task === undefined) continue;
      if (isEnabled(task)) edges.push({ from: name, to: target, span, kind: "use" });
      else
        diagnostics.push(
          finding("transfer/disabled-task", span, { side: "from", name }, { notes: [{ message: "declared here", span: task.name.span }] }),
        );
    }
  }
  return edges;
}
