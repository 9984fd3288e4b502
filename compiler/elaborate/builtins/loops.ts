import { type Dim, dimsEqual, formatDim } from "../../ir/dim.ts";
import type { TensorType, Value } from "../../ir/graph.ts";
import { isShapeError } from "../../ops/op.ts";
import { applyFunction } from "../call.ts";
import { builderOf, type Context, contextAt, report } from "../context.ts";
import { reportKind, shapeOf, shapesEqual, toTensor } from "../tensors.ts";
import {
  type Builtin,
  type BuiltinCall,
  describe,
  type FunctionValue,
  formatTensorType,
  itemsOf,
  listValue,
  numberValue,
  poison,
  type StaticValue,
  type TensorValue,
  tensorValue,
} from "../value.ts";
import { axisAt, define, integerAt, listAt, spanOf } from "./define.ts";

/** Unrolled repetitions beyond this are typing mistakes; `scan` runs long loops. */
const longestUnroll = 10_000;

/** Calls a function value with positional arguments, in a place of its own. */
function invoke(fn: FunctionValue, values: readonly StaticValue[], call: BuiltinCall, place: Context["place"]): StaticValue {
  const given = values.map((value) => ({ name: null, nameSpan: null, value, span: call.span }));
  return applyFunction(fn, given, contextAt(call.context, place), call.span, call.span);
}

function functionAt(call: BuiltinCall, position: number, name: string): FunctionValue | null {
  const value = call.values[position] as StaticValue;
  if (value.kind === "function") return value;
  reportKind(call.context, value, spanOf(call, position), `\`${name}\``, "a function, such as `(state, x) => ...`");
  return null;
}

/** A tensor, or a list of them, as the list with how to give it back. */
interface Bundle {
  readonly tensors: readonly TensorValue[];
  readonly pack: (tensors: readonly StaticValue[]) => StaticValue;
}

function bundleAt(call: BuiltinCall, position: number, name: string): Bundle | null {
  return bundle(call.values[position] as StaticValue, name, spanOf(call, position), call.context);
}

function bundle(value: StaticValue, name: string, span: BuiltinCall["span"], context: Context): Bundle | null {
  const items = itemsOf(value);
  const tensors: TensorValue[] = [];
  for (const item of items ?? [value]) {
    const tensor = toTensor(context, item, span, `\`${name}\``);
    if (tensor.kind === "poison") return null;
    tensors.push(tensor);
  }
  return { tensors, pack: (parts) => (items === null ? (parts[0] as StaticValue) : listValue(parts)) };
}

function scan(call: BuiltinCall): StaticValue {
  const fn = functionAt(call, 0, "f");
  const init = bundleAt(call, 1, "init");
  const over = bundleAt(call, 2, "over");
  if (fn === null || init === null || over === null) return poison;
  const rank = Math.min(...over.tensors.map((tensor) => shapeOf(tensor).length));
  const axis = axisAt(call, 3, rank, 1);
  if (axis === null) return poison;
  const steps = over.tensors.map((tensor) => shapeOf(tensor)[axis] as Dim);
  const unequal = steps.find((length) => !dimsEqual(length, steps[0] as Dim));
  if (unequal !== undefined) {
    return report(call.context, "dim/mismatch", spanOf(call, 2), {
      message: `\`over\` has ${formatDim(steps[0] as Dim)} and ${formatDim(unequal)} steps along axis ${axis}`,
    });
  }
  const sliceTypes = over.tensors.map(
    ({ value }): TensorType => ({ dtype: value.type.dtype, shape: value.type.shape.filter((_, i) => i !== axis) }),
  );
  const builder = builderOf(call.context);
  const origin = { path: call.context.place.node("scan"), span: call.span };
  const body = builder.body([...init.tensors.map((tensor) => tensor.value.type), ...sliceTypes], origin, (inputs) => {
    const states = inputs.slice(0, init.tensors.length).map((value) => tensorValue(value, call.span));
    const slices = inputs.slice(init.tensors.length).map((value) => tensorValue(value, call.span));
    const next = invoke(fn, [init.pack(states), over.pack(slices)], call, call.context.place);
    return next.kind === "poison" ? null : nextStates(next, init, call);
  });
  if (body === null) return poison;
  const made = builder.add(
    "scan",
    [...init.tensors, ...over.tensors].map((tensor) => tensor.value),
    { axis, states: init.tensors.length, body },
    origin,
  );
  if (isShapeError(made)) return report(call.context, "dim/mismatch", call.span, { message: made.message });
  return init.pack(made.map((value) => tensorValue(value, call.span)));
}

