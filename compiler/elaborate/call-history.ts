import type { Span } from "../../dsl/source.ts";
import type { Node, Value } from "../ir/graph.ts";
import type { GivenArgument } from "./call.ts";
import { type Context, type DeclaredParam, type DeclaredPenalty, type Frame, faultOf, taskName } from "./context.ts";
import { Patience, Reads, Signature, WatchedFields } from "./signature.ts";
import { shapesEqual } from "./tensors.ts";
import { type DefinitionFunction, poison, type StaticValue, type TensorValue, tensorWith, withSpan } from "./value.ts";

/** Something that evaluation has added to a model: a node, one that was there before and is wanted again, a parameter or a penalty. */
export type Step =
  | Node
  | { readonly kind: "again"; readonly node: Node; readonly path: string; readonly span: Span }
  | { readonly kind: "param"; readonly param: DeclaredParam }
  | { readonly kind: "penalty"; readonly penalty: DeclaredPenalty };

/** A call of a definition, and the steps from `start` to `end` that its evaluation made. */
interface PastCall {
  readonly signature: Signature;
  /** The call, then its arguments: what a node can have as its place beside what stands in the body. */
  readonly spans: readonly (Span | undefined)[];
  /** Null without records among the arguments. */
  readonly reads: Reads | null;
  readonly path: string;
  readonly frame: Frame | null;
  readonly start: number;
  readonly end: number;
  /** What evaluation took of the budget, which a copy takes too: what a file may do does not depend on what is copied. */
  readonly spent: number;
  readonly result: StaticValue;
  /** How to do the steps again over other arguments; null where they depend on more, undefined until it is asked. */
  recipe: Recipe | null | undefined;
}

/** The steps of a call, with a position for each tensor: those of the arguments first, then what the steps give, in their order. */
interface Recipe {
  readonly positions: ReadonlyMap<Value, number>;
  /** The number of positions; a tensor that two steps give has two. */
  readonly size: number;
  readonly steps: readonly RecipeStep[];
  /** Those of them that make parameters. */
  readonly params: readonly (RecipeStep & { readonly kind: "param" })[];
}

