import type { Operand } from "../ir/algebra.ts";
import type { Dim } from "../ir/dim.ts";
import { multiplyDims } from "../ir/dim.ts";
import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";

/**
 * A prime below 2048 for which x ↦ x³ is a permutation of the residues (3 does not divide p - 1). A product of two residues is below 2^22, where float32 is
 * exact, and so is `modulo`: every engine draws the same masks, bit for bit.
 */
const p = 2039;

/** Digits of indices and seeds; powers of two divide without rounding. */
const digitBase = 1024;

/** What the masks of one step depend on beside the place of the dropout. */
export interface DropoutSource {
  /** f32[]: a whole number below 2^20. */
  readonly seed: Value;
  /** f32[]: a whole number below 2^24. */
  readonly step: Value;
}

/**
 * Dropout by masks that are computed in the graph. Each row of the batch draws three residues (a, b, c) from a hash of its index, the seed and the step;
 * the element in column j of site s is kept where (a j + b s + c)³ mod p reaches the rate.
 */
export class DropoutMasks {
  readonly #f: Formula;
  readonly #source: () => DropoutSource;
  readonly #lanes = new Map<string, readonly [Value, Value, Value]>();
  /** Sites so far: each takes as many as its columns need. */
  #sites = 1;

  constructor(f: Formula, source: () => DropoutSource) {
    this.#f = f;
    this.#source = source;
  }

  /** x · mask / (share kept), the same shape as x, whose first axis holds the rows. */
  apply(x: Value, rate: number): Value {
    const f = this.#f;
    const dropped = Math.round(rate * p);
    if (dropped === 0) return x;
    const [rows = 1, ...rest] = x.type.shape;
    const columns = rest.reduce<Dim>(multiplyDims, 1);
    const [a, b, c] = this.#lanesOf(rows);
    const index = f.op("arange", [], { length: columns });
    const site = this.#siteOf(columns, index);
    const column = typeof columns === "number" && columns <= p ? index : modulo(f, index);
    const mixed = modulo(f, f.add(f.mul(a, column), modulo(f, f.add(f.mul(b, site), c))));
    const kept = f.f32(f.ge(cube(f, mixed), dropped));
    const scaled = f.mul(kept, p / (p - dropped));
    return f.mul(x, f.reshape(scaled, x.type.shape));
  }

  /** A number for the site; where there are more columns than residues, one for each p columns. Sites of unknown width get room for p² columns. */
  #siteOf(columns: Dim, index: Value): Operand {
    const f = this.#f;
    const site = this.#sites;
    this.#sites += typeof columns === "number" ? Math.ceil(columns / p) : p;
    if (typeof columns === "number" && columns <= p) return site % p;
    return modulo(f, f.add(site % p, f.floor(f.mul(f.add(index, 0.5), 1 / p))));
  }

  /** f32[rows, 1] each: residues that depend on the row, the seed and the step; the first is not 0. */
  #lanesOf(rows: Dim): readonly [Value, Value, Value] {
    const key = typeof rows === "number" ? String(rows) : rows.key;
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    const f = this.#f;
    const { seed, step } = this.#source();
    const index = f.reshape(f.op("arange", [], { length: rows }), [rows, 1]);
    let lanes: readonly [Value, Value, Value] = [f.scalar(17), f.scalar(523), f.scalar(1291)];
    for (const digit of [...digits(f, seed, 2), ...digits(f, step, 3), ...digits(f, index, 2)]) lanes = absorb(f, lanes, digit);
    // Once more without a digit, so that the last one reaches every lane.
    const [a, b, c] = absorb(f, absorb(f, lanes, f.scalar(1)), f.scalar(2));
    const found = [f.where(f.lt(a, 0.5), 1, a), b, c] as const;
    this.#lanes.set(key, found);
    return found;
  }
}

/** Stirs a digit into three residues. */
function absorb(f: Formula, [a, b, c]: readonly [Value, Value, Value], digit: Value): readonly [Value, Value, Value] {
  const x = cube(f, modulo(f, f.add(f.add(a, digit), f.mul(b, 271))));
  const y = cube(f, modulo(f, f.add(f.add(b, f.mul(digit, 3)), f.mul(c, 613))));
  const z = cube(f, modulo(f, f.add(f.add(c, f.mul(digit, 7)), f.mul(x, 1009))));
  return [x, y, z];
}

/** The digits of a whole number, lowest first. */
function digits(f: Formula, x: Value, count: number): readonly Value[] {
  const found: Value[] = [];
  let rest = x;
  for (let i = 0; i < count; i++) {
    const quotient = f.floor(f.mul(rest, 1 / digitBase));
    found.push(f.sub(rest, f.mul(quotient, digitBase)));
    rest = quotient;
  }
  return found;
}

function cube(f: Formula, x: Value): Value {
  return modulo(f, f.mul(modulo(f, f.mul(x, x)), x));
}

/** x mod p for whole x from 0 to 2048 p. With the half added, the product is never so near a whole number that rounding could move it across. */
function modulo(f: Formula, x: Value): Value {
  return f.sub(x, f.mul(f.floor(f.mul(f.add(x, 0.5), 1 / p)), p));
}
