import { type Database, quoteName, quoteText } from "./duckdb.ts";
import type { Field } from "./fields.ts";
import type { ColumnMapping } from "./mapping.ts";
import type { Statistics } from "./statistics.ts";

/** The text of a category, with what stands for a missing one. */
export function textOf(sql: string, { missing }: ColumnMapping): string {
  const text = `CAST((${sql}) AS VARCHAR)`;
  return missing === null ? text : `coalesce(${text}, ${quoteText(String(missing))})`;
}

/** An id that stands for a category which is none of the known ones, where that is an error. */
export const unknownCategory = -2;

/** Makes the types that turn categories into ids, once for a database. */
export async function createCategoryTypes(database: Database, fields: readonly Field[], { vocabularies }: Statistics): Promise<void> {
  for (const field of fields) {
    const values = categoriesOf(field, vocabularies);
    if (values.length > 0) await database.run(`CREATE TYPE ${typeOf(field)} AS ENUM (${values.map(quoteText).join(", ")})`);
  }
}

function categoriesOf({ key, categories }: Field, vocabularies: Statistics["vocabularies"]): readonly string[] {
  if (categories?.kind === "list") return categories.values;
  return categories?.kind === "learn" ? (vocabularies[key] ?? []) : [];
}

function typeOf({ key }: Field): string {
  return quoteName(`categories of ${key}`);
}

/**
 * The columns of a query that give the values of a field: DOUBLE for numbers, INTEGER for categories, DOUBLE[] and INTEGER[], nested or not, for lists. NULL
 * is missing; text that is no number is infinite.
 */
export function selectField(field: Field, statistics: Statistics): readonly string[] {
  const { expressions, shape, categories, mapping } = field;
  const isIds = categories !== null && categories.kind !== "ids";
  if (shape.length === 0) {
    return expressions.map(({ sql, type }) => (isIds ? categoryId(field, textOf(sql, mapping), statistics) : numberOf(sql, type)));
  }
  const brackets = "[]".repeat(shape.length);
  return expressions.map(({ sql, type }) => {
    if (isIds) {
      const id = (text: string) => categoryId(field, text, statistics);
      const step = (list: string, depth: number): string => {
        const variable = `plec_${depth}`;
        return `list_transform(${list}, lambda ${variable}: ${depth === 1 ? id(textOf(variable, mapping)) : step(variable, depth - 1)})`;
      };
      return step(`CAST((${sql}) AS VARCHAR${brackets})`, shape.length);
    }
    const wanted = `DOUBLE${brackets}`;
    if (mapping.fields !== null) {
      const members = mapping.fields.map((name) => `plec_step.${quoteName(name)}`);
      return `CAST(list_transform((${sql}), lambda plec_step: [${members.join(", ")}]) AS ${wanted})`;
    }
    if (type.includes("[")) return `CAST((${sql}) AS ${wanted})`;
    const wrong = `${"[".repeat(shape.length)}'inf'${"]".repeat(shape.length)}`;
    return `CASE WHEN (${sql}) IS NOT NULL THEN coalesce(TRY_CAST(CAST((${sql}) AS VARCHAR) AS ${wanted}), CAST(${wrong} AS ${wanted})) END`;
  });
}

function numberOf(sql: string, type: string): string {
  if (!/^(VARCHAR|JSON|ENUM)/.test(type)) return `CAST((${sql}) AS DOUBLE)`;
  return `CASE WHEN (${sql}) IS NOT NULL THEN coalesce(TRY_CAST(CAST((${sql}) AS VARCHAR) AS DOUBLE), CAST('inf' AS DOUBLE)) END`;
}

function categoryId(field: Field, text: string, { vocabularies }: Statistics): string {
  const { categories, vocabulary, mapping } = field;
  if (categories?.kind === "hash") return `CAST(md5_number_lower(${text}) % ${vocabulary ?? 1} AS INTEGER)`;
  const isLearnt = categories?.kind === "learn";
  const others = isLearnt ? 0 : (mapping.unknown ?? unknownCategory);
  const known =
    categoriesOf(field, vocabularies).length > 0 ? `enum_code(TRY_CAST(${text} AS ${typeOf(field)})) + ${isLearnt ? 1 : 0}` : "NULL";
  return `CASE WHEN ${text} IS NOT NULL THEN CAST(coalesce(${known}, ${others}) AS INTEGER) END`;
}
