import { evaluateDim, symbolsOf } from "../compiler/ir/dim.ts";
import type { GraphInput } from "../compiler/ir/graph.ts";
import { makeTensor, type Tensor } from "../runtime/engine.ts";

/** Numbers for an input: masks of 1, ids in turn, labels of 0 and 1, else from 0 to 1. */
export function randomInput({ name, value, vocabulary }: GraphInput, batch: number): Tensor {
  const shape = value.type.shape.map((dim) => evaluateDim(dim, new Map(symbolsOf(dim).map((symbol) => [symbol, batch]))));
  const count = shape.reduce((product, dim) => product * dim, 1);
  const draw = (i: number) => {
    if (value.type.dtype !== "f32") return i % (vocabulary ?? 2);
    if (name.startsWith("label/")) return i % 2;
    return name.endsWith("_mask") ? 1 : Math.abs(Math.sin(i + 1));
  };
  return makeTensor(
    value.type.dtype,
    shape,
    Float32Array.from({ length: count }, (_, i) => draw(i)),
  );
}
