import { distance } from "fastest-levenshtein";
import { sizeOf } from "../compiler/ir/ndarray.ts";
import type { Diagnostic } from "../dsl/diagnostic.ts";
import type { RawBatch, RawColumn } from "./batch-file.ts";
import { inputReporter, type ReportInput } from "./catalogue.ts";
import { type ColumnTarget, resolveColumn } from "./column-path.ts";
import type { InputDescription, ModelDescription } from "./description.ts";
import { type Batch, makeTensor, type Tensor } from "./engine.ts";

export interface PreparedBatch {
  /** Every input of the model, optional ones filled in; only without findings. */
  readonly batch: Batch | null;
  readonly rows: number;
  readonly diagnostics: readonly Diagnostic[];
}

/** The first axis of a batched input. */
export const batchSymbol = "B";

/** Findings reported for one column, the rest of them being of the same kind. */
const perColumn = 3;

interface Part {
  readonly column: RawColumn;
  readonly target: ColumnTarget;
}

/** Checks the cells of a batch against the inputs of a model and lays them out as tensors. */
export function prepareBatch(model: ModelDescription, raw: RawBatch): PreparedBatch {
  const diagnostics: Diagnostic[] = [];
  const report = inputReporter(diagnostics);
  const parts = new Map<InputDescription, Part[]>(model.inputs.map((input) => [input, []]));
  for (const column of raw.columns) {
    const target = resolveColumn(model, column.key);
    if (target === null) {
      report("input/unknown-column", { place: raw.place, column: column.key }, { help: suggestColumn(model, column.key) });
    } else parts.get(target.input)?.push({ column, target });
  }
  const rows = countRows(raw, parts, report);
  if (rows === 0 && diagnostics.length === 0) report("input/empty", { place: raw.place });
  if (diagnostics.length > 0) return { batch: null, rows, diagnostics };
  const batch = new Map<string, Tensor>();
  const symbols = new Map<string, { readonly size: number; readonly setBy: string }>([[batchSymbol, { size: rows, setBy: raw.place }]]);
  for (const [input, given] of parts) {
    const tensor = new InputReader(input, given, raw.place, rows, symbols, report).read();
    if (tensor !== null) batch.set(input.name, tensor);
  }
  return { batch: diagnostics.length > 0 ? null : fillRest(model, batch, symbols), rows, diagnostics };
}

/** Optional inputs that no row gives, once all symbols are known that others fix. */
function fillRest(model: ModelDescription, batch: Map<string, Tensor>, symbols: ReadonlyMap<string, { readonly size: number }>): Batch {
  for (const input of model.inputs) {
    if (batch.has(input.name)) continue;
    const shape = input.shape.map((dim) => (typeof dim === "number" ? dim : (symbols.get(dim)?.size ?? 1)));
    batch.set(input.name, makeTensor(input.dtype, shape, new Array<number>(sizeOf(shape)).fill(input.fill)));
  }
  return batch;
}

function suggestColumn(model: ModelDescription, column: string): string | null {
  const candidates = model.inputs.flatMap((input) => [input.name, ...input.slices.map((slice) => `${input.name}.${slice.name}`)]);
  const [best] = candidates.map((name) => ({ name, d: distance(name, column) })).sort((a, b) => a.d - b.d);
  return best !== undefined && best.d <= Math.max(2, column.length / 3) ? `did you mean \`${best.name}\`?` : null;
}

function countRows(raw: RawBatch, parts: ReadonlyMap<InputDescription, readonly Part[]>, report: ReportInput): number {
  let rows: { readonly count: number; readonly key: string } | null = null;
  for (const [input, given] of parts) {
    if (input.shape[0] !== batchSymbol) continue;
    for (const { column } of given) {
      const values = column.form === "rows" ? column.cells : column.value;
      const place = `${raw.place}: column ${column.key}`;
      if (!Array.isArray(values)) report("input/ragged", { place, problem: "a list with one value for each row is expected" });
      else if (rows === null) rows = { count: values.length, key: column.key };
      else if (rows.count !== values.length) {
        report("input/ragged", { place, problem: `${values.length} rows where column ${rows.key} has ${rows.count}` });
      }
    }
  }
  return rows?.count ?? 0;
}

