import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { dataReporter, type ReportData } from "./catalogue.ts";
import type { Database } from "./duckdb.ts";
import type { BoundFields, Field } from "./fields.ts";
import type { ColumnMapping, Mapping } from "./mapping.ts";
import type { Moments } from "./scale.ts";
import { textOf } from "./select.ts";
import { splitColumn } from "./expression.ts";
import type { DataTable } from "./source.ts";

/** What was learned on the training rows, by the mapping's target (`numeric.age`, `label/ltv`). */
export interface Statistics {
  /** Training rows that it was learned on. */
  readonly rows: number;
  readonly moments: Readonly<Record<string, Moments>>;
  /** Categories in order of their ids, the first of them having id 1. */
  readonly vocabularies: Readonly<Record<string, readonly string[]>>;
}

/** A mapping with what was learned for it: all that turns rows into batches again. Kept with the weights. */
export interface Preparation {
  readonly mapping: Mapping;
  readonly statistics: Statistics;
}

/** Reads the categories of the training rows, the most frequent first and ties in order of their text. */
export async function learnVocabularies(
  database: Database,
  table: DataTable,
  { fields }: BoundFields,
  report: ReportData,
): Promise<Statistics["vocabularies"]> {
  const learnt = fields.filter(({ categories }) => categories?.kind === "learn");
  const vocabularies: Record<string, readonly string[]> = {};
  const rows = `FROM ${table.name} WHERE ${splitColumn} = 0`;
  const scalars = learnt.filter(({ shape }) => shape.length === 0);
  const counted = new Map<Field, Map<string, number>>();
  const columns = scalars.flatMap((field) => field.expressions.map(({ sql }) => ({ field, sql: textOf(sql, field.mapping) })));
  if (columns.length > 0) {
    const [found] = await database.rows(`SELECT ${columns.map(({ sql }, i) => `histogram(${sql}) AS c${i}`).join(", ")} ${rows}`);
    for (const [i, { field }] of columns.entries()) addCounts(counted, field, found?.[`c${i}`]);
  }
  for (const field of learnt.filter(({ shape }) => shape.length > 0)) {
    const [expression] = field.expressions;
    const list = field.shape.length > 1 ? `flatten(CAST(${expression?.sql} AS VARCHAR[][]))` : `CAST(${expression?.sql} AS VARCHAR[])`;
    const [found] = await database.rows(`SELECT histogram(v) AS c FROM (SELECT unnest(${list}) AS v ${rows})`);
    addCounts(counted, field, found?.c);
  }
  for (const field of learnt) vocabularies[field.key] = chooseCategories(field, counted.get(field) ?? new Map(), report);
  return vocabularies;
}

function addCounts(counted: Map<Field, Map<string, number>>, field: Field, histogram: unknown): void {
  const counts = counted.get(field) ?? new Map<string, number>();
  counted.set(field, counts);
  // A MAP of DuckDB; null where there are no values.
  const entries: unknown = typeof histogram === "object" && histogram !== null ? Reflect.get(histogram, "entries") : [];
  if (!Array.isArray(entries)) return;
  for (const { key, value } of entries as readonly { readonly key: unknown; readonly value: unknown }[]) {
    if (typeof key === "string") counts.set(key, (counts.get(key) ?? 0) + Number(value));
  }
}

function chooseCategories(field: Field, counts: ReadonlyMap<string, number>, report: ReportData): readonly string[] {
  const sorted = [...counts].sort(([a, na], [b, nb]) => nb - na || (a < b ? -1 : 1)).map(([value]) => value);
  const room = (field.vocabulary ?? 1) - 1;
  const most = field.categories?.kind === "learn" ? field.categories.most : null;
  const wanted = most === null ? sorted.length : Math.min(most, sorted.length);
  if (wanted > room) {
    const help =
      most === null
        ? `id[B] of ${sorted.length + 1} has room for all; \`most: ${room}\` keeps the most frequent`
        : `\`most: ${room}\` fits`;
    report("data/vocabulary", field.mapping.span, { name: field.mapping.target, found: wanted, room }, { help });
  }
  return sorted.slice(0, wanted);
}

// ── as JSON ─────────────────────────────────────────────────────────────────

const version = 1;

export function preparationToJson({ mapping, statistics }: Preparation): string {
  return JSON.stringify({ version, mapping, statistics }, (key, value: unknown) => (key === "span" ? undefined : value));
}

/** Reads what `preparationToJson` wrote; null once a finding says what is wrong. `place` is the file, as shown to the user. */
export function preparationFromJson(place: string, text: string, diagnostics: Diagnostic[]): Preparation | null {
  const report = dataReporter(diagnostics);
  const fail = (problem: string): null => {
    report("data/statistics", null, { place, problem });
    return null;
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fail("this is not JSON");
  }
  if (!isPlainObject(value) || !isPlainObject(value.mapping) || !isPlainObject(value.statistics))
    return fail("this holds no mapping with statistics");
  if (value.version !== version) return fail(`version ${String(value.version)} of the statistics is not known to this plec`);
  // Past the version, the layout is what preparationToJson wrote.
  const { mapping, statistics } = value as unknown as { readonly mapping: Mapping; readonly statistics: Statistics };
  return { mapping: withoutSpans(mapping), statistics };
}

function withoutSpans({ source, where, splits, inputs, labels }: Mapping): Mapping {
  const plain = (entry: ColumnMapping): ColumnMapping => ({ ...entry, from: { ...entry.from, span: null }, span: null });
  return {
    source: { ...source, span: null },
    where: where === null ? null : { ...where, span: null },
    splits: splits.map((split) => ({ ...split, span: null })),
    inputs: inputs.map(plain),
    labels: labels.map(plain),
  };
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
