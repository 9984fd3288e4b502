import { formatShape } from "../ir/dim.ts";
import type { GraphOutput, GraphParam } from "../ir/graph.ts";
import { sizeOf } from "../ir/ndarray.ts";
import type { CheckedModel } from "../model.ts";
import { trainingPlan } from "../training/plan.ts";
import { added, type Change, changed, formatPlain, pair, removed } from "./change.ts";
import { compareComputation, type Numbering, type Results, Structure, sameComputation } from "./computation.ts";
import { compareInputs } from "./inputs.ts";
import { compareLosses, lossName } from "./losses.ts";
import { compareBanks, compareTasks } from "./tasks.ts";
import { compareWeights, renamedPaths, type WeightsVerdict } from "./weights.ts";

/** How the architecture of one model differs from that of another. Text, comments and names that nothing outside can see do not count. */
export interface Comparison {
  /** Empty for equal architectures. */
  readonly changes: readonly Change[];
  readonly parameters: ParameterCounts;
  readonly weights: WeightsVerdict;
}

export interface ParameterCounts {
  readonly before: number;
  readonly after: number;
  /** Modules (the first two parts of a path) whose count differs. */
  readonly modules: readonly { readonly name: string; readonly before: number; readonly after: number }[];
}

export function compareModels(a: CheckedModel, b: CheckedModel): Comparison {
  const weights = compareWeights(a, b);
  const renames = new Map(weights.tensors.flatMap(({ name, from }) => (from === null ? [] : [[from, name] as const])));
  const structure = new Structure();
  const newName = (name: string) => renames.get(name) ?? name;
  const numberings: readonly [Numbering, Numbering] = [structure.numbering(newName), structure.numbering((name) => name)];
  const losses = compareLosses(a, b, newName);
  // The computation of a loss that another one replaces is no news.
  const [resultsA, resultsB] = [a, b].map((model) => resultsOf(model, losses)) as [Results, Results];
  const same = sameComputation(resultsA, resultsB, numberings);
  const parameters = countParameters(a, b, renames);
  const changes = [
    ...compareInputs(a, b),
    ...compareBanks(a, b, !same),
    ...compareTasks(a, b),
    ...losses,
    ...compareTransfers(a, b, !same),
    ...compareOrder(a, b),
    ...compareOutputs(a, b),
    ...compareNames("penalties", a.penalties, b.penalties),
    ...(same ? [] : compareComputation(resultsA, resultsB, numberings)),
    ...parameters.modules.map(({ name, before, after }) => parameterChange(name, before, after)),
    ...renamedPaths(weights).flatMap(({ from, to, count }) =>
      changed("parameters", `name of ${count} ${count === 1 ? "tensor" : "tensors"}`, from, to),
    ),
    ...compareParams(a, b, renames, structure),
    ...compareTrain(a, b),
  ];
  return { changes, parameters, weights };
}

/** Predictions, outputs, penalties, and the losses of tasks that keep theirs. */
function resultsOf({ graph, penalties, losses }: CheckedModel, replaced: readonly Change[]): Results {
  const kept = losses.filter(({ task }) => !replaced.some(({ name }) => name === lossName(task)));
  return [
    ...graph.outputs,
    ...penalties.map(({ name, value }) => ({ name: `penalty ${name}`, value })),
    ...kept.map(({ task, rows }) => ({ name: `loss ${task}`, value: rows })),
  ];
}

function compareTransfers(a: CheckedModel, b: CheckedModel, modulesCount: boolean): readonly Change[] {
  return pair(a.transfers, b.transfers, ({ from, to }) => `${from} -> ${to}`).flatMap(({ name, before, after }) => {
    if (before === null) return [added("transfers", name, after?.module ?? null)];
    if (after === null) return [removed("transfers", name, before.module)];
    return modulesCount ? changed("transfers", name, before.module, after.module) : [];
  });
}

/** The order of the tasks that both have. */
function compareOrder(a: CheckedModel, b: CheckedModel): readonly Change[] {
  const common = (names: readonly string[], others: readonly string[]) => names.filter((name) => others.includes(name)).join(", ");
  return changed("order", "execution order", common(a.order, b.order), common(b.order, a.order));
}

/** Outputs beside the predictions, and shapes of predictions whose task looks the same. */
function compareOutputs(a: CheckedModel, b: CheckedModel): readonly Change[] {
  const [asked, tasks] = [
    [a, b].map(({ outputs }) => new Set(outputs.map(({ name }) => name))),
    new Set([...a.tasks, ...b.tasks].map(({ name }) => name)),
  ];
  const typeOf = ({ value }: GraphOutput) => `${value.type.dtype}${formatShape(value.type.shape)}`;
  const beside = ({ name }: GraphOutput) => !tasks.has(name) || asked.some((names) => names.has(name));
  return pair(a.graph.outputs.filter(beside), b.graph.outputs.filter(beside), ({ name }) => name).flatMap(({ name, before, after }) => {
    if (before === null && after !== null) return [added("outputs", name, typeOf(after))];
    if (before === null) return [];
    if (after === null) return [removed("outputs", name, typeOf(before), "callers that read it do not find it")];
    return changed("outputs", name, typeOf(before), typeOf(after), "its shape is another");
  });
}

