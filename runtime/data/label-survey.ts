import type { ReportData } from "./catalogue.ts";
import type { Field } from "./fields.ts";
import type { PackedRows } from "./row-layout.ts";

/** What one split holds of a task's labels. */
export interface LabelSummary {
  readonly task: string;
  readonly kind: string;
  readonly split: string;
  readonly known: number;
  readonly missing: number;
  /** Of binary labels the rate of positives, of a regression the mean; null for others, and where none is known. */
  readonly mean: number | null;
  /** Rows of each class; null for other kinds. */
  readonly classes: readonly number[] | null;
}

interface Counts {
  known: number;
  missing: number;
  sum: number;
  readonly classes: Float64Array;
}

/** Counts labels by split. A label that is a list counts by its first value. */
export class LabelSurvey {
  readonly #splits: readonly string[];
  readonly #counts: ReadonlyMap<Field, readonly Counts[]>;

  constructor(fields: readonly Field[], splits: readonly string[]) {
    this.#splits = splits;
    const labels = fields.filter(({ label }) => label !== null);
    const empty = (field: Field) => (): Counts => ({ known: 0, missing: 0, sum: 0, classes: new Float64Array(field.vocabulary ?? 0) });
    this.#counts = new Map(labels.map((field) => [field, splits.map(empty(field))]));
  }

  add(rows: PackedRows, splits: ArrayLike<number>, count: number): void {
    for (const [{ tensor, label }, bySplit] of this.#counts) {
      const isFloat = tensor.dtype === "f32";
      const [data, stride] = isFloat ? [rows.floats, rows.floatWidth] : [rows.ints, rows.intWidth];
      const isMissing = label?.kind === "binary" || label?.kind === "classes" ? (value: number) => value < 0 : Number.isNaN;
      for (let row = 0; row < count; row++) {
        const counts = bySplit[splits[row] ?? 0];
        if (counts === undefined) continue;
        const value = data[row * stride + tensor.offset] as number;
        if (isMissing(value)) counts.missing += 1;
        else {
          counts.known += 1;
          counts.sum += value;
          if (counts.classes.length > 0) counts.classes[value] = (counts.classes[value] ?? 0) + 1;
        }
      }
    }
  }

  /** Warns of splits in which a task has one outcome, or no label at all. */
  report(report: ReportData): void {
    for (const [{ label, mapping }, bySplit] of this.#counts) {
      bySplit.forEach(({ known, missing, sum, classes }, i) => {
        const split = `split \`${this.#splits[i]}\``;
        const outcomes =
          label?.kind === "binary" ? Number(sum > 0) + Number(sum < known) : classes.reduce((total, n) => total + Number(n > 0), 0);
        const counted = label?.kind === "binary" || label?.kind === "classes";
        if (known === 0 && missing > 0) report("data/one-class", mapping.span, { task: mapping.target, split, value: "missing" });
        else if (known > 1 && counted && outcomes === 1)
          report("data/one-class", mapping.span, { task: mapping.target, split, value: "the same" });
      });
    }
  }

  finish(): readonly LabelSummary[] {
    return [...this.#counts].flatMap(([{ mapping, label }, bySplit]) =>
      bySplit.map(({ known, missing, sum, classes }, i) => ({
        task: mapping.target,
        kind: label?.kind ?? "",
        split: this.#splits[i] ?? "",
        known,
        missing,
        mean: known > 0 && (label?.kind === "binary" || label?.kind === "regression") ? sum / known : null,
        classes: classes.length > 0 ? Array.from(classes) : null,
      })),
    );
  }
}
