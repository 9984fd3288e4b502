import type { CheckedModel } from "../../compiler/model.ts";
import type { AbsentInputs } from "../../compiler/passes/fold-absent.ts";
import type { WeightSource } from "../../compiler/weights.ts";
import type { BoundFields } from "../data/fields.ts";

/** Optional inputs that a mapping leaves out. Ids stay, which pick rows of tables, and so do inputs with an open dim, whose length another may share. */
export function absentInputs({ inputs }: CheckedModel, { tensors }: BoundFields, weights: WeightSource): AbsentInputs {
  const filled = new Set(tensors.filter(({ offset, symbol }) => offset < 0 && symbol === null).map(({ name }) => name));
  const names = inputs.filter(({ name, optional, vocabulary }) => optional && vocabulary === null && filled.has(name));
  return { names: new Set(names.map(({ name }) => name)), weights };
}
