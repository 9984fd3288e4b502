import { type Dim, formatDim } from "../compiler/ir/dim.ts";
import { sizeOf } from "../compiler/ir/ndarray.ts";
import type { CheckedModel, ModelInput } from "../compiler/model.ts";
import type { Dimension, InputInfo, ModelInfo } from "./types.ts";

export function modelInfo(model: CheckedModel): ModelInfo {
  const { name, doc, hash, groups, order, outputs } = model;
  return {
    name,
    doc,
    hash,
    parameters: model.parameters.reduce((total, { value }) => total + sizeOf(value.type.shape.map(Number)), 0),
    inputs: model.inputs.map(inputInfo),
    banks: model.banks.map(({ instances: _, ...bank }) => ({
      ...bank,
      entries: bank.entries.map((entry) => ({ ...entry, shape: entry.shape.map(dimension) })),
    })),
    groups,
    tasks: model.tasks.map(({ span: _s, logit: _l, prediction: _p, ...task }) => task),
    transfers: model.transfers.map(({ from, to, module }) => ({ from, to, module })),
    order,
    outputs,
  };
}

function inputInfo({ span: _, shape, ...input }: ModelInput): InputInfo {
  return { ...input, shape: shape.map(dimension) };
}

function dimension(dim: Dim): Dimension {
  return typeof dim === "number" ? dim : formatDim(dim);
}
