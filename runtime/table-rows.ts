import type { RowIds } from "../compiler/autodiff/table-rows.ts";
import { type Batch, makeTensor, type Tensor } from "./engine.ts";

/** What a batch reads of a table. */
export interface BatchRows {
  /** Row numbers in the table, ascending, each once. */
  readonly numbers: Int32Array;
  /** For each input that picks rows: where the rows of its ids stand among them. */
  readonly places: Batch;
}

/** The rows that a batch picks out of a table. */
export function findBatchRows(ids: readonly RowIds[], batch: Batch): BatchRows {
  const tensors = ids.map(({ input, places }) => {
    const tensor = batch.get(input);
    if (tensor === undefined) throw new Error(`the batch has no input ${input}, which picks the rows of a table`);
    return { places, tensor };
  });
  const found = new Set<number>();
  for (const { tensor } of tensors) for (const id of tensor.data) found.add(id);
  const numbers = Int32Array.from(found).sort();
  const placeOf = new Map<number, number>();
  for (const [place, id] of numbers.entries()) placeOf.set(id, place);
  const places = tensors.map(({ places: name, tensor }) => {
    const data = Int32Array.from(tensor.data, (id) => placeOf.get(id) ?? 0);
    return [name, makeTensor("i32", tensor.shape, data)] as const;
  });
  return { numbers, places: new Map(places) };
}

/** Copies rows out of a table, or out of what an optimiser keeps beside it. No other row is touched. */
export function readRows(name: string, table: Tensor, numbers: Int32Array): Tensor {
  const shape = table.shape.slice(1);
  const width = shape.reduce((product, dim) => product * dim, 1);
  const data = new Float32Array(numbers.length * width);
  for (const [place, number] of numbers.entries()) {
    const start = number * width;
    if (number < 0 || start + width > table.data.length) throw new RangeError(`${name} has no row ${number}`);
    data.set(table.data.subarray(start, start + width), place * width);
  }
  return makeTensor("f32", [numbers.length, ...shape], data);
}

/** Writes rows back in place. */
export function writeRows(table: Tensor, numbers: Int32Array, rows: Tensor): void {
  const width = numbers.length === 0 ? 0 : rows.data.length / numbers.length;
  for (const [place, number] of numbers.entries()) table.data.set(rows.data.subarray(place * width, (place + 1) * width), number * width);
}
