import { areas, type Change } from "../compiler/compare/change.ts";
import { type Comparison, compareModels } from "../compiler/compare/compare.ts";
import { renamedPaths, type TensorVerdict, type WeightsVerdict } from "../compiler/compare/weights.ts";
import type { CheckedModel } from "../compiler/model.ts";
import { paintsOf } from "../dsl/paint.ts";
import { CommandError, exitCodes, type Io, wantsColour } from "./io.ts";
import { loadModel } from "./load-model.ts";
import { withRevision } from "./revision.ts";
import { formatCount, plural } from "./table.ts";

interface DiffOptions {
  readonly breaking?: boolean;
  readonly model?: string;
  readonly json?: boolean;
}

export async function diff(before: string, after: string, options: DiffOptions, io: Io): Promise<number> {
  const [a, b] = [before, after].map((path) => withRevision(path, (file) => loadEither(file, options.model, io))) as [
    CheckedModel,
    CheckedModel,
  ];
  const comparison = compareModels(a, b);
  const broken = comparison.changes.filter((change) => change.breaking !== null);
  if (options.json === true) io.stdout.write(`${JSON.stringify(toJson(a, b, comparison), null, 2)}\n`);
  else {
    const units = new Set([...a.tasks, ...a.groups, ...b.tasks, ...b.groups].map(({ name }) => name));
    io.stdout.write(describe(`${before} → ${after}`, comparison, units, broken.length, wantsColour(io.stdout, io.env)));
  }
  return (options.breaking === true ? broken : comparison.changes).length > 0 ? exitCodes.findings : exitCodes.clean;
}

/** As with other tools that compare, 1 says that there are differences: a spec with errors is 2. */
function loadEither(file: string, model: string | undefined, io: Io): CheckedModel {
  try {
    return loadModel(file, model, io);
  } catch (error) {
    if (error instanceof CommandError && error.exitCode === exitCodes.findings) throw new CommandError(error.message);
    throw error;
  }
}

const marks = { added: "+", removed: "-", changed: "~" } as const;

function describe(
  title: string,
  { changes, parameters, weights }: Comparison,
  units: ReadonlySet<string>,
  broken: number,
  colour: boolean,
): string {
  const paints = paintsOf(colour);
  if (changes.length === 0) return `${title}: no change; weights load\n`;
  const paint = { added: paints.green, removed: paints.red, changed: paints.yellow };
  const lines = [paints.bold(title)];
  for (const area of areas) {
    const own = families(
      changes.filter((change) => change.area === area),
      units,
    );
    if (own.length === 0) continue;
    const counts = area === "parameters" ? `  ${formatCount(parameters.before)} → ${formatCount(parameters.after)}` : "";
    lines.push("", `${paints.bold(area)}${counts}`);
    for (const change of own) lines.push(`  ${paint[change.kind](`${marks[change.kind]} ${describeChange(change)}`)}${breaks(change)}`);
  }
  lines.push("", paints.bold("weights"), ...describeWeights(weights).map((line) => `  ${line}`), "");
  lines.push(
    `${plural(changes.length, "change")}, ${broken === 0 ? "none of which breaks callers" : `${broken} of which ${broken === 1 ? "breaks" : "break"} callers`}`,
  );
  return `${lines.join("\n")}\n`;

  function breaks({ breaking }: Change): string {
    return breaking === null ? "" : `  ${paints.red(`breaks callers: ${breaking}`)}`;
  }
}

/** The same change at the places of several tasks or groups is told once. */
function families(changes: readonly Change[], units: ReadonlySet<string>): readonly Change[] {
  const found = new Map<string, { readonly first: Change; readonly pattern: string; count: number }>();
  for (const change of changes) {
    const parts = change.name.split("/");
    const pattern = parts.length === 1 ? change.name : parts.map((part) => (units.has(part) ? "*" : part)).join("/");
    const key = JSON.stringify([pattern, change.kind, change.before, change.after]);
    const family = found.get(key) ?? { first: change, pattern, count: 0 };
    family.count += 1;
    found.set(key, family);
  }
  return [...found.values()].map(({ first, pattern, count }) => (count === 1 ? first : { ...first, name: `${pattern} (${count} times)` }));
}

function describeChange({ name, before, after }: Change): string {
  const value = before === null ? after : after === null ? before : `${before} → ${after}`;
  return value === null || value === "" ? name : `${name}  ${value}`;
}

const mostTensors = 12;

function describeWeights(weights: WeightsVerdict): readonly string[] {
  const { loads, tensors } = weights;
  if (loads) return ["load: every tensor has its name and its shape"];
  const loading = tensors.filter(({ status }) => status === "loads").length;
  const needed = tensors.filter(({ after }) => after !== null).length;
  const rest = tensors.filter(({ status }) => status !== "loads" && status !== "renamed");
  const renamed = renamedPaths(weights).map(
    ({ from, to, count }) => `~ ${to}  probably ${from} in the old weights: ${plural(count, "tensor")}`,
  );
  const more = rest.length > mostTensors ? [`… and ${rest.length - mostTensors} more; --json lists all`] : [];
  return [
    `do not load as they are: ${loading} of ${plural(needed, "tensor")} fit`,
    ...renamed.slice(0, mostTensors),
    ...rest.slice(0, mostTensors).map(describeTensor),
    ...more,
  ];
}

function describeTensor({ name, status, before, after }: TensorVerdict): string {
  switch (status) {
    case "loads":
    case "renamed":
      return name;
    case "shape":
      return `~ ${name}  ${before} → ${after}: its shape is another`;
    case "missing":
      return `+ ${name}  ${after}: new, not in the old weights`;
    case "unused":
      return `- ${name}  ${before}: only in the old weights`;
  }
}

function toJson(a: CheckedModel, b: CheckedModel, { changes, parameters, weights }: Comparison): object {
  const side = ({ name, hash }: CheckedModel) => ({ name, hash });
  return {
    version: 1,
    before: side(a),
    after: side(b),
    equal: changes.length === 0,
    breaking: changes.some((change) => change.breaking !== null),
    changes,
    parameters,
    weights,
  };
}
