import { modelInfo } from "../api/model-info.ts";
import { formatShape } from "../compiler/ir/dim.ts";
import type { CheckedModel, ModelInput, ModelSlice } from "../compiler/model.ts";
import { exitCodes, type Io } from "./io.ts";
import { loadModel } from "./load-model.ts";
import { formatCount, formatTable, plural } from "./table.ts";

interface SummaryOptions {
  readonly depth: number;
  readonly model?: string;
  readonly json?: boolean;
}

/** Parameters below one path of the model. */
export interface ParamTree {
  readonly name: string;
  readonly parameters: number;
  readonly tensors: number;
  readonly children: readonly ParamTree[];
}

export async function summary(spec: string, options: SummaryOptions, io: Io): Promise<number> {
  const model = loadModel(spec, options.model, io);
  const tree = countParams(model);
  io.stdout.write(
    options.json === true ? `${JSON.stringify(summaryToJson(model, tree), null, 2)}\n` : describe(model, tree, options.depth),
  );
  return exitCodes.clean;
}

/** Groups the parameters of a model by the parts of their names. */
export function countParams(model: CheckedModel): ParamTree {
  interface Open {
    readonly name: string;
    parameters: number;
    tensors: number;
    readonly children: Map<string, Open>;
  }
  const open = (name: string): Open => ({ name, parameters: 0, tensors: 0, children: new Map() });
  const root = open(model.name);
  for (const param of model.parameters) {
    const size = param.value.type.shape.reduce<number>((product, dim) => product * Number(dim), 1);
    let node = root;
    for (const step of ["", ...param.name.split("/")]) {
      if (step !== "") {
        const next = node.children.get(step) ?? open(step);
        node.children.set(step, next);
        node = next;
      }
      node.parameters += size;
      node.tensors += 1;
    }
  }
  const close = ({ children, ...node }: Open): ParamTree => ({ ...node, children: [...children.values()].map(close) });
  return close(root);
}

function describe(model: CheckedModel, tree: ParamTree, depth: number): string {
  const enabled = model.tasks.filter((task) => task.enabled);
  const sections: string[][] = [
    [
      model.name,
      ...(model.doc === null ? [] : model.doc.split("\n")),
      `${plural(enabled.length, "task")}, ${plural(tree.parameters, "parameter")} in ${plural(tree.tensors, "tensor")}, ${plural(model.graph.nodes.length, "node")}`,
      `spec sha256 ${model.hash}`,
    ],
    ["Inputs", ...indent(model.inputs.flatMap(describeInput))],
  ];
  if (model.banks.length > 0) sections.push(["Banks", ...indent(model.banks.flatMap(describeBank))]);
  sections.push(["Parameters", ...indent(formatTable(treeRows(tree, depth), new Set([1, 2])))]);
  if (model.groups.length > 0) {
    const rows = model.groups.map(({ name, route, settings }) => [
      name,
      route === null ? "" : `route ${route}`,
      describeSettings(settings),
    ]);
    sections.push(["Groups", ...indent(formatTable(rows))]);
  }
  sections.push(["Tasks", ...indent(formatTable([taskHeader, ...model.tasks.map(taskRow)]))]);
  if (model.transfers.length > 0) {
    sections.push(["Transfers", ...indent(formatTable(model.transfers.map(({ from, to, module }) => [`${from} -> ${to}`, module])))]);
  }
  sections.push(["Execution order", ...indent(wrap(model.order, 100))]);
  if (model.outputs.length > 0)
    sections.push(["Outputs beside the predictions", ...indent(families(model.outputs.map((output) => output.name)))]);
  if (model.penalties.length > 0) sections.push(["Penalties", ...indent(families(model.penalties.map((penalty) => penalty.name)))]);
  return `${sections.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function wrap(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Names that differ in one part are shown as one: `gates/* (16)`. */
function families(names: readonly string[]): string[] {
  const parts = names.map((name) => name.split("/"));
  const patterns = parts.map((steps) => {
    // The step whose replacement by * stands for the most names.
    let best = { pattern: steps.join("/"), size: 2 };
    for (const at of steps.length > 1 ? steps.keys() : []) {
      const size = parts.filter((other) => other.length === steps.length && other.every((step, i) => i === at || step === steps[i])).length;
      if (size > best.size) best = { pattern: `${steps.map((step, i) => (i === at ? "*" : step)).join("/")} (${size})`, size };
    }
    return best.pattern;
  });
  return [...new Set(patterns)];
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function describeInput(input: ModelInput): string[] {
  const { name, dtype, shape, optional, vocabulary, slices, doc } = input;
  const kind = vocabulary === null ? `${dtype}${formatShape(shape)}` : `id${formatShape(shape)} of ${vocabulary}`;
  return [`${name}: ${kind}${optional ? "?" : ""}${doc === null ? "" : `  ${doc}`}`, ...indent(slices.flatMap(describeSlice))];
}

function describeSlice({ name, start, width, slices }: ModelSlice): string[] {
  const columns = slices.filter((slice) => slice.column).map((slice) => slice.name);
  const named = columns.length === 0 ? "" : `  ${columns.slice(0, 6).join(", ")}${columns.length > 6 ? ", …" : ""}`;
  return [
    `${name} ${width}  [${start}, ${start + width})${named}`,
    ...indent(slices.filter((slice) => !slice.column).flatMap(describeSlice)),
  ];
}

function describeBank({ name, role, per, entries }: CheckedModel["banks"][number]): string[] {
  const rows = entries.map((entry) => [entry.name, entry.module ?? "", formatShape(entry.shape)]);
  return [`${role} ${name}${per === null ? "" : ` per ${per}`}`, ...indent(formatTable(rows))];
}

function treeRows(tree: ParamTree, depth: number, level = 0): string[][] {
  const share = (node: ParamTree) => (tree.parameters === 0 ? "" : `${((100 * node.parameters) / tree.parameters).toFixed(1)}%`);
  if (level === 0) {
    const rows = tree.children.flatMap((child) => [
      [child.name, formatCount(child.parameters), share(child)],
      ...treeRows(child, depth, 1),
    ]);
    return [...(depth > 0 ? rows : []), ["total", formatCount(tree.parameters), ""]];
  }
  if (level >= depth) return [];
  return tree.children.flatMap((child) => [
    [`${"  ".repeat(level)}${child.name}`, formatCount(child.parameters), ""],
    ...treeRows(child, depth, level + 1),
  ]);
}

const taskHeader = ["task", "kind", "group", "loss", "weight", "notes"];

function taskRow(task: CheckedModel["tasks"][number]): string[] {
  const { name, kind, width, group, loss, weight, enabled, prefer, route } = task;
  const notes = [
    ...(enabled ? [] : ["disabled"]),
    ...(route === null ? [] : [`route ${route}`]),
    ...(prefer.length === 0 ? [] : [`prefers ${prefer.join(", ")}`]),
  ];
  const settings = loss === null ? "" : describeSettings(loss.settings);
  const lossText = loss === null ? "" : settings === "" ? loss.name : `${loss.name}(${settings})`;
  return [name, width === 1 ? kind : `${kind}(${width})`, group ?? "", lossText, String(weight), notes.join("; ")];
}

function describeSettings(settings: Readonly<Record<string, unknown>>): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}

function summaryToJson(model: CheckedModel, tree: ParamTree): object {
  return {
    version: 1,
    ...modelInfo(model),
    tensors: tree.tensors,
    nodes: model.graph.nodes.length,
    modules: tree.children,
    penalties: model.penalties.map((penalty) => penalty.name),
    train: model.train,
  };
}
