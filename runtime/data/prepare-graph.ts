import { GraphBuilder } from "../../compiler/ir/builder.ts";
import type { Graph, Value } from "../../compiler/ir/graph.ts";
import { prune } from "../../compiler/passes/prune.ts";
import { copyGraph } from "../../compiler/passes/rewrite.ts";
import { Formula } from "../../compiler/training/formula.ts";
import { resolveColumn } from "../column-path.ts";
import type { InputDescription, ModelDescription } from "../description.ts";
import { labelName } from "./contract.ts";
import type { ColumnMapping, ScaleName } from "./mapping.ts";
import type { Moments } from "./scale.ts";
import type { Preparation } from "./statistics.ts";

/** A preparation that cannot become nodes of a graph; the message is for the user. */
export class UnpreparableInput extends Error {
  override readonly name = "UnpreparableInput";
}

/** What happens to the values of one place of the last axis. */
interface PlaceScale {
  readonly compress: Exclude<ScaleName, "standard"> | null;
  readonly mean: number;
  readonly deviation: number;
  /** What stands for a value that is not finite: before it is compressed, or after all. */
  readonly substitute: { readonly when: "before" | "after"; readonly value: number } | null;
}

const asItIs: PlaceScale = { compress: null, mean: 0, deviation: 1, substitute: null };

/**
 * The graph for values as they stand in a table: what a mapping does to numbers comes before each input, and predictions of labels that were scaled are
 * given in the table's units. Ids are not made: a vocabulary is no tensor. A row of an optional input that holds its fill throughout is a missing one, as it is
 * without preparation.
 *
 * @throws UnpreparableInput
 */
export function prepareGraph(graph: Graph, description: ModelDescription, { mapping, statistics }: Preparation): Graph {
  const prepared = new Map<string, readonly PlaceScale[]>();
  const entries = new Map<string, ColumnMapping>();
  for (const entry of mapping.inputs) {
    const target = resolveColumn(description, entry.target);
    if (target === null || target.input.dtype !== "f32" || target.input.vocabulary !== null) continue;
    if (entry.scale.length === 0 && entry.missing === null) continue;
    const { input, start, length, whole } = target;
    if (!whole && input.shape.length > 2) throw new UnpreparableInput(`\`${entry.target}\` is a part of an input with several axes`);
    const width = input.shape.length < 2 || typeof input.shape.at(-1) !== "number" ? 1 : Number(input.shape.at(-1));
    const places = [...(prepared.get(input.name) ?? new Array<PlaceScale>(width).fill(asItIs))];
    const count = whole ? width : (length ?? 1);
    for (let i = 0; i < count; i++) places[(whole ? 0 : start) + i] = scaleOf(entry, statistics.moments[entry.target] ?? null, i);
    prepared.set(input.name, places);
    entries.set(input.name, entry);
  }
  const builder = GraphBuilder.continuing(graph.inputs.map(({ value }) => value.node));
  const raw = new Map(graph.inputs.map(({ name, value }) => [name, value]));
  const values = new Map(raw);
  for (const [name, value] of raw) {
    const [places, entry] = [prepared.get(name), entries.get(name)];
    const input = description.inputs.find((candidate) => candidate.name === name);
    if (places === undefined || entry === undefined || input === undefined) continue;
    const f = new Formula(builder, `preparation/${name}`);
    const scaled = withoutPadding(f, scaleValues(f, value, places), input, entry, places, raw);
    values.set(name, withFill(f, value, scaled, input));
  }
  const copyOf = copyGraph(graph, builder, [(node) => (node.op === "input" ? [values.get(node.attributes.name) as Value] : null)]);
  const outputs = graph.outputs.map((output) => {
    const label = mapping.labels.find(({ target }) => target === output.name);
    const moments = statistics.moments[labelName(output.name)] ?? null;
    return {
      ...output,
      value: unscaled(new Formula(builder, `preparation/${output.name}`), copyOf(output.value), label?.scale ?? [], moments),
    };
  });
  const params = graph.params.map((param) => ({ ...param, value: copyOf(param.value) }));
  return prune({ ...graph, params, outputs, nodes: builder.nodes });
}

