import type { DuckDBDataChunk, DuckDBVector } from "@duckdb/node-api";
import type { DataCode } from "./catalogue.ts";
import { isListVector, numbersOf, validityOf } from "./duckdb.ts";
import { rowColumn, splitColumn } from "./expression.ts";
import type { BoundFields, Field } from "./fields.ts";
import { PackedRows, type TensorLayout } from "./row-layout.ts";
import { compress, RunningMoments } from "./scale.ts";
import { selectField, unknownCategory } from "./select.ts";
import type { Statistics } from "./statistics.ts";

/** Something wrong in one row. The value and the file are looked up when it is reported. */
export interface RowIssue {
  readonly code: Extract<DataCode, "data/value" | "data/missing" | "data/length" | "data/range" | "data/unknown-category">;
  readonly field: Field;
  readonly expression: number;
  readonly row: number;
  /** What is expected, or how long a list is. */
  readonly detail: string;
}

/** Issues of one kind kept for a field, the rest of them being of the same kind. */
const perField = 3;

/** Rows that DuckDB gives at once. */
const chunkRows = 2048;

const trues = (): boolean => true;

/** Turns chunks of the query `sql` into packed rows, and notes what is wrong with them. */
export class RowReader {
  readonly #bound: BoundFields;
  readonly #moments: Statistics["moments"];
  readonly #learning: ReadonlyMap<Field, RunningMoments> | null;
  readonly #columns: readonly string[];
  readonly #rows: PackedRows;
  readonly #splits = new Int32Array(chunkRows);
  readonly #counts = new Map<string, number>();
  readonly issues: RowIssue[] = [];

  /** With `learning`, the values of training rows are added to it, before standardisation, which is left out. */
  constructor(bound: BoundFields, statistics: Statistics, learning: ReadonlyMap<Field, RunningMoments> | null = null) {
    this.#bound = bound;
    this.#moments = statistics.moments;
    this.#learning = learning;
    this.#columns = bound.fields.flatMap((field) => selectField(field, statistics));
    this.#rows = new PackedRows(chunkRows, bound.floatWidth, bound.intWidth);
  }

  /** `split` null takes all rows. */
  sql(table: string, split: number | null): string {
    const values = this.#columns.map((column, i) => `, ${column} AS v${i}`);
    const where = split === null ? "" : ` WHERE ${splitColumn} = ${split}`;
    return `SELECT CAST(${rowColumn} AS DOUBLE), CAST(${splitColumn} AS INTEGER)${values.join("")} FROM ${table}${where}`;
  }

  /** The split of each row of the last chunk. */
  get splits(): ArrayLike<number> {
    return this.#splits;
  }

  /** The rows of a chunk, overwritten by the next. */
  read(chunk: DuckDBDataChunk): PackedRows {
    const rows = this.#rows;
    const count = chunk.rowCount;
    const numbers = numbersOf(chunk.getColumnVector(0));
    const splits = numbersOf(chunk.getColumnVector(1));
    for (let row = 0; row < count; row++) {
      rows.numbers[row] = numbers[row] ?? 0;
      this.#splits[row] = splits[row] ?? 0;
    }
    for (const tensor of this.#bound.tensors) if (tensor.offset >= 0) this.#fill(tensor, 0, count);
    const missing = new Map<TensorLayout, Int32Array>();
    let column = 2;
    for (const field of this.#bound.fields) {
      for (let expression = 0; expression < field.expressions.length; expression++) {
        const vector = chunk.getColumnVector(column++);
        let absent = missing.get(field.tensor);
        if (absent === undefined) {
          absent = new Int32Array(count);
          missing.set(field.tensor, absent);
        }
        if (field.shape.length > 0) this.#readLists(field, vector, count, absent);
        else this.#readScalars(field, expression, vector, count, absent);
      }
    }
    for (const [tensor, absent] of missing) this.#settleMissing(tensor, absent);
    return rows;
  }

  /** A row that lacks a part of an optional input lacks all of it, or is wrong. */
  #settleMissing(tensor: TensorLayout, absent: Int32Array): void {
    if (!absent.some((parts) => parts > 0)) return;
    const fields = this.#bound.fields.filter((field) => field.tensor === tensor);
    if (fields.some(({ label }) => label !== null)) return;
    const parts = fields.reduce((total, { expressions }) => total + expressions.length, 0);
    absent.forEach((count, row) => {
      if (count === 0) return;
      if (tensor.optional && count === parts) this.#fill(tensor, row, 1);
      else {
        const [first] = fields;
        if (first !== undefined) this.#note("data/missing", first, 0, row, count === parts ? "" : `${count} of ${parts} values`);
      }
    });
  }

