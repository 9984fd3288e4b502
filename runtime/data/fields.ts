import type { Span } from "../../dsl/source.ts";
import { closest } from "../../dsl/suggest.ts";
import { resolveColumn } from "../column-path.ts";
import type { InputDescription, ModelDescription } from "../description.ts";
import { batchSymbol } from "../inputs.ts";
import type { ReportData } from "./catalogue.ts";
import { type DataContract, type LabelDescription, labelName } from "./contract.ts";
import { type Database, enclosed, quoteName } from "./duckdb.ts";
import { describe, expressionProblem, reportVolatile, suggest, suggestColumn } from "./expression.ts";
import type { CategoryMapping, ColumnMapping, Mapping } from "./mapping.ts";
import type { TensorLayout } from "./row-layout.ts";
import type { DataTable } from "./source.ts";

/** A part of a tensor and the expressions that fill it. */
export interface Field {
  readonly mapping: ColumnMapping;
  /** Names its statistics: the mapping's target, for labels with `label/` before it. */
  readonly key: string;
  readonly tensor: TensorLayout;
  /** Its first value within the tensor's row. */
  readonly start: number;
  /** Dims of its list; empty for scalars. Steps first. */
  readonly shape: readonly number[];
  /** SQL over the columns of the table, with the name to show: one expression, or one for each value. */
  readonly expressions: readonly { readonly sql: string; readonly shown: string; readonly type: string }[];
  readonly categories: CategoryMapping | null;
  /** Ids or classes are in [0, vocabulary). */
  readonly vocabulary: number | null;
  readonly label: LabelDescription | null;
  readonly mask: TensorLayout | null;
}

export interface BoundFields {
  readonly tensors: readonly TensorLayout[];
  readonly fields: readonly Field[];
  readonly floatWidth: number;
  readonly intWidth: number;
}

const numeric = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\)|BOOLEAN)$/;
const textual = /^(VARCHAR|JSON|ENUM\(.*\))$/;

/** Binds a mapping to what a model takes and to the columns that are there; null once a finding says what does not fit. */
export async function bindFields(
  database: Database,
  table: DataTable,
  mapping: Mapping,
  contract: DataContract,
  report: ReportData,
  failed: () => boolean,
): Promise<BoundFields | null> {
  const binder = new Binder(database, table, contract, report);
  await binder.bind(mapping);
  return failed() ? null : binder.finish();
}

class Binder {
  readonly #database: Database;
  readonly #table: DataTable;
  readonly #contract: DataContract;
  readonly #report: ReportData;
  readonly #tensors = new Map<string, TensorLayout>();
  readonly #fields: Field[] = [];
  #floatWidth = 0;
  #intWidth = 0;

  constructor(database: Database, table: DataTable, contract: DataContract, report: ReportData) {
    this.#database = database;
    this.#table = table;
    this.#contract = contract;
    this.#report = report;
  }