function scaleOf({ scale, missing }: ColumnMapping, moments: Moments | null, place: number): PlaceScale {
  const at = moments?.mean.length === 1 ? 0 : place;
  const isStandard = scale.includes("standard");
  const mean = moments?.mean[at] ?? 0;
  const compress = scale.find((step) => step !== "standard") ?? null;
  const substitute =
    typeof missing === "number"
      ? ({ when: "before", value: missing } as const)
      : missing === "mean"
        ? ({ when: "after", value: isStandard ? 0 : mean } as const)
        : null;
  if (!isStandard) return { ...asItIs, compress, substitute };
  return { compress, mean, deviation: moments?.deviation[at] ?? 1, substitute };
}

/** As the reader of data scales them, in float32. */
function scaleValues(f: Formula, raw: Value, places: readonly PlaceScale[]): Value {
  const vector = (of: (place: PlaceScale) => number): Value | number => perPlace(f, places.map(of));
  const flags = (of: (place: PlaceScale) => boolean): Value | null => {
    if (!places.some(of)) return null;
    return f.gt(
      vector((place) => Number(of(place))),
      0,
    );
  };
  const choose = (condition: Value | null, then: () => Value, otherwise: Value): Value =>
    condition === null ? otherwise : f.where(condition, then(), otherwise);
  const isThere = f.isFinite(raw);
  const substituted = (when: "before" | "after", value: Value): Value => {
    const chosen = flags(({ substitute }) => substitute?.when === when);
    const filled = () =>
      f.where(
        isThere,
        value,
        vector(({ substitute }) => substitute?.value ?? 0),
      );
    return choose(chosen, filled, value);
  };
  const given = substituted("before", raw);
  const logs = choose(
    flags(({ compress }) => compress === "log"),
    () => f.log(f.add(given, 1)),
    given,
  );
  const compressed = choose(
    flags(({ compress }) => compress === "symlog"),
    () => f.mul(f.sign(given), f.log(f.add(f.abs(given), 1))),
    logs,
  );
  const isScaled = places.some(({ mean, deviation }) => mean !== 0 || deviation !== 1);
  const scaled = isScaled
    ? f.div(
        f.sub(
          compressed,
          vector(({ mean }) => mean),
        ),
        vector(({ deviation }) => deviation),
      )
    : compressed;
  return substituted("after", scaled);
}

/** Padding is 0 whatever the scale: a mask tells it from steps. */
function withoutPadding(
  f: Formula,
  scaled: Value,
  { name, shape }: InputDescription,
  { mask, pad }: ColumnMapping,
  places: readonly PlaceScale[],
  inputs: ReadonlyMap<string, Value>,
): Value {
  if (places.every(({ mean }) => mean === 0)) return scaled;
  if (mask === null) {
    if (pad === null && shape.every((dim, axis) => axis === 0 || typeof dim === "number")) return scaled;
    throw new UnpreparableInput(`\`${name}\` is standardised and padded, and no mask tells padding from steps`);
  }
  const value = inputs.get(mask);
  if (value === undefined) throw new UnpreparableInput(`\`${name}\` is standardised, and its mask \`${mask}\` is left out`);
  const inner = scaled.type.shape.slice(2).map(() => 1);
  const isStep = f.gt(f.cast(f.reshape(value, [...value.type.shape, ...inner]), "f32"), 0);
  return f.where(isStep, scaled, 0);
}

/** Rows of an optional input that are there, and its fill for others. */
function withFill(f: Formula, raw: Value, scaled: Value, { optional, fill, shape }: InputDescription): Value {
  if (!optional) return scaled;
  const axes = shape.slice(1).map((_, axis) => axis + 1);
  const differs = f.f32(f.op("ne", [raw, fill], {}));
  const some = axes.length === 0 ? differs : f.op("reduce_max", [differs], { axes, keep: true });
  return f.where(f.gt(some, 0), scaled, fill);
}

/** A prediction in the units of its label: what `unscale` does. */
function unscaled(f: Formula, prediction: Value, scale: readonly ScaleName[], moments: Moments | null): Value {
  let value = prediction;
  for (const step of scale.toReversed()) {
    if (step === "standard") value = f.add(f.mul(value, perPlace(f, moments?.deviation ?? [1])), perPlace(f, moments?.mean ?? [0]));
    else if (step === "log") value = f.sub(f.exp(value), 1);
    else value = f.mul(f.sign(value), f.sub(f.exp(f.abs(value)), 1));
  }
  return value;
}

/** A number where all places have the same. */
function perPlace(f: Formula, values: readonly number[]): Value | number {
  const [first = 0] = values;
  return values.every((value) => value === first) ? first : f.vector(values);
}
