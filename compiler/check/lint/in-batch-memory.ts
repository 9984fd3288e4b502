import type { Span } from "../../../dsl/source.ts";
import { type Dim, formatShape } from "../../ir/dim.ts";
import type { Value } from "../../ir/graph.ts";
import { liveNodes } from "../../passes/prune.ts";
import { settingOf } from "../declarations.ts";
import { defineRule, type LintedModel } from "./engine/rule.ts";

export const inBatchMemory = defineRule({
  code: "lint/in-batch-memory",
  severity: "warning",
  message: "{what} holds {count} of the size of the batch squared, {total} at the stated batch of {batch}",
  why: "A loss that contrasts each row with every other one of the batch builds tensors of B × B numbers, and training keeps most of them for the backward pass. They grow with the square of the batch, and soon pass everything else in the model.",
  help: "State a smaller `batch` (and `accumulate`), contrast within blocks of rows, or sample the negatives.",
  options: { megabytes: { default: 1024, least: 0, what: "tensors of B × B may add up to this much for one loss or penalty" } },
  check({ models }, report, { megabytes }) {
    for (const model of models) {
      const batch = model.checked.train?.batch;
      if (typeof batch !== "number") continue;
      for (const { what, span, value } of trainedTerms(model)) {
        const large = squareTensors(model, value);
        const bytes = large.reduce((sum, tensor) => sum + bytesOf(tensor, batch), 0);
        const [first] = [...large].sort((a, b) => bytesOf(b, batch) - bytesOf(a, batch));
        if (first === undefined || bytes <= megabytes * 2 ** 20) continue;
        const count = large.length === 1 ? "a tensor" : `${large.length} tensors`;
        const shape = `${first.type.dtype}${formatShape(first.type.shape)}`;
        const values = { what, count, total: formatBytes(bytes), batch };
        const made = { message: `the largest is ${shape}, ${formatBytes(bytesOf(first, batch))}`, span: first.node.span };
        const stated = model.declarations.train?.settings.fields.find((field) => field.name.text === "batch")?.span ?? null;
        report(span, values, { notes: [made, { message: "the batch", span: stated }] });
      }
    }
  },
});

/** What training minimises, with its place in the text. */
function trainedTerms({ checked, declarations, analysis }: LintedModel): readonly { what: string; span: Span; value: Value }[] {
  const losses = checked.losses.flatMap(({ task, rows }) => {
    const span = settingOf(declarations.tasks.get(task)?.settings ?? null, "loss")?.span;
    return span === undefined ? [] : [{ what: `the loss of task \`${task}\``, span, value: rows }];
  });
  const penalties = checked.penalties.map(({ name, value }) => ({
    what: `the penalty \`${name}\``,
    span: analysis.placeOf(value.node),
    value,
  }));
  return [...losses, ...penalties];
}

/** Tensors behind a value that hold the batch twice; views of them are not counted again. */
function squareTensors({ whole }: LintedModel, value: Value): readonly Value[] {
  const live = liveNodes(whole.nodes, [value]);
  return whole.nodes.flatMap((node) => {
    const [output] = node.outputs;
    const counted = live[node.id] === 1 && node.op !== "reshape" && output !== undefined;
    return counted && output.type.shape.reduce<number>((sum, dim) => sum + degree(dim), 0) >= 2 ? [output] : [];
  });
}

/** The power of the batch in a dim. */
function degree(dim: Dim): number {
  if (typeof dim === "number") return 0;
  return Math.max(...dim.terms.map(({ symbols }) => symbols.filter((symbol) => symbol === "B").length));
}

/** Bytes at a batch; dynamic dims count as 1, so that it is never too much. */
function bytesOf({ type }: Value, batch: number): number {
  const sizes = type.shape.map((dim) =>
    typeof dim === "number"
      ? dim
      : dim.terms.reduce((sum, term) => sum + term.coefficient * batch ** term.symbols.filter((symbol) => symbol === "B").length, 0),
  );
  return sizes.reduce((product, size) => product * size, type.dtype === "bool" ? 1 : 4);
}

function formatBytes(bytes: number): string {
  const [unit, size] = bytes >= 1e9 ? ["GB", 1e9] : ["MB", 1e6];
  return `${Number((bytes / size).toPrecision(3))} ${unit}`;
}
