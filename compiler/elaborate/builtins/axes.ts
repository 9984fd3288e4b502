import { toNumber } from "../dims.ts";
import { applyBinary } from "../operators.ts";
import { makeTensor, shapeOf } from "../tensors.ts";
import { type Builtin, type BuiltinCall, itemsOf, numberValue, poison, type StaticValue } from "../value.ts";
import { axesAt, axisAt, define, flagAt, spanOf, tensorAt } from "./define.ts";

type Reduction = "reduce_sum" | "reduce_mean" | "reduce_max" | "reduce_min";

function reduction(name: string, op: Reduction, doc: string): Builtin {
  return define(
    name,
    "x, axis?, keep?",
    `${doc} over one axis or a list of axes; \`keep: true\` leaves axes of size 1, which stretch.`,
    (call) => {
      const list = itemsOf(call.values[0] as StaticValue);
      if (list !== null && (op === "reduce_sum" || op === "reduce_mean")) return reduceList(call, list, op);
      const x = tensorAt(call, 0, "x");
      if (x.kind === "poison") return poison;
      const axes = axesAt(call, 1, x);
      const keep = flagAt(call, 2, "keep", false);
      if (axes === null || keep === null) return poison;
      const stretch = new Set(
        [...(x.stretch ?? [])]
          .filter((axis) => keep || !axes.includes(axis))
          .map((axis) => (keep ? axis : axis - axes.filter((a) => a < axis).length)),
      );
      if (keep) for (const axis of axes) stretch.add(axis);
      return makeTensor(call.context, op, [x], { axes, keep }, call.span, { stretch: stretch.size > 0 ? stretch : null });
    },
  );
}

/** The sum or mean of a list of numbers or of tensors of one shape. */
function reduceList(call: BuiltinCall, items: readonly StaticValue[], op: Reduction): StaticValue {
  const { context, span } = call;
  const at = spanOf(call, 0);
  let total: StaticValue = items[0] ?? numberValue(0);
  for (const item of items.slice(1)) total = applyBinary("+", total, item, span, at, at, context);
  return op === "reduce_sum" ? total : applyBinary("/", total, numberValue(Math.max(items.length, 1)), span, at, at, context);
}

function along(name: string, op: "softmax" | "log_softmax" | "cumsum" | "reverse", otherwise: number | null, doc: string): Builtin {
  return define(name, otherwise === null ? "x, axis" : "x, axis?", doc, (call) => {
    const x = tensorAt(call, 0, "x");
    if (x.kind === "poison") return poison;
    const axis = axisAt(call, 1, shapeOf(x).length, otherwise);
    return axis === null ? poison : makeTensor(call.context, op, [x], { axis }, call.span);
  });
}

export const axes: readonly Builtin[] = [
  reduction("sum", "reduce_sum", "The sum (also of a list)"),
  reduction("mean", "reduce_mean", "The mean (also of a list)"),
  reduction("amax", "reduce_max", "The largest element"),
  reduction("amin", "reduce_min", "The smallest element"),
  along("softmax", "softmax", -1, "exp(x) over its sum along an axis, stable."),
  along("log_softmax", "log_softmax", -1, "The logarithm of softmax, stable."),
  along("cumsum", "cumsum", null, "Running sums along an axis."),
  along("reverse", "reverse", null, "x with an axis turned round."),
  define("affine_norm", "x, gamma, beta, eps", "(x - mean) / sqrt(var + eps) * gamma + beta over the last axis.", (call) => {
    const x = tensorAt(call, 0, "x");
    const gamma = tensorAt(call, 1, "gamma");
    const beta = tensorAt(call, 2, "beta");
    const epsilon = toNumber(call.values[3] as StaticValue, spanOf(call, 3), "`eps`", call.context);
    if (x.kind === "poison" || gamma.kind === "poison" || beta.kind === "poison" || epsilon === null) return poison;
    return makeTensor(call.context, "layer_norm", [x, gamma, beta], { epsilon }, call.span);
  }),
  define("linear_scan", "a, b, axis?", "h with h_t = a_t * h_{t-1} + b_t along an axis, from 0.", (call) => {
    const a = tensorAt(call, 0, "a");
    const b = tensorAt(call, 1, "b");
    if (a.kind === "poison" || b.kind === "poison") return poison;
    const axis = axisAt(call, 2, shapeOf(b).length, 1);
    return axis === null ? poison : makeTensor(call.context, "linear_scan", [a, b], { axis }, call.span);
  }),
];