  #fill(tensor: TensorLayout, from: number, count: number): void {
    const { floatWidth, intWidth, floats, ints } = this.#rows;
    const isFloat = tensor.dtype === "f32";
    const [data, stride] = isFloat ? [floats, floatWidth] : [ints, intWidth];
    for (let row = from; row < from + count; row++) {
      const at = row * stride + tensor.offset;
      data.fill(tensor.fill, at, at + tensor.width);
      if (tensor.lengthOffset >= 0) ints[row * intWidth + tensor.lengthOffset] = 0;
    }
  }

  #readScalars(field: Field, expression: number, vector: DuckDBVector, count: number, absent: Int32Array): void {
    const { tensor, start, label } = field;
    const values = numbersOf(vector);
    const isValid = validityOf(vector) ?? trues;
    const { floatWidth, intWidth, floats, ints } = this.#rows;
    const isFloat = tensor.dtype === "f32";
    const [data, stride] = isFloat ? [floats, floatWidth] : [ints, intWidth];
    const convert = this.#converter(field, expression);
    for (let row = 0; row < count; row++) {
      let value = isValid(row) ? (values[row] as number) : Number.NaN;
      // -1 marks a missing label, as it does in the losses
      if (value === -1 && label !== null && (label.kind === "binary" || label.kind === "classes")) continue;
      value = convert(value, expression, row);
      if (Number.isNaN(value)) absent[row] = (absent[row] as number) + 1;
      else data[row * stride + tensor.offset + start + expression] = value;
    }
  }

  /** Gives the value as the model takes it, NaN where it is missing; notes what is wrong and gives 0. */
  #converter(field: Field, expression: number): (value: number, place: number, row: number) => number {
    const { tensor, mapping, vocabulary, label, categories } = field;
    const moments = this.#moments[field.key] ?? null;
    const steps = mapping.scale;
    const standard = steps.includes("standard");
    const learning = this.#learning?.get(field) ?? null;
    const substitute = typeof mapping.missing === "number" ? mapping.missing : mapping.missing === "mean" ? ("mean" as const) : null;
    const single = moments !== null && moments.mean.length === 1;
    const fail = (code: RowIssue["code"], row: number, detail: string): number => {
      this.#note(code, field, expression, row, detail);
      return 0;
    };
    if (tensor.dtype !== "f32" || vocabulary !== null) {
      const isIds = categories !== null && categories.kind !== "ids";
      return (given, _, row) => {
        const value = Number.isNaN(given) && typeof substitute === "number" && !isIds ? substitute : given;
        if (Number.isNaN(value)) return value;
        if (value === unknownCategory && isIds) return fail("data/unknown-category", row, "");
        if (tensor.dtype === "bool" && value !== 0 && value !== 1) return fail("data/value", row, "true, false, 0 or 1");
        if (!Number.isInteger(value) || (value | 0) !== value) return fail("data/value", row, "a 32-bit whole number");
        if (vocabulary !== null && (value < 0 || value >= vocabulary)) return fail("data/range", row, label === null ? "id" : "class");
        return value;
      };
    }
    if (label?.kind === "binary")
      return (value, _, row) =>
        Number.isNaN(value) || value === 0 || value === 1 ? value : fail("data/value", row, "0, 1, true or false");
    return (given, place, row) => {
      let value = given;
      if (Number.isNaN(value)) {
        if (substitute === null) return value;
        if (substitute === "mean") return standard || moments === null ? 0 : (moments.mean[single ? 0 : place] ?? 0);
        value = substitute;
      }
      if (!Number.isFinite(value)) return fail("data/value", row, "a finite number");
      value = compress(value, steps);
      if (!Number.isFinite(value)) return fail("data/value", row, "a number above -1, which `log` takes");
      if (learning !== null) {
        if (this.#splits[row] === 0 && !Number.isNaN(given)) learning.add(placesOf(field) === 1 ? 0 : place, value);
      } else if (standard && moments !== null) {
        const at = single ? 0 : place;
        value = (value - (moments.mean[at] as number)) / (moments.deviation[at] as number);
      }
      return Number.isFinite(Math.fround(value)) ? value : fail("data/value", row, "a 32-bit number");
    };
  }

  #readLists(field: Field, vector: DuckDBVector, count: number, absent: Int32Array): void {
    const { tensor, start, shape, mask, mapping, label } = field;
    const { floatWidth, intWidth, floats, ints } = this.#rows;
    const isFloat = tensor.dtype === "f32";
    const [data, stride] = isFloat ? [floats, floatWidth] : [ints, intWidth];
    if (!isListVector(vector)) throw new Error(`no list in a ${vector.constructor.name} of DuckDB`);
    const isValid = validityOf(vector) ?? trues;
    const leaf = new LeafReader(
      field,
      vector,
      data,
      this.#converter(field, 0),
      (row, detail) => this.#note("data/length", field, 0, row, detail),
      (row) => {
        if (label === null) this.#note("data/missing", field, 0, row, "an element of the list");
      },
    );
    const [steps, ...rest] = shape as readonly [number, ...number[]];
    const inner = rest.reduce((product, dim) => product * dim, 1);
    for (let row = 0; row < count; row++) {
      if (!isValid(row)) {
        absent[row] = (absent[row] as number) + 1;
        continue;
      }
      const given = vector.getEntryLength(row);
      if (given > steps && mapping.keep === null) {
        this.#note("data/length", field, 0, row, `${given} elements`);
        continue;
      }
      const isOpen = tensor.lengthOffset >= 0;
      if (given < steps && !isOpen && mask === null && mapping.pad === null) {
        this.#note("data/length", field, 0, row, `${given} elements`);
        continue;
      }
      const taken = Math.min(given, steps);
      const skipped = mapping.keep === "last" ? given - taken : 0;
      const shift = mapping.pad === "start" ? steps - taken : 0;
      const at = row * stride + tensor.offset + start;
      if (taken < steps) data.fill(0, at, at + steps * inner);
      leaf.read(vector.getEntryOffset(row) + skipped, taken, at + shift * inner, row);
      if (isOpen) ints[row * intWidth + tensor.lengthOffset] = taken;
      if (mask !== null) this.#writeMask(mask, row, shift, taken);
    }
    if (mask === null || mask.optional) return;
    for (let row = 0; row < count; row++) if ((absent[row] as number) > 0) this.#writeMask(mask, row, 0, 0);
  }

  #writeMask(mask: TensorLayout, row: number, from: number, count: number): void {
    const { floatWidth, intWidth, floats, ints } = this.#rows;
    const isFloat = mask.dtype === "f32";
    const [data, stride] = isFloat ? [floats, floatWidth] : [ints, intWidth];
    const at = row * stride + mask.offset;
    data.fill(0, at, at + mask.width);
    data.fill(1, at + from, at + from + count);
    if (mask.lengthOffset >= 0) ints[row * intWidth + mask.lengthOffset] = count;
  }

  #note(code: RowIssue["code"], field: Field, expression: number, row: number, detail: string): void {
    const key = `${code} ${field.key} ${expression}`;
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    if (count <= perField) this.issues.push({ code, field, expression, row: this.#rows.numbers[row] ?? 0, detail });
  }
}

