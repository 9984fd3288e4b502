import type { InputDescription } from "../description.ts";
import { batchSymbol } from "../inputs.ts";

/** How the values of an input stand in a table, told from its type and from the inputs beside it. */
export type InputForm =
  /** One number for each row. */
  | { readonly kind: "scalar" }
  /** A column for each value: its slices name them one by one. */
  | { readonly kind: "columns"; readonly names: readonly string[] }
  /** One list of fixed length. */
  | { readonly kind: "vector"; readonly width: number }
  /** A list that is as wide as an id has categories: how much of a row belongs to each. */
  | { readonly kind: "shares"; readonly width: number; readonly of: string }
  /** A list of steps, at most `maximum` of them; `inner` are the dims of one step. */
  | {
      readonly kind: "steps";
      readonly maximum: number;
      readonly inner: readonly number[];
      readonly mask: string | null;
      /** Whether lists may be shorter: there is a mask, the length is open, or steps are numbers, of which padding by zeros can be told. */
      readonly varies: boolean;
      readonly isOpen: boolean;
    }
  /** Ones for the steps of another input, then zeros: it is made from that input's length. */
  | { readonly kind: "mask"; readonly of: string }
  /** No rows: it lacks the batch axis, or leaves another dim than the first open. */
  | { readonly kind: "none"; readonly reason: string };

/** Steps of an input whose length the model leaves open. */
export const openSteps = 32;

/** The inputs that have ids with so many categories make a list as long a distribution over them; `x_mask` beside `x` is its mask. */
export function inputForms(inputs: readonly InputDescription[]): ReadonlyMap<string, InputForm> {
  return new Map(inputs.map((input) => [input.name, formOf(input, inputs)]));
}

function formOf(input: InputDescription, inputs: readonly InputDescription[]): InputForm {
  const { name, dtype, shape, slices, vocabulary } = input;
  const [batch, first, ...inner] = shape;
  if (batch !== batchSymbol) return { kind: "none", reason: "it has no batch axis" };
  if (inner.some((dim) => typeof dim === "string")) return { kind: "none", reason: "a dim after the first two is open" };
  if (first === undefined) return { kind: "scalar" };
  const masked = inputs.find((other) => `${other.name}_mask` === name && other.shape.length > 1 && other.shape[1] === first);
  if (masked !== undefined && dtype !== "i32" && inner.length === 0) return { kind: "mask", of: masked.name };
  const mask = inputs.find((other) => other.name === `${name}_mask` && other.shape.length === 2 && other.shape[1] === first)?.name ?? null;
  const isOpen = typeof first === "string";
  if (!isOpen && mask === null && inner.length === 0 && dtype === "f32") {
    if (slices.length > 0 && slices.every(({ width }) => width === 1)) return { kind: "columns", names: slices.map((slice) => slice.name) };
    const ids = inputs.find((other) => other.vocabulary === first && other.shape.length === 1);
    return ids === undefined ? { kind: "vector", width: first } : { kind: "shares", width: first, of: ids.name };
  }
  const varies = isOpen || mask !== null || (inner.length > 0 && dtype === "f32" && vocabulary === null);
  return { kind: "steps", maximum: isOpen ? openSteps : first, inner: inner as readonly number[], mask, varies, isOpen };
}
