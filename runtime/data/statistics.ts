import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { dataReporter, type ReportData } from "./catalogue.ts";
import type { Database } from "./duckdb.ts";
import { splitColumn } from "./expression.ts";
import type { BoundFields, Field } from "./fields.ts";
import type { ColumnMapping, Mapping } from "./mapping.ts";
import type { Moments } from "./scale.ts";
import { textOf } from "./select.ts";
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

/**
 * Reads the categories of the training rows, the most frequent first and ties in order of their text. DuckDB counts them in one pass over the rows, on disk
 * where it has to, and gives no more of them than there is room for.
 */
export async function learnVocabularies(
  database: Database,
  table: DataTable,
  { fields }: BoundFields,
  report: ReportData,
): Promise<Statistics["vocabularies"]> {
  const learnt = fields.filter(({ categories }) => categories?.kind === "learn");
  if (learnt.length === 0) return {};
  const ranked = await database.rows(`
    WITH counts AS (SELECT field, category, count(*) AS n FROM (${categoriesOf(learnt, table)}) WHERE category IS NOT NULL GROUP BY ALL),
    ranked AS (
      SELECT field, category, row_number() OVER (PARTITION BY field ORDER BY n DESC, category) AS place, count(*) OVER (PARTITION BY field) AS found
      FROM counts
    )
    SELECT field, category, found FROM ranked WHERE place <= list_extract([${learnt.map((field) => Math.max(1, limitOf(field))).join(", ")}], field + 1) ORDER BY field, place`);
  const chosen = learnt.map((): string[] => []);
  const found = learnt.map(() => 0);
  for (const row of ranked) {
    chosen[Number(row.field)]?.push(String(row.category));
    found[Number(row.field)] = Number(row.found);
  }
  for (const [i, field] of learnt.entries()) checkRoom(field, found[i] ?? 0, report);
  return Object.fromEntries(learnt.map((field, i) => [field.key, chosen[i]?.slice(0, limitOf(field)) ?? []]));
}

/** SQL for every category of every training row: the field that it is of, by its place among them, and its text. */
function categoriesOf(learnt: readonly Field[], { name }: DataTable): string {
  const rows = `FROM ${name} WHERE ${splitColumn} = 0`;
  const numbered = learnt.map((field, i) => ({ field, i }));
  const columns = numbered.flatMap(({ field, i }) =>
    field.shape.length > 0 ? [] : field.expressions.map(({ sql }) => ({ i, text: textOf(sql, field.mapping) })),
  );
  const ofColumns = `SELECT unnest([${columns.map(({ i }) => i).join(", ")}]) AS field, unnest([${columns.map(({ text }) => text).join(", ")}]) AS category ${rows}`;
  const ofLists = numbered.flatMap(({ field: { shape, expressions, mapping }, i }) =>
    shape.length === 0
      ? []
      : expressions.map(({ sql }) => {
          const list = shape.length > 1 ? `flatten(CAST(${sql} AS VARCHAR[][]))` : `CAST(${sql} AS VARCHAR[])`;
          return `SELECT ${i} AS field, ${textOf("item", mapping)} AS category FROM (SELECT unnest(${list}) AS item ${rows})`;
        }),
  );
  return [...(columns.length > 0 ? [ofColumns] : []), ...ofLists].join(" UNION ALL ");
}

/** How many categories a field may keep: id 0 stands for the others. */
function limitOf({ vocabulary, categories }: Field): number {
  const room = (vocabulary ?? 1) - 1;
  const most = categories?.kind === "learn" ? categories.most : null;
  return most === null ? room : Math.min(most, room);
}

function checkRoom({ vocabulary, categories, mapping }: Field, found: number, report: ReportData): void {
  const room = (vocabulary ?? 1) - 1;
  const most = categories?.kind === "learn" ? categories.most : null;
  const wanted = most === null ? found : Math.min(most, found);
  if (wanted <= room) return;
  const help =
    most === null ? `id[B] of ${found + 1} has room for all; \`most: ${room}\` keeps the most frequent` : `\`most: ${room}\` fits`;
  report("data/vocabulary", mapping.span, { name: mapping.target, found: wanted, room }, { help });
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
