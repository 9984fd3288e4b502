import { applyFunction } from "../elaborate/call.ts";
import { type Context, report } from "../elaborate/context.ts";
import type { LossSetting, TaskSettings } from "../elaborate/tasks.ts";
import { describe, functionName, type StaticValue } from "../elaborate/value.ts";
import { type Dim, dimsEqual, symbolDim } from "../ir/dim.ts";
import type { DType, Value } from "../ir/graph.ts";
import type { TaskKind } from "../model.ts";

/** What logits and labels of a kind look like to a loss: one number for each customer is f32[B]. */
export function lossOperands(
  kind: TaskKind,
  width: number,
): { readonly logits: readonly Dim[]; readonly labels: { readonly dtype: DType; readonly shape: readonly Dim[] } } {
  const batch = symbolDim("B");
  const logits = width === 1 ? [batch] : [batch, width];
  return { logits, labels: kind === "classes" ? { dtype: "i32", shape: [batch] } : { dtype: "f32", shape: logits } };
}

/**
 * A task's loss of its logits and labels, f32[B], one number for each customer; null once it was reported that it does not fit the task's kind, or gives
 * something else. Operands are as `lossOperands` says.
 */
export function evaluateLoss(
  { kind, task }: TaskSettings,
  { fn, given, span }: LossSetting,
  operands: readonly StaticValue[],
  context: Context,
): Value | null {
  const fits = fn.form === "definition" ? fn.definition.fits : [];
  if (fits.length > 0 && !fits.some((name) => name.text === kind)) {
    const message = `\`${functionName(fn)}\` is for ${fits.map((name) => name.text).join(" and ")} tasks`;
    const notes = [{ message, span: fits[0]?.span ?? span }];
    report(context, "task/loss-kind", span, { loss: functionName(fn), kind, task: task.name.text }, { notes });
    return null;
  }
  const first = operands.map((value) => ({ name: null, nameSpan: null, value, span }));
  const result = applyFunction(fn, [...first, ...given], context, span, span);
  if (result.kind === "poison") return null;
  const perRow =
    result.kind === "tensor" && result.value.type.shape.length === 1 && dimsEqual(result.value.type.shape[0] as Dim, symbolDim("B"));
  if (perRow) return result.value;
  report(context, "type/mismatch", span, {
    what: `the loss \`${functionName(fn)}\``,
    expected: "one number for each customer, f32[B]",
    found: describe(result),
  });
  return null;
}