/** The values of the next states, which must have the types of the first ones. */
function nextStates(next: StaticValue, init: Bundle, call: BuiltinCall): readonly Value[] | null {
  const result = bundle(next, "the next state", spanOf(call, 0), call.context);
  if (result === null) return null;
  if (result.tensors.length !== init.tensors.length) {
    report(call.context, "type/mismatch", spanOf(call, 0), {
      what: "the next state",
      expected: `a list of ${init.tensors.length} as \`init\``,
      found: describe(next),
    });
    return null;
  }
  for (const [i, state] of result.tensors.entries()) {
    const first = (init.tensors[i] as TensorValue).value.type;
    if (state.value.type.dtype !== first.dtype || !shapesEqual(state.value.type.shape, first.shape)) {
      const message = `the next state is ${formatTensorType(state.value.type)}, and \`init\` is ${formatTensorType(first)}`;
      report(
        call.context,
        "dim/mismatch",
        spanOf(call, 0),
        { message },
        { notes: [{ message: "the first state", span: spanOf(call, 1) }] },
      );
      return null;
    }
  }
  return result.tensors.map((state) => state.value);
}

function iterate(call: BuiltinCall): StaticValue {
  const count = integerAt(call, 0, "n");
  const fn = functionAt(call, 1, "f");
  if (count === null || fn === null) return poison;
  if (count < 0)
    return report(call.context, "type/range", spanOf(call, 0), { message: `\`iterate\` repeats 0 times or more, not ${count}` });
  if (count > longestUnroll)
    return report(call.context, "call/limit", spanOf(call, 0), { what: `${count} unrolled repetitions`, limit: longestUnroll });
  let state = call.values[2] as StaticValue;
  for (let i = 0; i < count && state.kind !== "poison"; i++) state = invoke(fn, [state], call, call.context.place.child(String(i)));
  return state;
}

export const loops: readonly Builtin[] = [
  define(
    "scan",
    "f, init, over, axis?",
    "Runs `f(state, x)` along an axis (1 by default) and stacks the states; state and over may be lists.",
    scan,
  ),
  define("iterate", "n, f, from", "f applied n times, unrolled.", iterate),
  define("fold", "xs, init, f", "f(acc, item) over a list, from `init`.", (call) => {
    const items = listAt(call, 0, "xs");
    const fn = functionAt(call, 2, "f");
    if (items === null || fn === null) return poison;
    let state = call.values[1] as StaticValue;
    for (const [i, item] of items.entries()) {
      if (state.kind === "poison") return poison;
      state = invoke(fn, [state, item], call, call.context.place.child(String(i)));
    }
    return state;
  }),
  define("zip", "a, b", "Pairs [a_i, b_i] of two equally long lists.", (call) => {
    const a = listAt(call, 0, "a");
    const b = listAt(call, 1, "b");
    if (a === null || b === null) return poison;
    if (a.length !== b.length)
      return report(call.context, "type/range", call.span, {
        message: `\`zip\` needs equally long lists, and these have ${a.length} and ${b.length}`,
      });
    return listValue(a.map((item, i) => listValue([item, b[i] as StaticValue])));
  }),
  define("range", "n", "The numbers 0 to n - 1.", (call) => {
    const count = integerAt(call, 0, "n");
    if (count === null) return poison;
    if (count < 0) return report(call.context, "type/range", spanOf(call, 0), { message: `a list has 0 items or more, not ${count}` });
    if (count > 1_000_000) return report(call.context, "call/limit", spanOf(call, 0), { what: `a list of ${count}`, limit: 1_000_000 });
    return listValue(Array.from({ length: count }, (_, i) => numberValue(i)));
  }),
];
