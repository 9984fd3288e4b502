import { formatDim } from "../../ir/dim.ts";
import type { OpName } from "../../ops/attributes.ts";
import { report } from "../context.ts";
import { toNumber } from "../dims.ts";
import { combine } from "../operators.ts";
import { dtypeOf, makeScalar, makeTensor, toTensor } from "../tensors.ts";
import { type Builtin, type BuiltinCall, describe, itemsOf, numberValue, type PoisonValue, poison, type StaticValue } from "../value.ts";
import { define, spanOf, tensorAt } from "./define.ts";

type UnaryOp = Extract<
  OpName,
  "exp" | "log" | "sqrt" | "tanh" | "atanh" | "sigmoid" | "softplus" | "relu" | "abs" | "sign" | "floor" | "sin" | "cos"
>;

const onNumbers: { readonly [K in UnaryOp]: (x: number) => number } = {
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  tanh: Math.tanh,
  atanh: Math.atanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  relu: (x) => Math.max(x, 0),
  abs: Math.abs,
  sign: Math.sign,
  floor: Math.floor,
  sin: Math.sin,
  cos: Math.cos,
};

function unary(op: UnaryOp): Builtin {
  return define(op, "x", `Elementwise ${op}; of a number, the number.`, (call) => {
    const value = call.values[0] as StaticValue;
    if (value.kind === "number") {
      const x = toNumber(value, spanOf(call, 0), "`x`", call.context);
      return x === null ? poison : numberValue(onNumbers[op](x));
    }
    const x = tensorAt(call, 0, "x");
    return x.kind === "poison" ? poison : makeTensor(call.context, op, [x], {}, call.span, { stretch: x.stretch });
  });
}

/** min and max: of two tensors or numbers, or of a list of numbers. */
function extremum(op: "min" | "max"): Builtin {
  return define(op, "a, b?", `The ${op}imum of two tensors or numbers, or of a list of numbers.`, (call) => {
    const [a, b] = call.values;
    if (b === undefined) return extremumOfList(op, call);
    if (a?.kind === "number" && b.kind === "number" && typeof a.value === "number" && typeof b.value === "number")
      return numberValue(Math[op](a.value, b.value));
    const dtype = a?.kind === "tensor" ? dtypeOf(a) : b.kind === "tensor" ? dtypeOf(b) : "f32";
    const left = tensorAt(call, 0, "a", dtype);
    const right = tensorAt(call, 1, "b", dtype);
    return left.kind === "poison" || right.kind === "poison" ? poison : combine(call.context, op, op, [left, right], call.span);
  });
}

function extremumOfList(op: "min" | "max", call: BuiltinCall): StaticValue {
  const numbers = numbersOf(call.values[0] as StaticValue);
  if (numbers !== null && numbers.length > 0) return numberValue(Math[op](...numbers));
  return refuseNumbers(call, 0, `the one argument of \`${op}\``, "a list of numbers");
}

/** A list of known numbers, or null. */
export function numbersOf(value: StaticValue): readonly number[] | null {
  const items = itemsOf(value);
  if (items === null) return null;
  const numbers = items.map((item) => (item.kind === "number" && typeof item.value === "number" ? item.value : null));
  return numbers.every((number) => number !== null) ? (numbers as number[]) : null;
}

/** Reports an argument that is no list of known numbers: of dims, which a call may yet make known, or of something else. */
export function refuseNumbers(call: BuiltinCall, position: number, what: string, expected: string): PoisonValue {
  const value = call.values[position] as StaticValue;
  const items = itemsOf(value) ?? [];
  const dims = items.flatMap((item) => (item.kind === "number" && typeof item.value !== "number" ? [item.value] : []));
  const [dim] = items.every((item) => item.kind === "number") ? dims : [];
  if (dim !== undefined)
    return report(call.context, "type/not-static", spanOf(call, position), { what, found: `a list with the dim ${formatDim(dim)}` });
  return report(call.context, "type/mismatch", spanOf(call, position), { what, expected, found: describe(value) });
}

function cast(name: "f32" | "i32"): Builtin {
  return define(name, "x", `The tensor as ${name}; booleans become 0 and 1.`, (call) => {
    const x = tensorAt(call, 0, "x");
    if (x.kind === "poison") return poison;
    return dtypeOf(x) === name ? x : makeTensor(call.context, "cast", [x], { dtype: name }, call.span, { stretch: x.stretch });
  });
}

export const elementwise: readonly Builtin[] = [
  ...(Object.keys(onNumbers) as UnaryOp[]).map(unary),
  extremum("min"),
  extremum("max"),
  cast("f32"),
  cast("i32"),
  define("clip", "x, lo, hi", "x kept within [lo, hi].", (call) => {
    const x = tensorAt(call, 0, "x");
    const low = tensorAt(call, 1, "lo", x.kind === "tensor" ? dtypeOf(x) : "f32");
    const high = tensorAt(call, 2, "hi", x.kind === "tensor" ? dtypeOf(x) : "f32");
    if (x.kind === "poison" || low.kind === "poison" || high.kind === "poison") return poison;
    const raised = combine(call.context, "max", "clip", [x, low], call.span);
    return raised.kind === "tensor" ? combine(call.context, "min", "clip", [raised, high], call.span) : poison;
  }),
  define("where", "condition, then, otherwise", "Elementwise: `then` where the bool tensor is true, else `otherwise`.", (call) => {
    const condition = call.values[0] as StaticValue;
    if (condition.kind !== "tensor" || dtypeOf(condition) !== "bool") {
      return report(call.context, "type/mismatch", spanOf(call, 0), {
        what: "`condition`",
        expected: "a bool tensor, such as `x > 0`",
        found: describe(condition),
      });
    }
    const values = call.values.slice(1) as StaticValue[];
    const dtype = values.find((value) => value.kind === "tensor");
    const branches = values.map((value, i) => {
      const wanted = dtype?.kind === "tensor" ? dtypeOf(dtype) : "f32";
      if (value.kind === "number") return makeScalar(call.context, value, spanOf(call, i + 1), wanted);
      return toTensor(call.context, value, spanOf(call, i + 1), i === 0 ? "`then`" : "`otherwise`");
    });
    const [then, otherwise] = branches;
    if (then?.kind !== "tensor" || otherwise?.kind !== "tensor") return poison;
    return combine(call.context, "where", "where", [{ ...condition, span: spanOf(call, 0) }, then, otherwise], call.span);
  }),
  define("stop_gradient", "x", "x, through which no gradient flows.", (call) => {
    const x = tensorAt(call, 0, "x");
    return x.kind === "poison"
      ? poison
      : makeTensor(call.context, "stop_gradient", [x], {}, call.span, { stretch: x.stretch, slices: x.slices });
  }),
  define(
    "dropout",
    "x, rate",
    "In training, zeroes a share `rate` of x and scales the rest by 1 / (1 - rate); x itself otherwise.",
    (call) => {
      const x = tensorAt(call, 0, "x");
      const rate = toNumber(call.values[1] as StaticValue, spanOf(call, 1), "`rate`", call.context);
      if (x.kind === "poison" || rate === null) return poison;
      if (rate < 0 || rate >= 1)
        return report(call.context, "type/range", spanOf(call, 1), { message: `a dropout rate lies in [0, 1), and this is ${rate}` });
      return rate === 0 ? x : makeTensor(call.context, "dropout", [x], { rate }, call.span);
    },
  ),
];
