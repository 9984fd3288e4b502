/** Customers that are made up for the page, and how the form changes one. Nothing here needs a browser. */

export interface InputInfo {
  readonly name: string;
  readonly dtype: "f32" | "i32" | "bool";
  readonly shape: readonly (number | string)[];
  readonly optional: boolean;
  readonly fill: number;
  readonly vocabulary: number | null;
}

/** A named part of the last axis of an input; its own parts lie within, counted from the start of the axis. */
export interface Slice {
  readonly name: string;
  readonly start: number;
  readonly width: number;
  readonly slices: readonly Slice[];
}

export interface ModelInputs {
  readonly inputs: readonly InputInfo[];
  readonly slices: Readonly<Record<string, readonly Slice[]>>;
}

/** Moves a slice of `features` by so many standard deviations, or, where the columns are raw amounts, to `10 ** value` times as much. */
export interface Slider {
  readonly slice: string;
  readonly label: string;
  readonly effect: "shift" | "scale";
}

export const sliders: readonly Slider[] = [
  { slice: "base.rfm", label: "Recency, frequency, spend", effect: "shift" },
  { slice: "multi_source.deposit", label: "Deposits", effect: "shift" },
  { slice: "multi_source.investment", label: "Investments", effect: "shift" },
  { slice: "multi_source.digital", label: "Digital use", effect: "shift" },
  { slice: "extended_source.insurance", label: "Insurance", effect: "shift" },
  { slice: "raw_power_law", label: "Raw amounts", effect: "scale" },
];

export const sliderRange = 2;

/** Optional inputs that come and go together. */
export interface Source {
  readonly label: string;
  readonly inputs: readonly string[];
}

export const sources: readonly Source[] = [
  { label: "180 days of transactions", inputs: ["txn_seq"] },
  { label: "90 sessions", inputs: ["session_seq"] },
  { label: "Spending shapes (persistence diagrams)", inputs: ["tda_short", "tda_short_mask", "tda_long", "tda_long_mask"] },
  { label: "Shape statistics", inputs: ["tda", "tda_global_stats", "tda_phase_transition"] },
  { label: "Product hierarchy", inputs: ["hierarchy"] },
  { label: "Neighbours (LightGCN)", inputs: ["collaborative"] },
  { label: "Hidden Markov states", inputs: ["hmm_journey", "hmm_lifecycle", "hmm_behavior"] },
  { label: "Soft cluster", inputs: ["cluster_probs"] },
];

export interface Form {
  readonly seed: number;
  /** null keeps the customer's own. */
  readonly cluster: number | null;
  /** By slice; what is not there is 0. */
  readonly moved: Readonly<Record<string, number>>;
  /** Labels of sources that are left out. */
  readonly dropped: readonly string[];
}

export interface Feed {
  readonly dtype: InputInfo["dtype"];
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** Every input of the model for one customer, absent ones as their fill. The same form gives the same numbers everywhere. */
export function customerInputs({ inputs, slices }: ModelInputs, form: Form): ReadonlyMap<string, Feed> {
  const dropped = new Set(sources.filter(({ label }) => form.dropped.includes(label)).flatMap((source) => source.inputs));
  return new Map(
    inputs.map((input): [string, Feed] => {
      const shape = input.shape.map((dim) => (typeof dim === "number" ? dim : 1));
      const size = shape.reduce((product, dim) => product * dim, 1);
      const values =
        input.optional && dropped.has(input.name)
          ? new Array<number>(size).fill(input.fill)
          : drawInput(input.name, input, size, randomNumbers(`${form.seed} ${input.name}`), slices[input.name] ?? []);
      if (input.name === "features") moveSlices(values, slices.features ?? [], form.moved);
      if (input.vocabulary !== null && form.cluster !== null) values[0] = form.cluster;
      return [input.name, { dtype: input.dtype, shape, data: input.dtype === "f32" ? Float32Array.from(values) : Int32Array.from(values) }];
    }),
  );
}

/** The slice that a path such as `base.rfm` names. */
export function findSlice(slices: readonly Slice[], path: string): Slice {
  const [name, ...rest] = path.split(".");
  const slice = slices.find((candidate) => candidate.name === name);
  if (slice === undefined) throw new Error(`the model's features have no slice ${path}`);
  return rest.length === 0 ? slice : findSlice(slice.slices, rest.join("."));
}

function moveSlices(values: number[], slices: readonly Slice[], moved: Form["moved"]): void {
  for (const { slice, effect } of sliders) {
    const by = moved[slice] ?? 0;
    const { start, width } = findSlice(slices, slice);
    for (let i = start; i < start + width; i++) values[i] = effect === "shift" ? (values[i] ?? 0) + by : (values[i] ?? 0) * 10 ** by;
  }
}

type Random = () => number;

function drawInput(name: string, input: InputInfo, size: number, random: Random, slices: readonly Slice[]): number[] {
  const draw = (count: number, one: (i: number) => number) => Array.from({ length: count }, (_, i) => one(i));
  if (input.vocabulary !== null) return [Math.floor(random() * input.vocabulary)];
  if (name === "features") {
    const raw = findSlice(slices, "raw_power_law");
    return draw(size, (i) => (i < raw.start ? normal(random) : Math.exp(3 + 2 * normal(random))));
  }
  // Half of the steps are there.
  if (name.endsWith("_mask")) return draw(size, (i) => Number(i < size / 2));
  if (name === "tda_short" || name === "tda_long") return Array.from({ length: size / 3 }, () => diagramPoint(random)).flat();
  if (name.startsWith("hmm_")) return [...probabilities(10, random), ...draw(size - 10, () => 0.3 * normal(random))];
  if (name === "cluster_probs") return [...probabilities(size, random)];
  // Within the unit ball.
  if (name === "hierarchy") return draw(size, () => 0.2 * (2 * random() - 1));
  return draw(size, () => 0.5 * normal(random));
}

/** Birth, death after it, and the degree of homology. */
function diagramPoint(random: Random): readonly number[] {
  const birth = random();
  return [birth, birth + random() * (1 - birth), Math.floor(random() * 3)];
}

function probabilities(count: number, random: Random): readonly number[] {
  const weights = Array.from({ length: count }, () => random() ** 4);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/** Box and Muller's. */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Mulberry32, its state from the characters of the key (FNV-1a). */
function randomNumbers(key: string): Random {
  let state = 0x811c9dc5;
  for (const character of key) state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
