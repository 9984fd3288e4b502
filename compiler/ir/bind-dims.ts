import { type Dim, evaluateDim, formatDim, formatShape, symbolsOf } from "./dim.ts";
import type { GraphInput } from "./graph.ts";

export interface BoundDims {
  readonly kind: "bound";
  readonly symbols: ReadonlyMap<string, number>;
}

export interface BindFailure {
  readonly kind: "conflict";
  readonly input: string;
  readonly message: string;
}

/** Finds the value of every dim symbol from the shapes of the inputs that are there, and checks that all of them agree. */
export function bindDims(inputs: readonly GraphInput[], shapes: ReadonlyMap<string, readonly number[]>): BoundDims | BindFailure {
  const symbols = new Map<string, number>();
  const fixedBy = new Map<string, string>();
  const present = inputs.flatMap((input) => {
    const shape = shapes.get(input.name);
    return shape === undefined ? [] : [{ input, declared: input.value.type.shape, shape }];
  });
  for (const { input, declared, shape } of present) {
    if (declared.length === shape.length) continue;
    return conflict(input, `it has the shape ${formatShape(shape)}, and the model takes ${formatShape(declared)}`);
  }
  for (let before = -1; symbols.size !== before; ) {
    before = symbols.size;
    for (const { input, declared, shape } of present) {
      for (const [axis, dim] of declared.entries()) {
        const solved = solveDim(dim, shape[axis] as number, symbols);
        if (solved === null) continue;
        symbols.set(solved.symbol, solved.value);
        fixedBy.set(solved.symbol, input.name);
      }
    }
  }
  for (const { input, declared, shape } of present) {
    for (const [axis, dim] of declared.entries()) {
      const unknown = symbolsOf(dim).filter((symbol) => !symbols.has(symbol));
      if (unknown.length > 0)
        return conflict(
          input,
          `axis ${axis} is ${shape[axis]}, which gives no whole number of at least 1 for ${unknown.join(" and ")} in ${formatDim(dim)}`,
        );
      const expected = evaluateDim(dim, symbols);
      if (expected === shape[axis]) continue;
      const because = symbolsOf(dim).map((symbol) => `, ${symbol} being ${symbols.get(symbol)} in \`${fixedBy.get(symbol)}\``);
      return conflict(input, `axis ${axis} is ${shape[axis]}, and the model takes ${formatDim(dim)}${because.join("")}`);
    }
  }
  for (const { name, value } of inputs) {
    const unknown = value.type.shape.flatMap(symbolsOf).find((symbol) => !symbols.has(symbol));
    if (unknown === undefined) continue;
    return { kind: "conflict", input: name, message: `the dim ${unknown} is unknown: no input that has it is there, such as \`${name}\`` };
  }
  return { kind: "bound", symbols };
}

function conflict(input: GraphInput, reason: string): BindFailure {
  return { kind: "conflict", input: input.name, message: `input \`${input.name}\` does not fit: ${reason}` };
}

/** The value of the one unknown symbol of a dim, where the dim is linear in it and the value a whole number of at least 1. */
function solveDim(
  dim: Dim,
  size: number,
  symbols: ReadonlyMap<string, number>,
): { readonly symbol: string; readonly value: number } | null {
  const [symbol, ...others] = symbolsOf(dim).filter((name) => !symbols.has(name));
  if (symbol === undefined || others.length > 0) return null;
  const at = (value: number) => evaluateDim(dim, new Map(symbols).set(symbol, value));
  const slope = at(1) - at(0);
  const value = (size - at(0)) / slope;
  const isLinear = slope !== 0 && at(2) - at(1) === slope;
  return isLinear && Number.isInteger(value) && value >= 1 ? { symbol, value } : null;
}
