/** What can differ between two models. */
export const areas = [
  "inputs",
  "experts",
  "groups",
  "tasks",
  "transfers",
  "order",
  "outputs",
  "penalties",
  "computation",
  "parameters",
  "train",
] as const;

export type Area = (typeof areas)[number];

/** One difference of the architecture. */
export interface Change {
  readonly area: Area;
  readonly kind: "added" | "removed" | "changed";
  /** What it is: `features.base.rfm`, `ctr loss`, `shared/deepfm/W`. */
  readonly name: string;
  readonly before: string | null;
  readonly after: string | null;
  /** Why callers of the model break; null when they do not. */
  readonly breaking: string | null;
}

/** Pairs of equal name, in the order of `after`, with what was removed at its end. */
export function pair<T>(
  before: readonly T[],
  after: readonly T[],
  nameOf: (item: T) => string,
): readonly { readonly name: string; readonly before: T | null; readonly after: T | null }[] {
  const [old, now] = [before, after].map((items) => new Map(items.map((item) => [nameOf(item), item]))) as [Map<string, T>, Map<string, T>];
  return [
    ...[...now].map(([name, item]) => ({ name, before: old.get(name) ?? null, after: item })),
    ...[...old].flatMap(([name, item]) => (now.has(name) ? [] : [{ name, before: item, after: null }])),
  ];
}

/** A change of one property; nothing where the texts are equal. */
export function changed(area: Area, name: string, before: string, after: string, breaking: string | null = null): readonly Change[] {
  return before === after ? [] : [{ area, kind: "changed", name, before, after, breaking }];
}

export const added = (area: Area, name: string, after: string | null, breaking: string | null = null): Change => ({
  area,
  kind: "added",
  name,
  before: null,
  after,
  breaking,
});

export const removed = (area: Area, name: string, before: string | null, breaking: string | null = null): Change => ({
  area,
  kind: "removed",
  name,
  before,
  after: null,
  breaking,
});

/** Plain data on one line: `{ a: 1, b: [2, 3] }`. */
export function formatPlain(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(formatPlain).join(", ")}]`;
  if (typeof value === "object" && value !== null) return `{ ${formatSettings(value)} }`;
  return typeof value === "string" ? value : String(value);
}

export function formatSettings(settings: object): string {
  return Object.entries(settings)
    .map(([key, value]) => (key.startsWith("#") ? formatPlain(value) : `${key}: ${formatPlain(value)}`))
    .join(", ");
}
