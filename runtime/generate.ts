import { sizeOf } from "../compiler/ir/ndarray.ts";
import type { InputDescription, ModelDescription } from "./description.ts";
import { type Batch, makeTensor, type Tensor } from "./engine.ts";
import { batchSymbol } from "./inputs.ts";

/** Size of a dynamic dim beside the batch, where nothing else fixes it. */
const dynamicSize = 8;

/**
 * A batch that depends on the seed alone: floats uniform in [0, 1), ids uniform over their vocabulary, bools fair; a quarter of the rows of an optional
 * input are missing, so hold its fill value. A float input `x_mask` beside an input `x` is a mask: ones, then zeros, along its last axis. Each input has a stream of its own, and rows follow one another in it: the first rows of a larger batch are
 * those of a smaller one.
 *
 * @throws Error for a dim that is an expression over symbols
 */
export function generateBatch(model: ModelDescription, rows: number, seed: number): Batch {
  return new Map(
    model.inputs.map((input, index) => [input.name, generateInput(input, isMask(input, model), rows, randomNumbers(seed * 1009 + index))]),
  );
}

function isMask(input: InputDescription, model: ModelDescription): boolean {
  return input.dtype === "f32" && input.name.endsWith("_mask") && model.inputs.some(({ name }) => `${name}_mask` === input.name);
}

/** The most rows that one batch is made up of: those with 2^25 values. */
export function mostGenerated({ inputs }: ModelDescription): number {
  const values = inputs.reduce((sum, input) => sum + sizeOf(shapeOf(input, 1)), 0);
  return Math.max(1, Math.floor(2 ** 25 / Math.max(1, values)));
}

function shapeOf(input: InputDescription, rows: number): readonly number[] {
  return input.shape.map((dim) => {
    if (typeof dim === "number") return dim;
    if (!/^\w+$/.test(dim)) throw new Error(`cannot choose a size for the dim ${dim} of input ${input.name}`);
    return dim === batchSymbol ? rows : dynamicSize;
  });
}

function generateInput(input: InputDescription, mask: boolean, rows: number, random: () => number): Tensor {
  const shape = shapeOf(input, rows);
  const draw = (): number => {
    if (input.dtype === "f32") return random();
    if (input.dtype === "bool") return random() < 0.5 ? 0 : 1;
    return Math.floor(random() * (input.vocabulary ?? 100));
  };
  const values: number[] = [];
  const batched = input.shape[0] === batchSymbol;
  const width = sizeOf(batched ? shape.slice(1) : shape);
  for (let row = 0; row < (batched ? rows : 1); row++) {
    const missing = input.optional && random() < 0.25;
    const kept = mask ? 1 + Math.floor(random() * width) : 0;
    for (let i = 0; i < width; i++) values.push(missing ? input.fill : mask ? Number(i < kept) : draw());
  }
  return makeTensor(input.dtype, shape, values);
}

/** Mulberry32, uniform in [0, 1): 32 bits of state are enough for sample data and for the order of rows. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
