/**
 * Dims: whole numbers, or polynomials with integer coefficients over symbols such as `B` and `T`, in a normal form in which equal dims have
 * equal keys.
 */
export type Dim = number | SymbolicDim;

interface Term {
  readonly coefficient: number;
  /** Sorted, with repeats for powers; empty for the constant term. */
  readonly symbols: readonly string[];
}

export class SymbolicDim {
  /** Sorted by symbols; at least one term has symbols. */
  readonly terms: readonly Term[];
  readonly key: string;

  private constructor(terms: readonly Term[]) {
    this.terms = terms;
    this.key = formatTerms(terms);
  }

  /** The normal form: a number when no symbol is left. */
  static of(terms: readonly Term[]): Dim {
    const [first] = terms;
    if (terms.length === 1 && first !== undefined && first.coefficient !== 0)
      return first.symbols.length === 0 ? first.coefficient : new SymbolicDim(terms);
    const byKey = new Map<string, Term>();
    for (const term of terms) {
      const key = term.symbols.join("*");
      const before = byKey.get(key);
      byKey.set(key, { symbols: term.symbols, coefficient: term.coefficient + (before?.coefficient ?? 0) });
    }
    const kept = [...byKey.entries()].filter(([, term]) => term.coefficient !== 0);
    if (kept.every(([key]) => key === "")) return kept[0]?.[1].coefficient ?? 0;
    kept.sort(([a], [b]) => (a === "" ? 1 : b === "" ? -1 : a < b ? -1 : 1));
    return new SymbolicDim(kept.map(([, term]) => term));
  }

  toString(): string {
    return this.key;
  }
}

function formatTerms(terms: readonly Term[]): string {
  return terms.map(formatTerm).reduce(joinTerms);
}

function formatTerm({ coefficient, symbols }: Term): string {
  const product = symbols.join("*");
  if (product === "") return String(coefficient);
  if (coefficient === 1) return product;
  if (coefficient === -1) return `-${product}`;
  return `${coefficient}*${product}`;
}

function joinTerms(text: string, term: string): string {
  return term.startsWith("-") ? `${text} - ${term.slice(1)}` : `${text} + ${term}`;
}

function termsOf(dim: Dim): readonly Term[] {
  return typeof dim === "number" ? [{ coefficient: dim, symbols: [] }] : dim.terms;
}

export function symbolDim(name: string): Dim {
  return SymbolicDim.of([{ coefficient: 1, symbols: [name] }]);
}

export function addDims(a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return a + b;
  return SymbolicDim.of([...termsOf(a), ...termsOf(b)]);
}

export function scaleDim(a: Dim, factor: number): Dim {
  if (typeof a === "number") return a * factor;
  if (factor === 1) return a;
  return SymbolicDim.of(a.terms.map(({ symbols, coefficient }) => ({ symbols, coefficient: coefficient * factor })));
}

export function subtractDims(a: Dim, b: Dim): Dim {
  return addDims(a, scaleDim(b, -1));
}

export function multiplyDims(a: Dim, b: Dim): Dim {
  if (typeof a === "number") return scaleDim(b, a);
  if (typeof b === "number") return scaleDim(a, b);
  return SymbolicDim.of(
    a.terms.flatMap((left) =>
      b.terms.map((right) => ({
        coefficient: left.coefficient * right.coefficient,
        symbols: [...left.symbols, ...right.symbols].sort(),
      })),
    ),
  );
}

/** a / b where that is exact for every value of the symbols, else null. Divides by a number or by a single term. */
export function divideDims(a: Dim, b: Dim): Dim | null {
  if (typeof a === "number" && typeof b === "number") return b !== 0 && a % b === 0 ? a / b : null;
  if (a === 0) return 0;
  if (dimsEqual(a, b)) return 1;
  const divisor = termsOf(b);
  if (divisor.length !== 1) return null;
  const by = divisor[0] as Term;
  const terms: Term[] = [];
  for (const term of termsOf(a)) {
    if (by.coefficient === 0 || term.coefficient % by.coefficient !== 0) return null;
    const symbols = [...term.symbols];
    for (const symbol of by.symbols) {
      const at = symbols.indexOf(symbol);
      if (at < 0) return null;
      symbols.splice(at, 1);
    }
    terms.push({ coefficient: term.coefficient / by.coefficient, symbols });
  }
  return SymbolicDim.of(terms);
}

/** True when equal for every value of the symbols. */
export function dimsEqual(a: Dim, b: Dim): boolean {
  if (typeof a === "number" || typeof b === "number") return a === b;
  return a === b || a.key === b.key;
}

export function formatDim(dim: Dim): string {
  return typeof dim === "number" ? String(dim) : dim.key;
}

export function formatShape(shape: readonly Dim[]): string {
  return `[${shape.map(formatDim).join(", ")}]`;
}

export function symbolsOf(dim: Dim): readonly string[] {
  if (typeof dim === "number") return [];
  return [...new Set(dim.terms.flatMap((term) => term.symbols))];
}

/** The value of a dim once every symbol is known; throws on an unknown symbol. */
export function evaluateDim(dim: Dim, symbols: ReadonlyMap<string, number>): number {
  if (typeof dim === "number") return dim;
  let total = 0;
  for (const term of dim.terms) {
    let product = term.coefficient;
    for (const symbol of term.symbols) {
      const value = symbols.get(symbol);
      if (value === undefined) throw new Error(`dim symbol ${symbol} has no value`);
      product *= value;
    }
    total += product;
  }
  return total;
}
