import type { InputDescription, ModelDescription } from "../runtime/description.ts";
import type { Contract, ContractTask } from "./types.ts";

/**
 * The first difference by which a model breaks a contract; null when it keeps it. A compiled model may lack optional inputs (`--without`) and have tasks
 * and outputs that the contract does not know.
 */
export function mismatchOf(contract: Contract, model: ModelDescription): string | null {
  for (const [name, wanted] of Object.entries(contract.tasks)) {
    const task = model.tasks.find((candidate) => candidate.name === name);
    if (task === undefined) return `it has no task ${name}`;
    if (task.kind !== wanted.kind || task.width !== wanted.width)
      return `task ${name} is ${kindOf(task)} in it, and ${kindOf(wanted)} in the types`;
  }
  const inputs = new Map(Object.entries(contract.inputs));
  for (const input of model.inputs) {
    const wanted = inputs.get(input.name);
    if (wanted === undefined) {
      if (!input.optional) return `it needs the input ${input.name}, of which the types know nothing`;
      continue;
    }
    if (typeOfInput(input) !== wanted.type) return `input ${input.name} is ${typeOfInput(input)} in it, and ${wanted.type} in the types`;
    if (wanted.optional && !input.optional) return `input ${input.name} is required in it, and optional in the types`;
  }
  for (const [name, { optional }] of inputs) {
    if (!optional && !model.inputs.some((input) => input.name === name)) return `it has no input ${name}`;
  }
  return null;
}

/** As a spec writes it, without the `?` of an optional input. */
function typeOfInput({ dtype, shape, vocabulary }: InputDescription): string {
  const dims = `[${shape.join(", ")}]`;
  return vocabulary === null ? `${dtype}${dims}` : `id${dims} of ${vocabulary}`;
}

function kindOf({ kind, width }: ContractTask): string {
  return kind === "binary" || width === 1 ? kind : `${kind}(${width})`;
}
