import type { Span } from "../../../dsl/source.ts";
import type { DType } from "../../ir/graph.ts";
import { toAxis, toInteger } from "../dims.ts";
import { reportKind, shapeOf, toTensor } from "../tensors.ts";
import { type Builtin, type BuiltinCall, itemsOf, type PoisonValue, type StaticValue, type TensorValue, withSpan } from "../value.ts";

/** `define("softmax", "x, axis?", "...", apply)`: `?` marks parameters that may be left out. */
export function define(name: string, signature: string, doc: string, apply: (call: BuiltinCall) => StaticValue): Builtin {
  const parameters =
    signature === "" ? [] : signature.split(", ").map((text) => ({ name: text.replace("?", ""), required: !text.endsWith("?") }));
  return { name, parameters, parameterNames: parameters.map((parameter) => parameter.name), doc, apply };
}

/** The place of an argument, or of the call where it was left out. */
export function spanOf(call: BuiltinCall, position: number): Span {
  return call.spans[position] ?? call.span;
}

/** An argument as a tensor; numbers become scalars. */
export function tensorAt(call: BuiltinCall, position: number, name: string, dtype: DType = "f32"): TensorValue | PoisonValue {
  const value = call.values[position] as StaticValue;
  const tensor = toTensor(call.context, value, spanOf(call, position), `\`${name}\``, dtype);
  return tensor.kind === "tensor" ? withSpan(tensor, spanOf(call, position)) : tensor;
}

/** An argument as a list of values, or null once reported. */
export function listAt(call: BuiltinCall, position: number, name: string): readonly StaticValue[] | null {
  const value = call.values[position] as StaticValue;
  const items = itemsOf(value);
  if (items === null) reportKind(call.context, value, spanOf(call, position), `\`${name}\``, "a list");
  return items;
}

/** An argument as a list of tensors, each with the place of the list; null once reported. */
export function tensorsAt(call: BuiltinCall, position: number, name: string): readonly TensorValue[] | null {
  const items = listAt(call, position, name);
  if (items === null) return null;
  const tensors: TensorValue[] = [];
  for (const item of items) {
    const tensor = toTensor(call.context, item, spanOf(call, position), `each item of \`${name}\``);
    if (tensor.kind === "poison") return null;
    tensors.push(tensor);
  }
  return tensors;
}

/** An axis argument of a tensor, with a default; null once reported. */
export function axisAt(call: BuiltinCall, position: number, rank: number, otherwise: number | null): number | null {
  const value = call.values[position];
  if (value === undefined && otherwise !== null) return otherwise < 0 ? otherwise + rank : otherwise;
  return value === undefined ? null : toAxis(value, rank, spanOf(call, position), call.context);
}

/** One axis or a list of them, ascending and without repeats; null once reported. */
export function axesAt(call: BuiltinCall, position: number, tensor: TensorValue): readonly number[] | null {
  const value = call.values[position];
  if (value === undefined) {
    reportKind(call.context, { kind: "none" }, call.span, "`axis`", "an axis, or a list of axes: a reduction says over what");
    return null;
  }
  const axes: number[] = [];
  for (const item of itemsOf(value) ?? [value]) {
    const axis = toAxis(item, shapeOf(tensor).length, spanOf(call, position), call.context);
    if (axis === null) return null;
    axes.push(axis);
  }
  return [...new Set(axes)].sort((a, b) => a - b);
}

/** true or false with a default; null once reported. */
export function flagAt(call: BuiltinCall, position: number, name: string, otherwise: boolean): boolean | null {
  const value = call.values[position];
  if (value === undefined) return otherwise;
  if (value.kind === "boolean") return value.value;
  reportKind(call.context, value, spanOf(call, position), `\`${name}\``, "true or false");
  return null;
}

export function integerAt(call: BuiltinCall, position: number, name: string): number | null {
  return toInteger(call.values[position] as StaticValue, spanOf(call, position), `\`${name}\``, call.context);
}
