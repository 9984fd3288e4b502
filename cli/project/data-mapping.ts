import { formatShape } from "../../compiler/ir/dim.ts";
import type { CheckedModel, ModelInput, ModelTask } from "../../compiler/model.ts";

const introduction = `# Where the inputs and labels of model.ple come from: a table with a row for each example. Write the names of your own columns here.
#
# inputs: what each input of the model is read from.
#   column      a column with the values of a row: a number, or a list (of lists) of the shape in the comment, without B
#   columns     instead of it, one column for each value of a row
#   transform   of numbers: none | standardize (mean 0, variance 1 over the training rows) | log (log(1 + x)) | symlog (sign(x) log(1 + |x|))
#   ids         of categories: given (the column holds 0, 1, 2, ...) | vocabulary (an id for each value of the training rows; the last id is for all
#               others) | hash
#   An optional input may be removed here, and may be NULL in a row.
#
# labels: an SQL expression for each task with a loss; NULL where the label is not known.
`;

/** The data mapping of a model, as YAML: every input from a column of its name, every label from a column of the task's name. */
export function dataMapping(model: CheckedModel): string {
  const tasks = model.tasks.filter((task) => task.enabled && task.loss !== null);
  const inputs = model.inputs.map((input) => [`${input.name}: ${sourceOf(input)}`, describeInput(input)] as const);
  const labels = tasks.map((task) => [`${task.name}: ${task.name}`, describeLabel(task)] as const);
  return `${introduction}\n# CSV, Parquet or JSON.\ntable: data/train.parquet\n\ninputs:\n${aligned(inputs)}\n\nlabels:\n${aligned(labels)}\n`;
}

function sourceOf(input: ModelInput): string {
  const { name, shape, slices, dtype, vocabulary } = input;
  const single = shape.length === 2 && slices.length > 0 && slices.every((slice) => slice.width === 1);
  const from = single ? `columns: [${slices.map((slice) => slice.name).join(", ")}]` : `column: ${name}`;
  if (vocabulary !== null) return `{ ${from}, ids: given }`;
  return dtype === "f32" ? `{ ${from}, transform: none }` : `{ ${from} }`;
}

function describeInput({ dtype, shape, vocabulary, optional }: ModelInput): string {
  const type = vocabulary === null ? `${dtype}${formatShape(shape)}` : `id${formatShape(shape)} of ${vocabulary}`;
  return optional ? `${type}, optional` : type;
}

function describeLabel({ kind, width }: ModelTask): string {
  if (kind === "binary") return "binary: 0 or 1";
  if (kind === "classes") return `classes: 0 to ${width - 1}`;
  return width === 1 ? `${kind}: a number` : `${kind}: a list of ${width} numbers`;
}

/** Lines of a mapping with their comments below one another, unless a line is long. */
function aligned(lines: readonly (readonly [text: string, comment: string])[]): string {
  const width = Math.min(60, Math.max(...lines.map(([text]) => text.length)));
  return lines.map(([text, comment]) => `  ${text.padEnd(width)}  # ${comment}`).join("\n");
}
