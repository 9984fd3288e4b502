import type { Call, Definition } from "../../dsl/ast.ts";
import type { Details, Diagnostic, Note, Placeholders } from "../../dsl/diagnostic.ts";
import type { Span } from "../../dsl/source.ts";
import { type Code, type catalogue, finding } from "../check/catalogue.ts";
import { GraphBuilder } from "../ir/builder.ts";
import type { Graph, GraphParam, Node, Value } from "../ir/graph.ts";
import type { OpAttributes, OpName } from "../ops/attributes.ts";
import { isShapeError, type ShapeError } from "../ops/op.ts";
import { CallHistory } from "./call-history.ts";
import type { Place } from "./place.ts";
import type { Scope } from "./scope.ts";
import { type PoisonValue, poison, type RecordValue, type StaticValue, textField } from "./value.ts";

/** Bounds on what one elaboration may build, so that no input hangs it. */
export const limits = {
  nodes: 1_000_000,
  steps: 1_500_000,
  listItems: 1_000_000,
  callDepth: 100,
  nesting: 400,
  dimTerms: 64,
  dimDegree: 16,
  elements: 2 ** 40,
} as const;

export interface DeclaredParam extends GraphParam {
  readonly span: Span;
}

export interface DeclaredPenalty {
  /** The path of its place: tasks that share an instance share it too. */
  readonly path: string;
  readonly value: Value;
  /** The task that it was evaluated for, if any. */
  readonly task: string | null;
  readonly span: Span;
}

/** Where an expression made a node. */
export interface NodeOrigin {
  readonly path: string;
  readonly span: Span;
}

/** Findings that symbols alone cannot decide. */
const undecidable: ReadonlySet<string> = new Set([
  "type/not-static",
  "dim/not-divisible",
  "call/requirement",
  "dim/slice-past-end",
  "param/outside-initial",
  "dim/unbound",
]);

/** Codes of which one at a place is enough: a further one says the same with other numbers. */
const oncePerPlace = /^(dim|type|param)\/|^call\/(recursive|limit)/;

/** Equal for two findings that say the same. */
export function keyOf({ code, span, message }: Diagnostic): string {
  return `${code} ${span?.source.name} ${span?.start} ${span?.end} ${oncePerPlace.test(code) ? "" : message}`;
}

/** What is left for checking one file: what exceeds it is reported once. */
export interface Budget {
  /** Steps; below 0 once any bound is passed. */
  left: number;
  /** How many expressions are being evaluated, one for another. */
  depth: number;
  exhausted: boolean;
}

export function newBudget(): Budget {
  return { left: limits.steps, depth: 0, exhausted: false };
}

/** Everything that one elaboration accumulates. */
export class Session {
  readonly builder = new GraphBuilder();
  readonly params = new Map<string, DeclaredParam>();
  readonly calls = new CallHistory();
  readonly penalties: DeclaredPenalty[] = [];
  /** What initialisers made, by definition and shape. */
  readonly initialisers = new Map<Definition, Map<string, Graph>>();
  readonly diagnostics: Diagnostic[];
  /** A definition checked on its own, with symbols for its dims. */
  readonly generic: boolean;
  /** Set in a generic check once something depends on what the symbols are. */
  undecided = false;
  readonly budget: Budget;
  readonly #reported = new Set<string>();

  constructor(diagnostics: Diagnostic[], budget: Budget, generic = false) {
    this.diagnostics = diagnostics;
    this.budget = budget;
    this.generic = generic;
  }

  addNode<K extends OpName>(
    op: K,
    inputs: readonly Value[],
    attributes: OpAttributes[K],
    origin: NodeOrigin,
  ): readonly Value[] | ShapeError {
    const { nodeCount } = this.builder;
    const outputs = this.builder.add(op, inputs, attributes, origin);
    if (!isShapeError(outputs)) this.#addStep((outputs[0] as Value).node, nodeCount, origin.path, origin.span);
    return outputs;
  }