/** Reads the values of one input. */
class InputReader {
  readonly #input: InputDescription;
  readonly #parts: readonly Part[];
  readonly #file: string;
  readonly #rows: number;
  readonly #symbols: Map<string, { readonly size: number; readonly setBy: string }>;
  readonly #report: ReportInput;
  readonly #reported = new Map<string, number>();

  constructor(
    input: InputDescription,
    parts: readonly Part[],
    file: string,
    rows: number,
    symbols: Map<string, { readonly size: number; readonly setBy: string }>,
    report: ReportInput,
  ) {
    this.#input = input;
    this.#parts = parts;
    this.#file = file;
    this.#rows = rows;
    this.#symbols = symbols;
    // Findings of one kind in one column are cut off: a wrong column is wrong in every row.
    this.#report = (code, values, details) => {
      const key = `${code} ${"place" in values ? String(values.place).replace(/row \d+/, "") : ""}`;
      const count = (this.#reported.get(key) ?? 0) + 1;
      this.#reported.set(key, count);
      if (count <= perColumn) report(code, values, details);
    };
  }

  /** null when nothing is given (to be filled) or something is wrong (reported). */
  read(): Tensor | null {
    const input = this.#input;
    if (this.#parts.length === 0) {
      if (!input.optional) this.#report("input/missing", { place: this.#file, input: input.name });
      return null;
    }
    if (input.shape[0] !== batchSymbol) return this.#readUnbatched();
    const rowShape = this.#rowShape();
    if (rowShape === null) return null;
    const width = sizeOf(rowShape);
    if (!this.#coversOnce(width)) return null;
    const data = new Array<number>(this.#rows * width).fill(input.fill);
    for (let row = 0; row < this.#rows; row++) this.#readRow(row, rowShape, width, data);
    return makeTensor(input.dtype, [this.#rows, ...rowShape], data);
  }

  #place(column: string, row: number | null): string {
    return row === null ? `${this.#file}: column ${column}` : `${this.#file}: row ${row + 1}, column ${column}`;
  }

  #readUnbatched(): Tensor | null {
    const part = this.#parts[0] as Part;
    const place = this.#place(part.column.key, null);
    if (part.column.form !== "tensor" || !part.target.whole || this.#parts.length > 1) {
      this.#report("input/ragged", { place, problem: "this input has no batch axis: give it once, whole, in a JSON object of arrays" });
      return null;
    }
    const shape = this.#bindSymbols(this.#input.shape, part.column.value, part.column.key, null);
    if (shape === null) return null;
    const data = new Array<number>(sizeOf(shape)).fill(0);
    return this.#readValues(part.column.value, shape, data, 0, place) ? makeTensor(this.#input.dtype, shape, data) : null;
  }

  /** The shape of one row, symbolic dims taken from the first row that gives the input. */
  #rowShape(): readonly number[] | null {
    const dims = this.#input.shape.slice(1);
    if (dims.every((dim) => typeof dim === "number")) return dims;
    const part = this.#parts[0] as Part;
    const row = cellsOf(part.column).findIndex((cell) => !isMissing(cell));
    return this.#bindSymbols(dims, row < 0 ? undefined : cellsOf(part.column)[row], part.column.key, row < 0 ? null : row);
  }

  #bindSymbols(dims: readonly (number | string)[], value: unknown, column: string, row: number | null): readonly number[] | null {
    const shape: number[] = [];
    let inner = value;
    for (const dim of dims) {
      const size = Array.isArray(inner) ? inner.length : 0;
      if (typeof dim === "number") shape.push(dim);
      else {
        const bound = this.#symbols.get(dim);
        if (bound !== undefined && bound.size !== size) {
          const problem = `${dim} is ${size} here and ${bound.size} in ${bound.setBy}`;
          this.#report("input/ragged", { place: this.#place(column, row), problem });
          return null;
        }
        if (bound === undefined) this.#symbols.set(dim, { size, setBy: `column ${column}` });
        shape.push(size);
      }
      inner = Array.isArray(inner) ? inner[0] : undefined;
    }
    return shape;
  }

  /** Whether the columns cover all of a row, nothing twice. */
  #coversOnce(width: number): boolean {
    const covered = new Uint8Array(width);
    for (const { column, target } of this.#parts) {
      const end = target.start + (target.length ?? width);
      if (covered.subarray(target.start, end).includes(1)) {
        this.#report("input/twice", { place: this.#place(column.key, null), input: this.#input.name });
        return false;
      }
      covered.fill(1, target.start, end);
    }
    const first = covered.indexOf(0);
    if (first < 0) return true;
    const missing = covered.reduce((count, flag) => count + (flag === 0 ? 1 : 0), 0);
    this.#report("input/uncovered", {
      place: this.#file,
      input: this.#input.name,
      missing,
      width,
      first: nameOfElement(this.#input, first),
    });
    return false;
  }

  #readRow(row: number, rowShape: readonly number[], width: number, data: number[]): void {
    const cells = this.#parts.map(({ column }) => cellsOf(column)[row]);
    if (cells.every(isMissing)) {
      if (!this.#input.optional) {
        this.#report("input/missing", { place: this.#place((this.#parts[0] as Part).column.key, row), input: this.#input.name });
      }
      return;
    }
    this.#parts.forEach(({ column, target }, index) => {
      const cell = cells[index];
      const place = this.#place(column.key, row);
      if (isMissing(cell)) this.#report("input/missing", { place, input: column.key });
      else
        this.#readValues(
          cell,
          target.whole ? rowShape : target.length === 1 ? [] : [target.length ?? width],
          data,
          row * width + target.start,
          place,
        );
    });
  }

  #readValues(value: unknown, shape: readonly number[], data: number[], at: number, place: string): boolean {
    if (!Array.isArray(value)) {
      if (sizeOf(shape) === 1) return this.#readNumber(value, data, at, place);
      this.#report("input/width", { place, found: 1, expected: shape.join(" × ") });
      return false;
    }
    const [length, ...rest] = shape.length === 0 ? [1] : shape;
    if (value.length !== length) {
      this.#report("input/width", { place, found: value.length, expected: length ?? 1 });
      return false;
    }
    const step = sizeOf(rest);
    return value.every((item, index) => this.#readValues(item, rest, data, at + index * step, place));
  }

  #readNumber(value: unknown, data: number[], at: number, place: string): boolean {
    const { dtype, vocabulary } = this.#input;
    const number = dtype === "bool" && typeof value === "boolean" ? Number(value) : value;
    const good =
      typeof number === "number" &&
      (dtype === "f32"
        ? Number.isFinite(Math.fround(number))
        : dtype === "i32"
          ? Number.isInteger(number) && (number | 0) === number
          : number === 0 || number === 1);
    if (!good) {
      const expected = dtype === "f32" ? "a finite 32-bit number" : dtype === "i32" ? "a 32-bit whole number" : "true, false, 0 or 1";
      this.#report("input/not-a-number", { place, value: typeof value === "number" ? value : JSON.stringify(value), expected });
      return false;
    }
    if (vocabulary !== null && (number < 0 || number >= vocabulary)) {
      this.#report("input/id-range", { place, value: number, last: vocabulary - 1 });
      return false;
    }
    data[at] = number;
    return true;
  }
}

function cellsOf(column: RawColumn): readonly unknown[] {
  return column.form === "rows" ? column.cells : (column.value as readonly unknown[]);
}

function isMissing(cell: unknown): boolean {
  return cell === undefined || cell === null;
}

/** `features.base.rfm.3` for an element of a row. */
function nameOfElement(input: InputDescription, element: number): string {
  if (input.shape.length !== 2) return `${input.name}[${element}]`;
  let path = input.name;
  let index = element;
  for (let slices = input.slices; ; ) {
    const slice = slices.find(({ start, width }) => element >= start && element < start + width);
    if (slice === undefined) return `${path}.${index}`;
    path += `.${slice.name}`;
    index = element - slice.start;
    slices = slice.slices;
  }
}