/** A step; `name` is its path below the place of the call. */
type RecipeStep =
  | {
      readonly kind: "node";
      readonly node: Node;
      /** Their positions. */
      readonly inputs: readonly number[];
      readonly name: string;
      readonly span: Span;
      /** Which span of the call it has, or -1. */
      readonly argument: number;
    }
  | { readonly kind: "param"; readonly param: DeclaredParam; readonly name: string }
  | { readonly kind: "penalty"; readonly penalty: DeclaredPenalty; readonly name: string; readonly value: number };

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
    let reads: Reads | null = null;
    const watched = new Array<GivenArgument | undefined>(slots.length);
    const spans = new Array<Span | undefined>(slots.length + 1);
    spans[0] = span;
    for (let i = 0; i < slots.length; i += 1) {
      const slot = slots[i];
      spans[i + 1] = slot?.span;
      watched[i] = slot;
      if (slot?.value.kind !== "record") continue;
      reads ??= new Reads();
      watched[i] = { ...slot, value: reads.watch(slot.value, [String(i)]) };
    }
    const signature = new Signature(callee, watched);
    if (signature.text === null) return evaluate(slots);
    const alike = this.#calls.get(signature.text) ?? [];
    for (let i = 0; i < alike.length; i += 1) {
      const past = alike[i] as PastCall;
      const holds = past.reads === null || past.reads.holdFor(slots);
      const repeated = holds ? this.#repeat(past, signature, spans, context) : null;
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
      alike.push({ signature, spans, reads, path: place.path, frame, ...steps, result, recipe: undefined });
      this.#calls.set(signature.text, alike);
    }
    return result;
  }

  /** Adds the nodes of a past call over other tensors; null where that would not be what evaluation does. */
  #repeat(past: PastCall, signature: Signature, spans: readonly (Span | undefined)[], context: Context): StaticValue | null {
    past.recipe = past.recipe === undefined ? this.#recipeOf(past) : past.recipe;
    const { recipe } = past;
    if (recipe === null || !alikeSpans(spans, past.spans)) return null;
    const { session, place } = context;
    const [span, pastSpan] = [spans[0] as Span, past.spans[0] as Span];
    const { steps, params } = recipe;
    for (const { name, param } of params) {
      const shared = session.params.get(place.node(name));
      if (shared !== undefined && !shapesEqual(shared.value.type.shape, param.value.type.shape)) return null;
    }
    if (!session.spendOnNodes(span, past.spent)) return poison;
    // By position: the arguments first, then what the steps give.
    const copies = new Array<Value>(recipe.size);
    const { given, tensors } = signature;
    let made = 0;
    for (; made < tensors.length; made += 1) copies[made] = tensors[made] as Value;
    const pastFault = faultOf(pastSpan, past.frame).span;
    for (let i = 0; i < steps.length; i += 1) {
      const step = steps[i] as RecipeStep;
      switch (step.kind) {
        case "node": {
          const { inputs: from } = step;
          const inputs = new Array<Value>(from.length);
          for (let input = 0; input < inputs.length; input += 1) inputs[input] = copies[from[input] as number] as Value;
          const at = step.argument < 0 ? step.span : (spans[step.argument] as Span);
          const outputs = session.copyNode(step.node, inputs, place.node(step.name), at);
          for (let output = 0; output < outputs.length; output += 1) copies[made++] = outputs[output] as Value;
          break;
        }
        case "param": {
          const { param } = step;
          const name = place.node(step.name);
          const { type, node } = param.value;
          const at = node.span === pastFault ? faultOf(span, context.frame).span : (node.span as Span);
          copies[made++] = session.params.get(name)?.value ?? session.addParam(name, param, type.shape as number[], at);
          break;
        }
        case "penalty":
          session.addPenalty({
            ...step.penalty,
            task: taskName(context),
            path: place.node(step.name),
            value: copies[step.value] as Value,
          });
      }
    }
    const copyOf = (value: Value): Value => copies[recipe.positions.get(value) as number] as Value;
    const result = withTensors(past.result, copyOf, (tensor) => given[past.signature.given.indexOf(tensor)]);
    return result.kind === "tensor" ? withSpan(result, spans[past.spans.indexOf(result.span)] ?? result.span) : result;
  }

  /**
   * How to do the steps of a call again; null unless every tensor of the steps and of the result is an argument or was made by the steps, below the place
   * of the call. Loops are no steps, nor are parameters that were there before, so calls with either are not repeated.
   */
  #recipeOf({ signature, spans, path, start, end, result }: PastCall): Recipe | null {
    const positions = new Map<Value, number>();
    for (const tensor of signature.tensors) positions.set(tensor, positions.size);
    const steps = new Array<RecipeStep>(end - start);
    const params: (RecipeStep & { readonly kind: "param" })[] = [];
    const prefix = path === "" ? "" : `${path}/`;
    let made = positions.size;
    for (let i = start; i < end; i += 1) {
      const step = this.#steps[i] as Step;
      if (!("kind" in step) || step.kind === "again") {
        const node = "kind" in step ? step.node : step;
        const span = step.span as Span;
        if (!step.path.startsWith(prefix)) return null;
        const inputs = new Array<number>(node.inputs.length);
        for (let input = 0; input < inputs.length; input += 1) {
          const position = positions.get(node.inputs[input] as Value);
          if (position === undefined) return null;
          inputs[input] = position;
        }
        for (let output = 0; output < node.outputs.length; output += 1) positions.set(node.outputs[output] as Value, made++);
        const name = step.path.slice(prefix.length);
        steps[i - start] = { kind: "node", node, inputs, name, span, argument: spans.indexOf(span) };
      } else if (step.kind === "param") {
        const { param } = step;
        if (!param.name.startsWith(prefix)) return null;
        positions.set(param.value, made++);
        const again = { kind: "param", param, name: param.name.slice(prefix.length) } as const;
        steps[i - start] = again;
        params.push(again);
      } else {
        const { penalty } = step;
        const value = positions.get(penalty.value);
        if (!penalty.path.startsWith(prefix) || value === undefined) return null;
        steps[i - start] = { kind: "penalty", penalty, name: penalty.path.slice(prefix.length), value };
      }
    }
    return hasOnly(positions, result, new Patience()) ? { positions, size: made, steps, params } : null;
  }
}

/** Whether the same ones of them are the same. */
function alikeSpans(spans: readonly (Span | undefined)[], others: readonly (Span | undefined)[]): boolean {
  for (let i = 0; i < spans.length; i += 1) if (spans.indexOf(spans[i]) !== others.indexOf(others[i])) return false;
  return true;
}

function hasOnly(known: ReadonlyMap<Value, number>, value: StaticValue, patience: Patience): boolean {
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
  copyOf: (value: Value) => Value,
  given: (tensor: TensorValue) => TensorValue | undefined,
): StaticValue {
  const copyAll = (values: ReadonlyMap<string, StaticValue>) =>
    new Map([...values].map(([name, item]) => [name, withTensors(item, copyOf, given)]));
  switch (value.kind) {
    case "tensor":
      return (
        given(value) ??
        tensorWith(value, {
          value: copyOf(value.value),
          members: value.members === null ? null : copyAll(value.members),
        })
      );
    case "list":
      return { ...value, items: value.items.map((item) => withTensors(item, copyOf, given)) };
    case "record":
      return { ...value, fields: copyAll(value.fields) };
    default:
      return value;
  }
}
