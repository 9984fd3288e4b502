import type { RowTable } from "../compiler/autodiff/table-rows.ts";
import { type Batch, makeTensor, type Tensor } from "./engine.ts";

/** What a batch reads of a table. */
export interface BatchRows {
  /** Row numbers in the table, ascending, each once. */
  readonly numbers: Int32Array;
  /** The inputs of the graph: the rows under the name of `rows`, and for each categorical input the places of its ids among them. */
  readonly inputs: Batch;
}

/** Copies the rows that a batch reads out of a table, f32 row-major. No other row is touched. */
export function gatherBatchRows({ param, rows, ids }: RowTable, table: Float32Array, batch: Batch): BatchRows {
  const tensors = ids.map(({ input, places }) => ({ places, tensor: tensorOf(batch, input, param.name) }));
  const numbers = Int32Array.from(new Set(tensors.flatMap(({ tensor }) => [...tensor.data]))).sort();
  const placeOf = new Map([...numbers].map((id, place) => [id, place]));
  const inputs = new Map<string, Tensor>([[rows.name, readRows({ param, rows }, table, numbers)]]);
  for (const { places, tensor } of tensors) {
    inputs.set(
      places.name,
      makeTensor(
        "i32",
        tensor.shape,
        Int32Array.from(tensor.data, (id) => placeOf.get(id) ?? 0),
      ),
    );
  }
  return { numbers, inputs };
}

/** The rows of a table, or of a state of the optimiser that is as long as it. */
export function readRows({ param, rows }: Pick<RowTable, "param" | "rows">, table: Float32Array, numbers: Int32Array): Tensor {
  const shape = rows.value.type.shape.slice(1).map(Number);
  const width = shape.reduce((product, dim) => product * dim, 1);
  const data = new Float32Array(numbers.length * width);
  for (const [place, number] of numbers.entries()) {
    const start = number * width;
    if (number < 0 || start + width > table.length) throw new RangeError(`${param.name} has no row ${number}`);
    data.set(table.subarray(start, start + width), place * width);
  }
  return makeTensor("f32", [numbers.length, ...shape], data);
}

/** Writes rows back in place. */
export function writeRows(table: Float32Array, numbers: Int32Array, rows: Float32Array): void {
  const width = numbers.length === 0 ? 0 : rows.length / numbers.length;
  for (const [place, number] of numbers.entries()) table.set(rows.subarray(place * width, (place + 1) * width), number * width);
}

function tensorOf(batch: Batch, input: string, table: string): Tensor {
  const tensor = batch.get(input);
  if (tensor === undefined) throw new Error(`the batch has no input ${input}, which picks rows of ${table}`);
  return tensor;
}