function compareNames(
  area: "penalties",
  a: readonly { readonly name: string }[],
  b: readonly { readonly name: string }[],
): readonly Change[] {
  return pair(a, b, ({ name }) => name).flatMap(({ name, before, after }) => {
    if (before === null) return [added(area, name, null)];
    return after === null ? [removed(area, name, null)] : [];
  });
}

// ── parameters ──────────────────────────────────────────────────────────────

/** `renames` gives the new names of tensors that were only renamed. */
function countParameters(a: CheckedModel, b: CheckedModel, renames: ReadonlyMap<string, string>): ParameterCounts {
  const moduleOf = (name: string) => name.split("/").slice(0, 2).join("/");
  const count = ({ parameters }: CheckedModel, nameOf: (name: string) => string) => {
    const counts = new Map<string, number>();
    for (const { name, value } of parameters) {
      const module = moduleOf(nameOf(name));
      counts.set(module, (counts.get(module) ?? 0) + sizeOf(value.type.shape.map(Number)));
    }
    return counts;
  };
  const [old, now] = [count(a, (name) => renames.get(name) ?? name), count(b, (name) => name)];
  const total = (counts: ReadonlyMap<string, number>) => [...counts.values()].reduce((sum, part) => sum + part, 0);
  const modules = pair([...old], [...now], ([name]) => name).flatMap(({ name, before, after }) => {
    const counts = { name, before: before?.[1] ?? 0, after: after?.[1] ?? 0 };
    return counts.before === counts.after ? [] : [counts];
  });
  return { before: total(old), after: total(now), modules };
}

function parameterChange(name: string, before: number, after: number): Change {
  const kind = before === 0 ? "added" : after === 0 ? "removed" : "changed";
  return {
    area: "parameters",
    kind,
    name,
    before: before === 0 ? null : String(before),
    after: after === 0 ? null : String(after),
    breaking: null,
  };
}

/** How params are made and trained. */
function compareParams(a: CheckedModel, b: CheckedModel, renames: ReadonlyMap<string, string>, structure: Structure): readonly Change[] {
  const numbering = structure.numbering((name) => name);
  const initialOf = ({ initial }: GraphParam) => initial.outputs.map(({ value }) => numbering.of(value)).join(" ");
  return pair(a.parameters, b.parameters, ({ name }) => renames.get(name) ?? name).flatMap(({ name, before, after }) => {
    if (before === null || after === null) return [];
    const sameShape = formatShape(before.value.type.shape) === formatShape(after.value.type.shape);
    const initial = sameShape && initialOf(before) !== initialOf(after);
    return [
      ...(initial ? changed("parameters", `${name} initial value`, "one", "another") : []),
      ...changed("parameters", `${name} decay`, String(before.decay), String(after.decay)),
      ...changed("parameters", `${name} frozen`, String(before.frozen), String(after.frozen)),
      ...changed("parameters", `${name} tag`, before.tag ?? "none", after.tag ?? "none"),
    ];
  });
}

// ── training ────────────────────────────────────────────────────────────────

function compareTrain(a: CheckedModel, b: CheckedModel): readonly Change[] {
  if (a.train === null && b.train === null) return [];
  if (a.train === null) return [added("train", "train", formatPlain(b.train))];
  if (b.train === null) return [removed("train", "train", formatPlain(a.train))];
  return pair(flatten(a.train), flatten(b.train), ([name]) => name).flatMap(({ name, before, after }) => {
    if (before === null) return isDefault(b, name) ? [] : [added("train", name, after?.[1] ?? null)];
    if (after === null) return isDefault(a, name) ? [] : [removed("train", name, before[1])];
    return changed("train", name, before[1], after[1]);
  });
}

/** Whether training is planned in the same way without a setting. */
function isDefault({ train }: CheckedModel, path: string): boolean {
  const without: unknown = structuredClone(train);
  const names = path.split(".");
  const last = names.pop() as string;
  const holder = names.reduce((record, name) => (record as Record<string, unknown>)[name], without) as Record<string, unknown>;
  delete holder[last];
  const planOf = (settings: unknown) => JSON.stringify(trainingPlan({ train: settings as CheckedModel["train"] }));
  return planOf(without) === planOf(train);
}

/** `optimizer.lr` and the like; lists of records count their members. */
function flatten(value: unknown, path = ""): readonly (readonly [name: string, text: string])[] {
  const isRecord = typeof value === "object" && value !== null;
  if (!isRecord || (Array.isArray(value) && value.every((item) => typeof item !== "object"))) return [[path, formatPlain(value)]];
  return Object.entries(value).flatMap(([key, inner]) => flatten(inner, path === "" ? key : `${path}.${key}`));
}