/** Reads the elements of nested lists from their flat storage. */
class LeafReader {
  readonly #inner: LeafReader | null;
  readonly #child: DuckDBVector;
  readonly #values: ArrayLike<number>;
  readonly #isValid: ((index: number) => boolean) | null;
  readonly #data: Float32Array | Int32Array;
  readonly #convert: (value: number, place: number, row: number) => number;
  readonly #wrongLength: (row: number, detail: string) => void;
  readonly #missing: (row: number) => void;
  readonly #keepsMissing: boolean;
  readonly #width: number;
  readonly #perElement: boolean;

  constructor(
    field: Field,
    vector: DuckDBVector,
    data: Float32Array | Int32Array,
    convert: (value: number, place: number, row: number) => number,
    wrongLength: (row: number, detail: string) => void,
    missing: (row: number) => void,
    depth = 1,
  ) {
    if (!isListVector(vector)) throw new Error(`no list in a ${vector.constructor.name} of DuckDB`);
    this.#child = vector.childVector;
    this.#data = data;
    this.#convert = convert;
    this.#wrongLength = wrongLength;
    this.#missing = missing;
    this.#keepsMissing = field.label !== null;
    const { shape } = field;
    this.#width = shape.slice(depth).reduce((product, dim) => product * dim, 1);
    this.#perElement = placesOf(field) > 1;
    const isLeaf = depth === shape.length;
    this.#inner = isLeaf ? null : new LeafReader(field, this.#child, data, convert, wrongLength, missing, depth + 1);
    this.#values = isLeaf ? numbersOf(this.#child) : [];
    this.#isValid = validityOf(this.#child);
  }

  /** Reads `count` elements from `from` of the storage to `at` of the packed data. */
  read(from: number, count: number, at: number, row: number): void {
    const child = this.#child;
    if (this.#inner !== null && isListVector(child)) {
      const expected = this.#width / this.#inner.#width;
      for (let i = 0; i < count; i++) {
        const length = child.getEntryLength(from + i);
        if (this.#isValid !== null && !this.#isValid(from + i)) this.#missing(row);
        else if (length !== expected) this.#wrongLength(row, `${length} values in a step`);
        else this.#inner.read(child.getEntryOffset(from + i), length, at + i * this.#width, row);
      }
      return;
    }
    for (let i = 0; i < count; i++) {
      const given = this.#isValid === null || this.#isValid(from + i) ? (this.#values[from + i] as number) : Number.NaN;
      const value = this.#convert(given, this.#perElement ? i : 0, row);
      if (Number.isNaN(value) && !this.#keepsMissing) this.#missing(row);
      else this.#data[at + i] = value;
    }
  }
}

/** Pairs of mean and deviation of a field: one for each place of the last axis where its length is fixed. */
export function placesOf({ shape, expressions, tensor }: Field): number {
  if (shape.length === 0) return expressions.length;
  const isOpen = shape.length === 1 && tensor.symbol !== null;
  return isOpen ? 1 : (shape.at(-1) ?? 1);
}

/** The running statistics of every field that needs some. */
export function newLearning({ fields }: BoundFields): ReadonlyMap<Field, RunningMoments> {
  const needed = fields.filter(({ mapping }) => mapping.scale.includes("standard") || mapping.missing === "mean");
  return new Map(needed.map((field) => [field, new RunningMoments(placesOf(field))]));
}