  copyNode(node: Node, inputs: readonly Value[], path: string, span: Span): readonly Value[] {
    const { nodeCount } = this.builder;
    const outputs = this.builder.copy(node, inputs, path, span);
    this.#addStep((outputs[0] as Value).node, nodeCount, path, span);
    return outputs;
  }

  /** Notes a node, which is new unless there were more. */
  #addStep(node: Node, nodeCount: number, path: string, span: Span): void {
    this.calls.add(node.id >= nodeCount ? node : { kind: "again", node, path, span });
  }

  /** Makes a parameter, whose name is new; `span` is where to look for it. */
  addParam(name: string, declared: Omit<DeclaredParam, "name" | "value">, shape: readonly number[], span: Span): Value {
    const { initial, decay, frozen, tag } = declared;
    const [value] = this.builder.add("param", [], { name, shape }, { path: name, span }) as readonly [Value];
    const param = { name, value, initial, decay, frozen, tag, span: declared.span };
    this.params.set(name, param);
    this.calls.add({ kind: "param", param });
    return value;
  }

  addPenalty(penalty: DeclaredPenalty): void {
    this.penalties.push(penalty);
    this.calls.add({ kind: "penalty", penalty });
  }

  /** Adds a finding unless it says what another one has said. */
  report(diagnostic: Diagnostic): void {
    this.calls.forbidRepeat();
    if (this.generic && undecidable.has(diagnostic.code)) this.undecided = true;
    const key = keyOf(diagnostic);
    if (this.#reported.has(key)) return;
    this.#reported.add(key);
    this.diagnostics.push(diagnostic);
  }

  /** Counts work; false once a bound is passed, reported once. */
  spend(span: Span, steps = 1): boolean {
    const { budget } = this;
    budget.left -= steps;
    return budget.left >= 0 || this.outOfSteps(span);
  }

  /** Counts the step that makes nodes; false once a bound is passed, reported once. */
  spendOnNodes(span: Span, steps = 1): boolean {
    const { nodeCount } = this.builder;
    if (nodeCount > limits.nodes) return this.#exhaust(span, `a graph of ${nodeCount} operations`, `${limits.nodes}`);
    return this.spend(span, steps);
  }

  /** Reports, once, that no steps are left. */
  outOfSteps(span: Span): false {
    return this.#exhaust(span, "the evaluation of this file", `${limits.steps} steps`);
  }

  /** Reports, once, that expressions wait for one another in too long a chain. */
  tooDeep(span: Span): false {
    return this.#exhaust(span, "a chain of values that wait for one another", `${limits.nesting} links`);
  }

  #exhaust(span: Span, what: string, limit: string): false {
    const { budget } = this;
    if (!budget.exhausted) this.report(finding("call/limit", span, { what, limit }));
    budget.exhausted = true;
    budget.left = -1;
    return false;
  }
}

/** A call that is being evaluated, for the notes of findings inside of it. */
export interface Frame {
  /** null for a function without a name. */
  readonly callee: string | null;
  /** Where the callee is declared. */
  readonly at: Span;
  readonly span: Span;
  readonly parent: Frame | null;
  readonly depth: number;
}

/** What is at hand where an expression is evaluated. */
export interface Context {
  readonly session: Session;
  readonly scope: Scope;
  readonly place: Place;
  /** Labels of the calls of the body at hand. */
  readonly labels: ReadonlyMap<Call, string>;
  readonly frame: Frame | null;
  /** The task record in per-task places. */
  readonly task: RecordValue | null;
  /** The group record in per-task and per-group places. */
  readonly group: RecordValue | null;
  /** Set while an initialiser is evaluated. */
  readonly initial: InitialContext | null;
  /** The model at hand; null in definitions checked on their own. */
  readonly model: ModelNames | null;
}

/** As `{ ...context, ...changes }`, spelled out: for each field that a literal has twice V8 leaves compiled code. */
export function contextWith(context: Context, changes: Partial<Context>): Context {
  const { session = context.session, scope = context.scope, place = context.place, labels = context.labels } = changes;
  const { frame = context.frame, task = context.task, group = context.group } = changes;
  const { initial = context.initial, model = context.model } = changes;
  return { session, scope, place, labels, frame, task, group, initial, model };
}

