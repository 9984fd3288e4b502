import { sizeOf } from "../../compiler/ir/ndarray.ts";
import type { InputForm } from "../data/input-forms.ts";
import type { InputDescription } from "../description.ts";
import type { Factors } from "./draw-labels.ts";
import type { SynthPlan } from "./plan.ts";
import { namedStream, normalShare, normals } from "./random.ts";

/** The values of one input for some rows, in order: `width` for each. */
export interface DrawnRows {
  readonly values: Float32Array;
  /** The steps that each row has; null where all have all. */
  readonly lengths: Int32Array | null;
  /** 1 where a row has the input. */
  readonly present: Uint8Array;
}

/** Draws the rows of an input, from the first to the last, some at a time. */
export interface InputDrawer {
  readonly input: InputDescription;
  readonly form: InputForm;
  /** Values of a row, the most that it can have. */
  readonly width: number;
  draw(first: number, count: number): DrawnRows;
}

/** How much of a value's variance is the factor's, as the square root: of single values, and of steps, of which there are many. */
const loadings = { single: 0.7, step: 0.5 } as const;

/** An id comes up in so many rows or more, so that something can be learned of it. */
const rowsOfId = 100;

/** Degrees of homology of a diagram's points. */
const degrees = 2;

/** Customers of a plan, input by input; masks come from the inputs that they are of. */
export function openDrawers(
  plan: SynthPlan,
  inputs: readonly InputDescription[],
  forms: ReadonlyMap<string, InputForm>,
  factors: Factors,
): readonly InputDrawer[] {
  return inputs.flatMap((input): InputDrawer[] => {
    const form = forms.get(input.name) ?? { kind: "none", reason: "" };
    if (form.kind === "mask" || form.kind === "none") return [];
    const width = form.kind === "steps" ? form.maximum * sizeOf(form.inner) : form.kind === "columns" ? form.names.length : widthOf(form);
    return [{ input, form, width, draw: drawerOf(plan, input, form, width, factors) }];
  });
}

function widthOf(form: Extract<InputForm, { kind: "scalar" | "vector" | "shares" }>): number {
  return form.kind === "scalar" ? 1 : form.width;
}

function drawerOf(plan: SynthPlan, input: InputDescription, form: InputForm, width: number, factors: Factors): InputDrawer["draw"] {
  const uniform = namedStream(plan.seed, `input ${input.name}`);
  const normal = normals(uniform);
  const absent = namedStream(plan.seed, `missing ${input.name}`);
  const at = factorsShown(plan, input, width, form, factors);
  const fill = fillOf(plan, input, form, width, uniform, normal);
  const factor = (row: number, place: number): number => factors.values[row * factors.width + (at[place] as number)] ?? 0;
  const inner = form.kind === "steps" ? sizeOf(form.inner) : 0;
  return (first, count) => {
    const values = new Float32Array(count * width);
    const present = Uint8Array.from({ length: count }, () => (input.optional && absent() < plan.missing ? 0 : 1));
    const varies = form.kind === "steps" && form.varies ? form.maximum : 0;
    const lengths = varies > 0 ? Int32Array.from({ length: count }, () => Math.ceil(varies * (0.25 + 0.75 * uniform()))) : null;
    for (let i = 0; i < count; i++) {
      const taken = lengths === null ? width : (lengths[i] as number) * inner;
      fill(values.subarray(i * width, i * width + taken), (place) => ((at[place] as number) < 0 ? 0 : factor(first + i, place)), at);
    }
    return { values, lengths, present };
  };
}

type Fill = (row: Float32Array, factor: (place: number) => number, at: Int32Array) => void;

