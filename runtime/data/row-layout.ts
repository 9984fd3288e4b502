import type { DType } from "../../compiler/ir/graph.ts";

/** One tensor of a batch, as it lies in a packed row. */
export interface TensorLayout {
  readonly name: string;
  readonly dtype: DType;
  /** The shape of one row; where the model leaves the first dim open, the most steps that the mapping allows. */
  readonly rowShape: readonly number[];
  readonly width: number;
  /** The symbol of the open dim; null where all are fixed. */
  readonly symbol: string | null;
  /** What stands where nothing is given. */
  readonly fill: number;
  readonly optional: boolean;
  /** Where its values start among the floats or ints of a packed row; -1 for one that is filled in. */
  readonly offset: number;
  /** Where the number of steps stands among the ints; -1 for a fixed shape. */
  readonly lengthOffset: number;
}

/** Rows of all tensors: float tensors lie in `floats`, the others in `ints`, so that moving a row is two copies. */
export class PackedRows {
  readonly floatWidth: number;
  readonly intWidth: number;
  readonly floats: Float32Array;
  readonly ints: Int32Array;
  readonly numbers: Float64Array;

  constructor(rows: number, floatWidth: number, intWidth: number) {
    this.floatWidth = floatWidth;
    this.intWidth = intWidth;
    this.floats = new Float32Array(rows * floatWidth);
    this.ints = new Int32Array(rows * intWidth);
    this.numbers = new Float64Array(rows);
  }

  get capacity(): number {
    return this.numbers.length;
  }

  copyFrom(other: PackedRows, from: number, to: number): void {
    const { floatWidth, intWidth } = this;
    if (floatWidth > 0) this.floats.set(other.floats.subarray(from * floatWidth, (from + 1) * floatWidth), to * floatWidth);
    if (intWidth > 0) this.ints.set(other.ints.subarray(from * intWidth, (from + 1) * intWidth), to * intWidth);
    this.numbers[to] = other.numbers[from] ?? 0;
  }
}