  async bind({ inputs, labels }: Mapping): Promise<void> {
    for (const entry of inputs) await this.#bindInput(entry);
    for (const input of this.#contract.inputs) this.#checkCovered(input, inputs);
    // Without labels in the contract the mapping's own are not read: prediction needs none.
    if (this.#contract.labels.length > 0) for (const entry of labels) await this.#bindLabel(entry);
    for (const label of this.#contract.labels) {
      if (this.#tensors.has(labelName(label.task))) continue;
      this.#tensors.set(labelName(label.task), this.#labelLayout(label, false));
      if (!labels.some(({ target }) => target === label.task)) this.#report("data/no-label", null, { task: label.task });
    }
  }

  finish(): BoundFields {
    return { tensors: [...this.#tensors.values()], fields: this.#fields, floatWidth: this.#floatWidth, intWidth: this.#intWidth };
  }

  // ── inputs ────────────────────────────────────────────────────────────────

  async #bindInput(entry: ColumnMapping): Promise<void> {
    const model: Pick<ModelDescription, "inputs"> = this.#contract;
    const target = resolveColumn(model as ModelDescription, entry.target);
    if (target === null) {
      const names = model.inputs.flatMap(({ name, slices }) => [name, ...slices.map((slice) => `${name}.${slice.name}`)]);
      const near = closest(entry.target, names);
      this.#report(
        "data/unknown-input",
        entry.span,
        { what: "input", name: entry.target },
        { help: near === null ? null : `did you mean \`${near}\`?` },
      );
      return;
    }
    const { input } = target;
    const tensor = this.#tensor(input, entry);
    if (tensor === null) return;
    const width = target.whole ? tensor.width : (target.length ?? 1);
    const shape = target.whole
      ? tensor.rowShape.length === 1 && width === 1 && tensor.symbol === null
        ? []
        : tensor.rowShape
      : width === 1
        ? []
        : [width];
    const mask = entry.mask === null ? null : this.#mask(entry, tensor, shape);
    await this.#addField(entry, {
      key: entry.target,
      tensor,
      start: target.start,
      shape,
      width,
      categories: entry.categories,
      vocabulary: input.vocabulary,
      label: null,
      mask,
    });
  }

  #tensor(input: InputDescription, entry: ColumnMapping | null): TensorLayout | null {
    const before = this.#tensors.get(input.name);
    if (before !== undefined) return before;
    const [batch, ...dims] = input.shape;
    const open = dims.filter((dim): dim is string => typeof dim === "string");
    const symbol = open[0] ?? null;
    const setting = (message: string): null => {
      this.#report("data/setting", entry?.span ?? null, { message });
      return null;
    };
    if (batch !== batchSymbol) return setting(`input \`${input.name}\` has no batch axis and cannot come from rows`);
    if (open.length > 1 || (symbol !== null && dims[0] !== symbol))
      return setting(`input \`${input.name}\` has an open dim that is not its first one after the batch`);
    if (symbol !== null && entry !== null && entry.length === null)
      return setting(`input \`${input.name}\` leaves \`${symbol}\` open: say with \`length\` how many steps are kept at most`);
    const rowShape = dims.map((dim) => (typeof dim === "number" ? dim : (entry?.length ?? 1)));
    const tensor = this.#place({ ...input, rowShape, symbol }, entry !== null);
    this.#tensors.set(input.name, tensor);
    return tensor;
  }

