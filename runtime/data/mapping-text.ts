import { formatShape } from "../../compiler/ir/dim.ts";
import type { CheckedModel, ModelInput, ModelTask } from "../../compiler/model.ts";
import { describeModel, type InputDescription } from "../description.ts";
import { type InputForm, inputForms, openSteps } from "./input-forms.ts";

const introduction = `# Where the inputs and labels of the model come from: a table with a row for each example. Write the names of your own columns here.
#
# source: CSV, Parquet or JSON files, from this file's folder; \`{ query: SELECT ... }\` for anything that DuckDB can read
# splits: rows that are held out; the rest are training rows. \`{ every: 5 }\` or SQL
# inputs: \`column\` (a number, or a list of the shape in the comment, without B), \`columns\` (one for each value) or \`sql\`
#   scale       of numbers: standard (mean 0, variance 1 over the training rows), log (log(1 + x)), symlog, or several: [log, standard]
#   categories  of ids: ids (the column holds 0, 1, 2, ...), learn (an id for each text of the training rows, 0 for all others), hash, or a list
#   missing     what stands for a missing value. An optional input may be NULL, and its line may be removed.
#   mask, keep, pad, length   of lists: which input tells steps from padding; what of a longer one is kept; where a shorter one is filled up
# labels: for each task with a loss a column, or SQL: \`churn: days_away > 90\`; NULL where the label is not known.
`;

/** A data mapping for a model, as YAML that \`readMapping\` reads: columns called as the inputs and tasks are, which \`plec synth\` makes. */
export function mappingText(model: CheckedModel, source: string): string {
  const { inputs } = describeModel(model);
  const forms = inputForms(inputs);
  const lines = model.inputs.flatMap((input, i) => {
    const [description, form] = [inputs[i], forms.get(input.name)];
    if (description === undefined || form === undefined || form.kind === "mask") return [];
    return [[`${input.name}: ${settingsOf(description, form)}`, describeInput(input)] as const];
  });
  const tasks = model.tasks.filter((task) => task.enabled && task.loss !== null);
  const labels = tasks.map((task) => [`${task.name}: { column: ${labelColumn(task.name, inputs)} }`, describeLabel(task)] as const);
  const sections = [
    `source: ${yamlText(source)}`,
    "splits:\n  test: { every: 5 }",
    `inputs:\n${aligned(lines)}`,
    `labels:\n${aligned(labels)}`,
  ];
  return `${introduction}\n${sections.join("\n\n")}\n`;
}

/** The columns of a table for an input. */
export function columnsOfInput({ name }: InputDescription, form: InputForm): readonly string[] {
  return form.kind === "columns" ? form.names : [name];
}

/** The column for the label of a task: of its name, unless an input has a column of that name. */
export function labelColumn(task: string, inputs: readonly InputDescription[]): string {
  const forms = inputForms(inputs);
  const taken = inputs.flatMap((input) => columnsOfInput(input, forms.get(input.name) ?? { kind: "scalar" }));
  return taken.includes(task) ? `label_${task}` : task;
}

function settingsOf(input: InputDescription, form: InputForm): string {
  const { name, dtype, vocabulary, optional } = input;
  const settings = [form.kind === "columns" ? `columns: [${form.names.join(", ")}]` : `column: ${name}`];
  if (vocabulary !== null) settings.push("categories: ids");
  else if (dtype === "f32" && (form.kind === "columns" || form.kind === "scalar" || (form.kind === "vector" && !optional)))
    settings.push("scale: standard");
  if (form.kind === "steps") {
    if (form.isOpen) settings.push(`length: ${openSteps}`);
    if (form.mask !== null) settings.push(`mask: ${form.mask}`);
    else if (form.varies && !form.isOpen) settings.push("pad: end");
    settings.push("keep: last");
  }
  return `{ ${settings.join(", ")} }`;
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

function yamlText(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : JSON.stringify(text);
}

/** Lines of a mapping with their comments below one another, unless a line is long. */
function aligned(lines: readonly (readonly [text: string, comment: string])[]): string {
  const width = Math.min(72, Math.max(...lines.map(([text]) => text.length)));
  return lines.map(([text, comment]) => `  ${text.padEnd(width)}  # ${comment}`).join("\n");
}
