/** What JSON can hold. */
export type FieldType = "number" | "string" | "object" | "list";

/** Gives a value that has these fields. @throws SyntaxError that names the first which it has not */
export function requireFields<T>(value: T, fields: Readonly<Record<string, FieldType>>): T {
  if (typeOf(value) !== "object") throw new SyntaxError("it holds no object");
  const given = value as Readonly<Record<string, unknown>>;
  for (const [name, type] of Object.entries(fields))
    if (typeOf(given[name]) !== type) throw new SyntaxError(`its \`${name}\` is no ${type}`);
  return value;
}

function typeOf(value: unknown): string {
  return Array.isArray(value) ? "list" : value === null ? "nothing" : typeof value;
}