  #place(what: Pick<TensorLayout, "name" | "dtype" | "rowShape" | "symbol" | "fill" | "optional">, isGiven: boolean): TensorLayout {
    const { name, dtype, rowShape, symbol, fill, optional } = what;
    const width = rowShape.reduce((product, dim) => product * dim, 1);
    let offset = -1;
    let lengthOffset = -1;
    if (isGiven) {
      offset = dtype === "f32" ? this.#floatWidth : this.#intWidth;
      if (dtype === "f32") this.#floatWidth += width;
      else this.#intWidth += width;
      if (symbol !== null) lengthOffset = this.#intWidth++;
    }
    return { name, dtype, rowShape, width, symbol, fill, optional, offset, lengthOffset };
  }

  #mask(entry: ColumnMapping, tensor: TensorLayout, shape: readonly number[]): TensorLayout | null {
    const input = this.#contract.inputs.find(({ name }) => name === entry.mask);
    if (input === undefined || entry.mask === null) {
      const near = closest(
        entry.mask ?? "",
        this.#contract.inputs.map(({ name }) => name),
      );
      this.#report(
        "data/unknown-input",
        entry.span,
        { what: "input", name: entry.mask ?? "" },
        { help: near === null ? null : `did you mean \`${near}\`?` },
      );
      return null;
    }
    const [, steps] = input.shape;
    const fits =
      input.shape.length === 2 && (steps === tensor.rowShape[0] || (steps === tensor.symbol && steps !== undefined)) && shape.length > 0;
    if (!fits || this.#tensors.has(input.name)) {
      const message = fits
        ? `\`${input.name}\` is filled twice`
        : `\`${input.name}\` is no mask of \`${entry.target}\`: it needs the shape [B, steps]`;
      this.#report("data/setting", entry.span, { message });
      return null;
    }
    return this.#tensor(input, { ...entry, length: tensor.rowShape[0] ?? 1 });
  }

  /** Every required input is mapped, and each one whole or not at all. */
  #checkCovered(input: InputDescription, entries: readonly ColumnMapping[]): void {
    const tensor = this.#tensors.get(input.name);
    const own = entries.filter(({ target }) => target.split(".")[0] === input.name);
    if (tensor === undefined) {
      if (own.length > 0) return;
      if (!input.optional) this.#report("data/no-input", null, { input: input.name });
      else this.#tensor(input, null);
      return;
    }
    const covered = new Uint8Array(tensor.width);
    for (const field of this.#fields.filter((candidate) => candidate.tensor === tensor)) {
      const end =
        field.start +
        Math.max(
          1,
          field.expressions.length,
          field.shape.reduce((product, dim) => product * dim, 1),
        );
      if (covered.subarray(field.start, end).includes(1)) this.#report("data/twice", field.mapping.span, { input: input.name });
      covered.fill(1, field.start, end);
    }
    const missing = covered.reduce((count, flag) => count + 1 - flag, 0);
    const isMask = own.length === 0;
    if (missing > 0 && !isMask && this.#fields.filter((field) => field.tensor === tensor).length === own.length)
      this.#report("data/uncovered", own[0]?.span ?? null, { missing, width: tensor.width, input: input.name });
  }

  // ── labels ────────────────────────────────────────────────────────────────

  async #bindLabel(entry: ColumnMapping): Promise<void> {
    const label = this.#contract.labels.find(({ task }) => task === entry.target);
    if (label === undefined) {
      const near = closest(
        entry.target,
        this.#contract.labels.map(({ task }) => task),
      );
      const help = near === null ? "a label belongs to an enabled task that has a loss" : `did you mean \`${near}\`?`;
      this.#report("data/unknown-input", entry.span, { what: "task with a loss called", name: entry.target }, { help });
      return;
    }
    const isClasses = label.kind === "classes";
    if (entry.categories !== null && (!isClasses || entry.categories.kind !== "list")) {
      const message = isClasses
        ? `the classes of \`${label.task}\` need a fixed order: \`categories: [...]\``
        : `\`${label.task}\` is no task of classes`;
      this.#report("data/setting", entry.span, { message });
      return;
    }
    if (entry.scale.length > 0 && label.kind !== "regression") {
      this.#report("data/setting", entry.span, { message: `\`scale\` is for regressions; \`${label.task}\` is ${label.kind}` });
      return;
    }
    const tensor = this.#labelLayout(label, true);
    this.#tensors.set(tensor.name, tensor);
    const isScalar = label.kind === "binary" || isClasses || (label.kind === "regression" && label.width === 1);
    await this.#addField(entry, {
      key: tensor.name,
      tensor,
      start: 0,
      shape: isScalar ? [] : [label.width],
      width: isScalar ? 1 : label.width,
      categories: entry.categories,
      vocabulary: isClasses ? label.width : null,
      label,
      mask: null,
    });
  }

  #labelLayout({ task, kind, width }: LabelDescription, isGiven: boolean): TensorLayout {
    const isScalar = kind === "binary" || kind === "classes" || (kind === "regression" && width === 1);
    const what = {
      name: labelName(task),
      dtype: kind === "classes" ? "i32" : "f32",
      rowShape: isScalar ? [] : [width],
      symbol: null,
    } as const;
    return this.#place({ ...what, fill: kind === "binary" || kind === "classes" ? -1 : Number.NaN, optional: true }, isGiven);
  }

  // ── expressions ───────────────────────────────────────────────────────────

  async #addField(entry: ColumnMapping, part: Omit<Field, "mapping" | "expressions"> & { readonly width: number }): Promise<void> {
    const { width, ...field } = part;
    const expressions = await this.#expressions(entry, width);
    if (expressions === null || expressions.length === 0) return;
    const shape = entry.from.kind === "columns" ? [] : field.shape;
    const [first] = expressions;
    const categories = this.#categoriesOf(entry, field, first?.type ?? "");
    if (
      this.#settingsFit(entry, { ...field, shape, categories }) &&
      expressions.every(({ type, shown }) => this.#typeFits(entry, shown, type, { ...field, shape, categories }))
    )
      this.#fields.push({ ...field, shape, categories, mapping: entry, expressions });
  }

  async #expressions(entry: ColumnMapping, width: number): Promise<Field["expressions"] | null> {
    const { from } = entry;
    const { columns, place, name } = this.#table;
    if (from.kind === "sql") {
      if (reportVolatile(from, this.#report)) return null;
      const sql = enclosed(from.sql);
      const problem = await expressionProblem(this.#database, sql, name);
      if (problem !== null) {
        this.#report("data/sql", from.span, { reason: problem.reason }, { help: suggest(problem, columns) });
        return null;
      }
      const [type] = [...(await describe(this.#database, `SELECT ${sql} FROM ${name}`)).values()];
      return [{ sql, shown: from.sql, type: type ?? "" }];
    }
    const names = from.kind === "column" ? [from.name] : from.names.flatMap((pattern) => matchColumns(pattern, columns));
    const unknown = names.filter((column) => !columns.has(column));
    for (const column of unknown) this.#report("data/no-column", from.span, { place, column }, { help: suggestColumn(column, columns) });
    if (unknown.length > 0) return null;
    if (from.kind === "columns" && names.length !== width) {
      this.#report("data/setting", from.span, { message: `${names.length} columns where \`${entry.target}\` has ${width} values` });
      return null;
    }
    return names.map((column) => ({ sql: quoteName(column), shown: column, type: columns.get(column) ?? "" }));
  }

  #categoriesOf(entry: ColumnMapping, { vocabulary, label }: Pick<Field, "vocabulary" | "label">, type: string): CategoryMapping | null {
    if (vocabulary === null) return null;
    if (entry.categories !== null) return entry.categories;
    return label === null && textual.test(type.replace(/(\[\d*\])+$/, "")) ? { kind: "learn", most: null } : { kind: "ids" };
  }

  #settingsFit(entry: ColumnMapping, field: Pick<Field, "categories" | "shape" | "tensor" | "vocabulary" | "label">): boolean {
    const isList = field.shape.length > 0;
    const isText = field.categories !== null && field.categories.kind !== "ids";
    const wrong = [
      entry.categories !== null && field.vocabulary === null && "`categories` are for inputs of ids and tasks of classes",
      entry.scale.length > 0 && (field.tensor.dtype !== "f32" || field.categories !== null) && "`scale` is for f32 values",
      entry.unknown !== null && field.categories?.kind !== "list" && "`unknown` goes with a list of `categories`",
      entry.unknown !== null &&
        field.vocabulary !== null &&
        entry.unknown >= field.vocabulary &&
        `\`unknown: ${entry.unknown}\` is not in 0..${field.vocabulary - 1}`,
      !isList &&
        (entry.mask !== null || entry.keep !== null || entry.pad !== null || entry.fields !== null) &&
        "`mask`, `keep`, `pad` and `fields` are for lists",
      entry.length !== null && field.tensor.symbol === null && "`length` is for inputs whose length the model leaves open",
      entry.fields !== null &&
        entry.fields.length !== field.shape[1] &&
        `\`fields\` names ${entry.fields?.length ?? 0} values of a step, which has ${field.shape[1] ?? 1}`,
      field.categories?.kind === "list" &&
        field.vocabulary !== null &&
        field.categories.values.length > field.vocabulary &&
        `${field.categories.values.length} categories where the model has ${field.vocabulary}`,
      typeof entry.missing === "string" &&
        !isText &&
        !(entry.missing === "mean" && field.tensor.dtype === "f32") &&
        "`missing` is a number here, or `mean`",
      entry.missing !== null && field.label !== null && "a missing label stays missing",
    ].filter((message) => message !== false);
    for (const message of wrong) this.#report("data/setting", entry.span, { message: `\`${entry.target}\`: ${message}` });
    return wrong.length === 0;
  }

  #typeFits(entry: ColumnMapping, shown: string, type: string, { categories, shape }: Pick<Field, "categories" | "shape">): boolean {
    const depth = type.match(/\[\d*\]/g)?.length ?? 0;
    const base = type.replace(/(\[\d*\])+$/, "");
    const isText = categories !== null && categories.kind !== "ids";
    const goodBase = isText ? textual.test(base) || numeric.test(base) : numeric.test(base) || textual.test(base);
    const isTextList = shape.length > 0 && depth === 0 && textual.test(base);
    const structs = entry.fields !== null && base.startsWith("STRUCT(") && depth === 1 && shape.length === 2;
    if (structs || isTextList || (goodBase && depth === shape.length)) return true;
    const kind = isText ? "text" : "numbers";
    const expected =
      shape.length === 0 ? (isText ? "text" : "a number") : `${shape.length === 1 ? "a list" : "a list of lists"} of ${kind}`;
    const span: Span | null = entry.from.span;
    this.#report("data/type", span, { place: this.#table.place, column: shown, found: type, name: entry.target, expected });
    return false;
  }
}

/** `f_*` stands for all columns that begin so, in the order of the file. */
function matchColumns(pattern: string, columns: ReadonlyMap<string, string>): readonly string[] {
  if (!pattern.includes("*") || columns.has(pattern)) return [pattern];
  const steps = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const regex = new RegExp(`^${steps.join(".*")}$`);
  const found = [...columns.keys()].filter((name) => regex.test(name));
  return found.length === 0 ? [pattern] : found;
}
