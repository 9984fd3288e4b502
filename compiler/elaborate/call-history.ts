import type { Span } from "../../dsl/source.ts";
import type { Node, Value } from "../ir/graph.ts";
import type { GivenArgument } from "./call.ts";
import { type Context, type DeclaredParam, type DeclaredPenalty, type Frame, faultOf, taskName } from "./context.ts";
import { Patience, Reads, Signature, WatchedFields } from "./signature.ts";
import { shapesEqual } from "./tensors.ts";
import { type DefinitionFunction, poison, type StaticValue, type TensorValue, tensorWith, withSpan } from "./value.ts";

/** Something that evaluation has added to a model. */
export type Step =
  | { readonly kind: "node"; readonly node: Node; readonly path: string; readonly span: Span }
  | { readonly kind: "param"; readonly param: DeclaredParam }
  | { readonly kind: "penalty"; readonly penalty: DeclaredPenalty };

/** A call of a definition, and the steps from `start` to `end` that its evaluation made. */
interface PastCall {
  readonly signature: Signature;
  /** The call, then its arguments: what a node can have as its place beside what stands in the body. */
  readonly spans: readonly (Span | undefined)[];
  readonly reads: Reads;
  readonly path: string;
  readonly frame: Frame | null;
  readonly start: number;
  readonly end: number;
  /** What evaluation took of the budget, which a copy takes too: what a file may do does not depend on what is copied. */
  readonly spent: number;
  readonly result: StaticValue;
  /** Whether the steps depend on nothing but the arguments; null until it is asked. */
  closed: boolean | null;
}

/**
 * What calls have added. A model calls the same things over and over: a tower for each task, an expert for each customer segment. A call of what an
 * earlier one called, with arguments of the same types, adds the same nodes over other tensors; they are copied, and the body is not evaluated again. What
 * is built is the same to the last node.
 */
export class CallHistory {
  readonly #steps: Step[] = [];
  /** By signature. */
  readonly #calls = new Map<string, PastCall[]>();
  #unrepeatable = 0;

  add(step: Step): void {
    this.#steps.push(step);
  }

  /** Says that evaluation has just done what the steps do not show, so that no call around it is repeated. */
  forbidRepeat(): void {
    this.#unrepeatable += 1;
  }

  /** The value of a call at `span`, by `evaluate` or as a copy of an earlier one. */
  call(
    callee: DefinitionFunction,
    slots: readonly (GivenArgument | undefined)[],
    context: Context,
    span: Span,
    evaluate: (slots: readonly (GivenArgument | undefined)[]) => StaticValue,
  ): StaticValue {
    // An initialiser has a graph of its own.
    if (context.initial !== null) return evaluate(slots);
    const reads = new Reads();
    const watched = slots.map((slot, i) =>
      slot?.value.kind === "record" ? { ...slot, value: reads.watch(slot.value, [String(i)]) } : slot,
    );
    const signature = new Signature(callee, watched);
    if (signature.text === null) return evaluate(slots);
    const alike = this.#calls.get(signature.text) ?? [];
    const spans = [span, ...slots.map((slot) => slot?.span)];
    for (const past of alike) {
      const repeated = past.reads.holdFor(slots) ? this.#repeat(past, signature, spans, context) : null;
      if (repeated !== null) return repeated;
    }
    const start = this.#steps.length;
    const { budget } = context.session;
    const { left } = budget;
    const unrepeatable = this.#unrepeatable;
    const result = evaluate(watched);
    if (this.#unrepeatable === unrepeatable && result.kind !== "poison") {
      const { place, frame } = context;
      const steps = { start, end: this.#steps.length, spent: left - budget.left };
      alike.push({ signature, spans, reads, path: place.path, frame, ...steps, result, closed: null });
      this.#calls.set(signature.text, alike);
    }
    return result;
  }

  /** Adds the nodes of a past call over other tensors; null where that would not be what evaluation does. */
  #repeat(past: PastCall, signature: Signature, spans: readonly (Span | undefined)[], context: Context): StaticValue | null {
    past.closed ??= this.#isClosed(past);
    const alike = spans.every((at, i) => spans.indexOf(at) === past.spans.indexOf(past.spans[i]));
    if (!past.closed || !alike) return null;
    const { session, place } = context;
    const [span, pastSpan] = [spans[0] as Span, past.spans[0] as Span];
    const pathOf = (path: string): string => place.node(past.path === "" ? path : path.slice(past.path.length + 1));
    const sharedWith = ({ name }: DeclaredParam): Value | undefined => session.params.get(pathOf(name))?.value;
    const fits = (param: DeclaredParam): boolean => shapesEqual((sharedWith(param) ?? param.value).type.shape, param.value.type.shape);
    for (let i = past.start; i < past.end; i += 1) {
      const step = this.#steps[i] as Step;
      if (step.kind === "param" && !fits(step.param)) return null;
    }
    if (!session.spendOnNodes(span, past.spent)) return poison;
    const { tensors, given } = signature;
    const copies = new Map(past.signature.tensors.map((tensor, i) => [tensor, tensors[i] as Value]));
    const [pastFault, fault] = [faultOf(pastSpan, past.frame).span, faultOf(span, context.frame).span];
    const placeOf = (at: Span): Span => spans[past.spans.indexOf(at)] ?? at;
    const copyOf = (value: Value): Value => copies.get(value) as Value;
    for (let i = past.start; i < past.end; i += 1) {
      const step = this.#steps[i] as Step;
      switch (step.kind) {
        case "node": {
          const { node, path, span: at } = step;
          const made = session.copyNode(node, node.inputs.map(copyOf), { path: pathOf(path), span: placeOf(at) });
          for (let output = 0; output < made.length; output += 1) copies.set(node.outputs[output] as Value, made[output] as Value);
          break;
        }
        case "param": {
          const { param } = step;
          const { type, node } = param.value;
          const at = node.span === pastFault ? fault : (node.span as Span);
          const make = () => session.addParam(pathOf(param.name), param, type.shape as number[], at);
          copies.set(param.value, sharedWith(param) ?? make());
          break;
        }
        case "penalty": {
          const { penalty } = step;
          const task = taskName(context);
          session.addPenalty({ ...penalty, task, path: pathOf(penalty.path), value: copies.get(penalty.value) as Value });
        }
      }
    }
    const result = withTensors(past.result, copies, (tensor) => given[past.signature.given.indexOf(tensor)]);
    return result.kind === "tensor" ? withSpan(result, placeOf(result.span)) : result;
  }

