import { report } from "../context.ts";
import { toAxis, toNumber } from "../dims.ts";
import { takeSlice } from "../subscript.ts";
import { makeTensor, reportKind, shapeOf } from "../tensors.ts";
import {
  type Builtin,
  type BuiltinCall,
  listValue,
  numberValue,
  poison,
  recordValue,
  type SliceOf,
  type StaticValue,
  stringValue,
} from "../value.ts";
import { define, listAt, spanOf, tensorAt } from "./define.ts";

/** The innermost slices of a tensor's last axis with their paths, in order. That a schema names single columns changes no network. */
function leavesOf(slices: readonly SliceOf[], prefix = ""): readonly { readonly path: string; readonly slice: SliceOf }[] {
  return slices.flatMap((slice) =>
    slice.slices.every(({ column }) => column) ? [{ path: prefix + slice.name, slice }] : leavesOf(slice.slices, `${prefix}${slice.name}.`),
  );
}

/** A draw at the shape of the param whose initial value is being evaluated. */
function random(name: "uniform" | "normal", signature: string, doc: string): Builtin {
  return define(name, signature, doc, (call) => {
    const { initial } = call.context;
    if (initial === null) return report(call.context, "param/outside-initial", call.span, { name });
    const { shape } = initial;
    const first = toNumber(call.values[0] as StaticValue, spanOf(call, 0), "the bound", call.context);
    if (first === null) return poison;
    if (name === "normal") return makeTensor(call.context, "random_normal", [], { shape, std: first }, call.span);
    const high = toNumber(call.values[1] as StaticValue, spanOf(call, 1), "the bound", call.context);
    return high === null ? poison : makeTensor(call.context, "random_uniform", [], { shape, low: first, high }, call.span);
  });
}

function fan(name: "fan_in" | "fan_out", fromEnd: number): Builtin {
  return define(
    name,
    "",
    `The ${name === "fan_in" ? "second last" : "last"} dim of the param whose initial value this is.`,
    (call: BuiltinCall) => {
      const { initial } = call.context;
      if (initial === null) return report(call.context, "param/outside-initial", call.span, { name });
      const { shape } = initial;
      return numberValue(shape[shape.length - fromEnd] ?? shape[0] ?? 1);
    },
  );
}

export const statics: readonly Builtin[] = [
  define("width", "x", "The last dim of a tensor.", (call) => {
    const x = tensorAt(call, 0, "x");
    if (x.kind === "poison") return poison;
    const last = shapeOf(x).at(-1);
    return last === undefined ? report(call.context, "dim/rank", spanOf(call, 0), { message: "a scalar has no width" }) : numberValue(last);
  }),
  define("dim", "x, axis", "The size of an axis.", (call) => {
    const x = tensorAt(call, 0, "x");
    if (x.kind === "poison") return poison;
    const axis = toAxis(call.values[1] as StaticValue, shapeOf(x).length, spanOf(call, 1), call.context);
    return axis === null ? poison : numberValue(shapeOf(x)[axis] ?? 0);
  }),
  define("rank", "x", "The number of axes.", (call) => {
    const x = tensorAt(call, 0, "x");
    return x.kind === "poison" ? poison : numberValue(shapeOf(x).length);
  }),
  define("count", "xs", "The length of a list or bank.", (call) => {
    const items = listAt(call, 0, "xs");
    return items === null ? poison : numberValue(items.length);
  }),
  define("names", "bank", "The names of a record's or bank's entries.", (call) => {
    const bank = call.values[0] as StaticValue;
    if (bank.kind === "record") return listValue([...bank.fields.keys()].map(stringValue));
    if (bank.kind === "list") return listValue(bank.items.map((_, i) => stringValue(String(i))));
    return reportKind(call.context, bank, spanOf(call, 0), "`bank`", "a bank or a record");
  }),
  define("leaves", "x", "All innermost named slices of a tensor, as a record by path.", (call) => {
    const x = tensorAt(call, 0, "x");
    if (x.kind === "poison") return poison;
    if (x.slices === null || x.slices.every(({ column }) => column))
      return reportKind(call.context, x, spanOf(call, 0), "`x`", "a tensor with named slices");
    const fields = new Map<string, StaticValue>();
    for (const { path, slice } of leavesOf(x.slices)) fields.set(path, takeSlice(x, slice, call.span, call.context));
    return [...fields.values()].some((value) => value.kind === "poison") ? poison : recordValue("the slices", fields);
  }),
  random("uniform", "lo, hi", "In an initial value: uniform in [lo, hi) at the parameter's shape."),
  random("normal", "std", "In an initial value: normal with mean 0 at the parameter's shape."),
  fan("fan_in", 2),
  fan("fan_out", 1),
];