/** Fills one row of an input, given what factor each place shows. */
function fillOf(
  plan: SynthPlan,
  input: InputDescription,
  form: InputForm,
  width: number,
  uniform: () => number,
  normal: () => number,
): Fill {
  const { vocabulary, dtype, optional } = input;
  const mix = (share: number, factor: number): number => share * factor + Math.sqrt(1 - share * share) * normal();
  if (form.kind === "shares") return (row) => fillShares(row, uniform);
  if (dtype !== "f32" || vocabulary !== null) {
    const count = Math.min(dtype === "bool" ? 2 : (vocabulary ?? 100), Math.max(20, Math.floor(plan.rows / rowsOfId)));
    const share = form.kind === "steps" ? loadings.step : loadings.single;
    return (row, factor, at) => {
      for (let i = 0; i < row.length; i++) {
        const place = (at[i] as number) < 0 ? normal() : mix(share, factor(i));
        row[i] = Math.min(count - 1, Math.floor(normalShare(place) * count));
      }
    };
  }
  if (form.kind === "steps")
    return form.inner.length === 1 && form.inner[0] === 3 && form.mask !== null ? diagram(uniform) : steps(mix, normal);
  // Columns of a table have units of their own, and a model learns to undo them; what another model made, such as an embedding, is taken as it is.
  if (optional && form.kind === "vector") return embedding(mix, normal);
  const units = namedStream(plan.seed, `units ${input.name}`);
  const deviation = Float64Array.from({ length: width }, () => 2 ** Math.floor(8 * units() - 3));
  const mean = Float64Array.from(deviation, (unit) => unit * Math.floor(8 * units() - 2));
  return (row, factor, at) => {
    for (let i = 0; i < row.length; i++) {
      const value = (at[i] as number) < 0 ? normal() : mix(loadings.single, factor(i));
      row[i] = (mean[i] as number) + (deviation[i] as number) * inSteps(value, 32);
    }
  };
}

/** The factor that each place shows, its index in a row of factors, or -1. */
function factorsShown(plan: SynthPlan, input: InputDescription, width: number, form: InputForm, { offsets }: Factors): Int32Array {
  const at = new Int32Array(width).fill(-1);
  for (const { name, factors, columns } of plan.sources) {
    let turn = 0;
    const offset = offsets.get(name) ?? 0;
    for (const { input: of, start, width: count } of columns) {
      const isSteps = form.kind === "steps";
      for (let i = 0; i < count; i++, turn++) {
        if (of !== input.name) continue;
        if (!isSteps) at[start + i] = offset + (turn % factors);
        else
          for (let place = 0; place < width; place++) at[place] = offset + (((place % Math.max(1, sizeOf(form.inner))) + turn) % factors);
      }
    }
  }
  return at;
}

/** Numbers that are all zero mark padding, so no step is. */
function steps(mix: (share: number, factor: number) => number, normal: () => number): Fill {
  return (row, factor, at) => {
    for (let i = 0; i < row.length; i++) row[i] = inSteps((at[i] as number) < 0 ? normal() : mix(loadings.step, factor(i)), 8) || 0.125;
  };
}

/** Points of birth, death and degree, 0 <= birth < death <= 1; the factor of a degree lengthens its intervals. */
function diagram(uniform: () => number): Fill {
  return (row, factor, at) => {
    for (let i = 0; i + 2 < row.length; i += 3) {
      const degree = Math.floor(uniform() * degrees);
      const pull = (at[degree] as number) < 0 ? 0 : factor(degree);
      const birth = inSteps(0.5 * uniform(), 128);
      row[i] = birth;
      row[i + 1] = birth + Math.max(1 / 128, inSteps(normalShare(1.5 * pull) * (0.1 + 0.4 * uniform()), 128));
      row[i + 2] = degree;
    }
  };
}

/** Of length below 1, so that it is a point of a ball as well. */
function embedding(mix: (share: number, factor: number) => number, normal: () => number): Fill {
  return (row, factor, at) => {
    const unit = 1 / (1.6 * Math.sqrt(row.length));
    for (let i = 0; i < row.length; i++) row[i] = unit * ((at[i] as number) < 0 ? normal() : mix(loadings.single, factor(i)));
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    const within = length > 0.95 ? 0.95 / length : 1;
    for (let i = 0; i < row.length; i++) row[i] = inSteps((row[i] as number) * within, 1024);
  };
}

/** Most of it to one category, the rest to another. */
function fillShares(row: Float32Array, uniform: () => number): void {
  const main = Math.floor(uniform() * row.length);
  const other = Math.floor(uniform() * row.length);
  const share = inSteps(0.5 + 0.5 * uniform(), 64);
  row[main] = share;
  row[other] = (row[other] as number) + 1 - share;
}

/** Rounded to so many steps for each unit: few bits compress well. */
function inSteps(value: number, perUnit: number): number {
  return Math.round(value * perUnit) / perUnit;
}