/** As `contextWith(context, { place })`, which is asked for most. */
export function contextAt(context: Context, place: Place): Context {
  const { session, scope, labels, frame, task, group, initial, model } = context;
  return { session, scope, place, labels, frame, task, group, initial, model };
}

/** What `all(name)` asks of the model. */
export interface ModelNames {
  all(name: string, span: Span, context: Context): StaticValue;
}

export class InitialContext {
  readonly shape: readonly number[];
  #builder: GraphBuilder | null = null;
  /** Values that belong to the initialiser; all others depend on data. */
  readonly own = new Set<Value>();

  constructor(shape: readonly number[]) {
    this.shape = shape;
  }

  /** Made when the first node is: most initialisers are names of what has been evaluated before. */
  get builder(): GraphBuilder {
    this.#builder ??= new GraphBuilder();
    return this.#builder;
  }
}

/** Reports a finding with notes that lead from the place of the fault out through the calls, and gives poison. */
export function report<C extends Code>(
  context: Context,
  code: C,
  span: Span,
  values: Placeholders<(typeof catalogue)[C]["message"]>,
  details: Details = {},
): PoisonValue {
  const at = faultOf(span, context.frame);
  const moved: readonly Note[] = at.span === span ? [] : [{ message: "found here", span }];
  const notes = [...moved, ...(details.notes ?? []), ...frameNotes(at.frame)];
  context.session.report(finding(code, at.span, values, { ...details, notes: distinct(notes, at.span) }));
  return poison;
}

/**
 * The library is checked for every width, so what goes wrong inside of it is the fault of the call that entered it: the finding stands at that call,
 * where it can be repaired.
 */
export function faultOf(span: Span, frame: Frame | null): { readonly span: Span; readonly frame: Frame | null } {
  let at = span;
  let outer = frame;
  while (at.source.library && outer !== null) {
    at = outer.span;
    outer = outer.parent;
  }
  return at.source.library ? { span, frame } : { span: at, frame: at === span ? frame : outer };
}

/** Notes that say something new: not the finding's own place again, nor the same thing twice. */
function distinct(notes: readonly Note[], own: Span): readonly Note[] {
  const seen = new Set<string>();
  return notes.filter(({ message, span }) => {
    const key = `${message} ${span?.source.name} ${span?.start}`;
    if (seen.has(key) || (message.startsWith("in this call") && span === own)) return false;
    seen.add(key);
    return true;
  });
}

function frameNotes(frame: Frame | null): readonly Note[] {
  const notes: Note[] = [];
  for (let at = frame; at !== null && notes.length < 4; at = at.parent) {
    if (at.callee !== null) notes.push({ message: `in this call of \`${at.callee}\``, span: at.span });
  }
  return notes;
}

/** The builder of the graph at hand: an initialiser's own, or the model's. */
export function builderOf(context: Context): GraphBuilder {
  return context.initial?.builder ?? context.session.builder;
}

/** Appends a node and gives its first output; null where something was reported. */
export function addNode<K extends OpName>(
  context: Context,
  op: K,
  inputs: readonly Value[],
  attributes: OpAttributes[K],
  span: Span,
): Value | ShapeError | null {
  const { session, place, initial } = context;
  if (!session.spendOnNodes(span)) return null;
  if (initial !== null && dependsOnData(inputs, initial)) {
    report(context, "param/depends-on-data", span, {});
    return null;
  }
  const origin = { path: place.node(op), span };
  const outputs = initial === null ? session.addNode(op, inputs, attributes, origin) : initial.builder.add(op, inputs, attributes, origin);
  if (isShapeError(outputs)) return outputs;
  const value = outputs[0] as Value;
  initial?.own.add(value);
  return value;
}

function dependsOnData(inputs: readonly Value[], { own }: InitialContext): boolean {
  return inputs.some((input) => !own.has(input));
}

/** The name of the task at hand, if there is one. */
export function taskName({ task }: Context): string | null {
  return task === null ? null : textField(task, "name");
}