  /**
   * Whether every tensor of the steps and of the result is an argument or was made by the steps, below the place of the call. Loops are no steps, nor are
   * parameters that were there before, so calls with either are not repeated.
   */
  #isClosed({ signature, path, start, end, result }: PastCall): boolean {
    const known = new Set(signature.tensors);
    const isBelow = (name: string): boolean => path === "" || name.startsWith(`${path}/`);
    const isKnown = (value: Value): boolean => known.has(value);
    for (let i = start; i < end; i += 1) {
      const step = this.#steps[i] as Step;
      switch (step.kind) {
        case "node":
          if (!isBelow(step.path) || !step.node.inputs.every(isKnown)) return false;
          for (const output of step.node.outputs) known.add(output);
          break;
        case "param":
          if (!isBelow(step.param.name)) return false;
          known.add(step.param.value);
          break;
        case "penalty":
          if (!isBelow(step.penalty.path) || !known.has(step.penalty.value)) return false;
      }
    }
    return hasOnly(known, result, new Patience());
  }
}

function hasOnly(known: ReadonlySet<Value>, value: StaticValue, patience: Patience): boolean {
  if (!patience.look()) return false;
  switch (value.kind) {
    case "tensor":
      return known.has(value.value) && [...(value.members?.values() ?? [])].every((member) => hasOnly(known, member, patience));
    case "list":
      return value.items.every((item) => hasOnly(known, item, patience));
    case "record":
      return !(value.fields instanceof WatchedFields) && [...value.fields.values()].every((field) => hasOnly(known, field, patience));
    case "function":
      return value.form !== "lambda";
    default:
      return true;
  }
}

/** The value with copies of its tensors; those that were given stand for what is given now. */
function withTensors(
  value: StaticValue,
  copies: ReadonlyMap<Value, Value>,
  given: (tensor: TensorValue) => TensorValue | undefined,
): StaticValue {
  const copyAll = (values: ReadonlyMap<string, StaticValue>) =>
    new Map([...values].map(([name, item]) => [name, withTensors(item, copies, given)]));
  switch (value.kind) {
    case "tensor":
      return (
        given(value) ??
        tensorWith(value, {
          value: copies.get(value.value) as Value,
          members: value.members === null ? null : copyAll(value.members),
        })
      );
    case "list":
      return { ...value, items: value.items.map((item) => withTensors(item, copies, given)) };
    case "record":
      return { ...value, fields: copyAll(value.fields) };
    default:
      return value;
  }
}
