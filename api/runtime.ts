import { fileURLToPath } from "node:url";
import { NotLowerable } from "../compiler/emit/tensorflow-lowering.ts";
import { rowsToBatch } from "../runtime/batch-file.ts";
import type { ModelDescription } from "../runtime/description.ts";
import { type Batch, EngineMissing, tensorToLists } from "../runtime/engine.ts";
import { generateBatch } from "../runtime/generate.ts";
import { prepareBatch } from "../runtime/inputs.ts";
import { ModelFileError, type OpenModel, openChecked, openCompiled } from "../runtime/open-model.ts";
import { SafetensorsError } from "../runtime/safetensors.ts";
import { mismatchOf } from "./contract.ts";
import { plainDiagnostic, renderAll } from "./diagnostics.ts";
import { InputError, ModelError } from "./errors.ts";
import { oneModel } from "./one-model.ts";
import type { Contract, LoadOptions, Model, Values } from "./types.ts";

export { InputError, ModelError, SpecError } from "./errors.ts";
export type {
  Backend,
  Contract,
  ContractInput,
  ContractTask,
  Diagnostic,
  Engine,
  LoadOptions,
  Model,
  Place,
  Position,
  Range,
  Values,
  Vector,
} from "./types.ts";

/**
 * Opens a model: an ONNX file or a GraphModel folder that `plec compile` wrote, or a spec (.ple), compiled in memory.
 *
 * @param source  a path or a file URL
 * @param contract  what generated types promise; the model is refused when it does not keep it
 * @throws SpecError for a spec with errors
 * @throws ModelError for anything else that cannot be opened
 */
export async function load<Inputs extends object = Values, Predictions extends object = Values, Outputs extends object = Values>(
  source: string | URL,
  options: LoadOptions = {},
  contract?: Contract,
): Promise<Model<Inputs, Predictions, Outputs>> {
  const path = typeof source === "string" ? source : fileURLToPath(source);
  const opened = await open(path, contract?.name, options);
  const mismatch = contract === undefined ? null : mismatchOf(contract, opened.description);
  if (mismatch !== null) {
    await opened.engine.close();
    throw new ModelError(`${path} is not the model that these types were generated for: ${mismatch}`);
  }
  // Predictions and outputs have the types of the contract, which the description keeps.
  return modelOf(opened) as unknown as Model<Inputs, Predictions, Outputs>;
}

async function open(path: string, contractName: string | undefined, options: LoadOptions): Promise<OpenModel> {
  try {
    if (options.backend !== undefined && options.engine === "ort") throw new ModelFileError("a backend goes with the engine tfjs");
    if (!path.endsWith(".ple")) return await openCompiled(path, options);
    const { weightsOf } = await import("../runtime/weights-of.ts");
    const model = await oneModel(path, options.model ?? contractName);
    return await openChecked(model, weightsOf(model, { path: options.weights, seed: options.seed ?? 0 }), options);
  } catch (error) {
    if (error instanceof NotLowerable) throw new ModelError(renderAll([error.diagnostic]), { cause: error });
    if (isUsersToSolve(error)) throw new ModelError(`cannot load ${path}: ${error.message}`, { cause: error });
    throw error;
  }
}

function isUsersToSolve(error: unknown): error is Error {
  if ([ModelFileError, EngineMissing, SafetensorsError].some((kind) => error instanceof kind)) return true;
  return error instanceof Error && "syscall" in error;
}

function modelOf({ description, engine }: OpenModel): Model {
  const taskNames = description.tasks.map(({ name }) => name);
  const outputNames = description.outputs.map(({ name }) => name);
  const predictRows = async (rows: readonly Values[], names: readonly string[]): Promise<readonly Values[]> => {
    if (rows.length === 0 || names.length === 0) return rows.map(() => ({}));
    return rowsOf(await engine.run(toBatch(description, rows), names), rows.length);
  };
  return {
    name: description.name,
    hash: description.hash,
    engine: engine.name,
    tasks: taskNames,
    predict: (rows) => predictRows(rows, taskNames),
    async outputs(rows, names) {
      const unknown = names.find((name) => !outputNames.includes(name));
      if (unknown !== undefined) throw new ModelError(`no output is called ${unknown}; the outputs are ${outputNames.join(", ")}`);
      return predictRows(rows, names) as Promise<readonly Pick<Values, (typeof names)[number]>[]>;
    },
    generate(count, seed = 0) {
      return rowsOf(generateBatch(description, count, seed), count);
    },
    close: () => engine.close(),
  };
}

function toBatch(description: ModelDescription, rows: readonly Values[]): Batch {
  const read = rowsToBatch("the batch", rows.map(withPlainLists));
  const { batch, diagnostics } = read.batch === null ? read : prepareBatch(description, read.batch);
  if (batch === null || "columns" in batch) throw new InputError(renderAll(diagnostics), diagnostics.map(plainDiagnostic));
  return batch;
}

/** The row with its typed arrays as lists. */
function withPlainLists(row: Values): Values {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plainList(value)]));
}

function plainList(value: unknown): unknown {
  if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map(plainList);
  return value instanceof Float32Array || value instanceof Float64Array || value instanceof Int32Array ? Array.from(value) : value;
}

/** Row objects of tensors whose first axis is the batch. */
function rowsOf(batch: Batch, count: number): readonly Values[] {
  const columns = [...batch].map(([name, tensor]) => [name, tensorToLists(tensor) as readonly unknown[]] as const);
  return Array.from({ length: count }, (_, row) => Object.fromEntries(columns.map(([name, column]) => [name, column[row]])));
}
