import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { applyFunction } from "../elaborate/call.ts";
import { type Context, report, Session } from "../elaborate/context.ts";
import { Place } from "../elaborate/place.ts";
import type { LossSetting, TaskSettings } from "../elaborate/tasks.ts";
import { makeTensor } from "../elaborate/tensors.ts";
import { type DefinitionFunction, describe, functionName, poison, type StaticValue } from "../elaborate/value.ts";
import { type Dim, dimsEqual, symbolDim } from "../ir/dim.ts";
import type { DType } from "../ir/graph.ts";
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

/** Which losses fitted which kinds of tasks, so that equal ones are checked once. */
export type FittingLosses = Set<string>;

/** A task's loss fits the task's kind and gives one number for each customer: found by building it apart from the model. */
export function checkLoss(settings: TaskSettings, fitting: FittingLosses, diagnostics: Diagnostic[], model: Context): void {
  const { loss, kind, width } = settings;
  if (loss === null || loss.fn.form !== "definition") return;
  const { source, start, end } = loss.span;
  const key = `${kind} ${width} ${source.text.slice(start, end)}`;
  if (fitting.has(key)) return;
  const before = diagnostics.length;
  buildLoss(settings, loss, loss.fn, diagnostics, model);
  if (diagnostics.length === before) fitting.add(key);
}

function buildLoss(settings: TaskSettings, loss: LossSetting, fn: DefinitionFunction, diagnostics: Diagnostic[], model: Context): void {
  const { kind, width, task } = settings;
  const { definition } = fn;
  const context: Context = { ...model, session: new Session(diagnostics, model.session.budget), place: Place.root };
  const fits = definition.fits.map((name) => name.text);
  if (fits.length > 0 && !fits.includes(kind)) {
    report(
      context,
      "task/loss-kind",
      loss.span,
      { loss: definition.name.text, kind, task: task.name.text },
      {
        notes: [
          {
            message: `\`${definition.name.text}\` is for ${fits.join(" and ")} tasks`,
            span: definition.fits[0]?.span ?? definition.name.span,
          },
        ],
      },
    );
    return;
  }
  const { logits, labels } = lossOperands(kind, width);
  const operands: readonly StaticValue[] = [
    makeTensor(context, "input", [], { name: "logits", dtype: "f32", shape: logits }, loss.span),
    makeTensor(context, "input", [], { name: "labels", dtype: labels.dtype, shape: labels.shape }, loss.span),
  ];
  const given = operands.map((value) => ({ name: null, nameSpan: null, value, span: loss.span }));
  const result = applyFunction(loss.fn, [...given, ...loss.given], context, loss.span, loss.span);
  if (result === poison || result.kind === "poison") return;
  const perRow =
    result.kind === "tensor" && result.value.type.shape.length === 1 && dimsEqual(result.value.type.shape[0] as Dim, symbolDim("B"));
  if (!perRow)
    report(context, "type/mismatch", loss.span, {
      what: `the loss \`${functionName(loss.fn)}\``,
      expected: "one number for each customer, f32[B]",
      found: describe(result),
    });
}
