import { checkSource } from "../../compiler/driver.ts";
import type { Graph, GraphParam, Node, Value } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { makeArray, type NdArray, sizeOf } from "../../compiler/ir/ndarray.ts";
import { initialWeights } from "../../compiler/weights.ts";

/** Library calls as the outputs of a model that has no weights of its own. */
export interface Library<Output extends string> {
  /** In the order in which they are declared. */
  readonly params: readonly { readonly name: string; readonly shape: readonly number[]; readonly decay: boolean }[];
  /** Trainable numbers. */
  readonly count: number;
  readonly penalties: readonly string[];
  /** Outputs and penalties; reads the inputs that were asked for, and `anchor: f32[B, 1]`. */
  readonly graph: Graph;
  initial(): Weights;
  /** Outputs and penalties in float64. */
  run(inputs: Readonly<Record<string, NdArray>>, weights?: Weights): Readonly<Record<Output, NdArray>> & Readonly<Record<string, NdArray>>;
}

type Tuple<N extends number, T extends readonly NdArray[] = readonly []> = T["length"] extends N ? T : Tuple<N, readonly [...T, NdArray]>;

export class Weights {
  readonly values: ReadonlyMap<string, NdArray>;

  constructor(values: ReadonlyMap<string, NdArray>) {
    this.values = values;
  }

  of(name: string): NdArray {
    const value = this.values.get(name);
    if (value === undefined) throw new Error(`no weight ${name} among ${[...this.values.keys()].join(", ")}`);
    return value;
  }

  /** All weights whose names begin like this, which must be so many, in the order of their declaration. */
  inOrder<N extends number>(count: N, prefix = ""): Tuple<N> {
    const found = [...this.values].filter(([name]) => name.startsWith(prefix)).map(([, value]) => value);
    if (found.length !== count) throw new Error(`${found.length} weights, not ${count}: ${[...this.values.keys()].join(", ")}`);
    return found as unknown as Tuple<N>;
  }

  with(name: string, value: NdArray): Weights {
    return new Weights(new Map([...this.values, [name, value]]));
  }
}

export function buildLibrary<Output extends string>(options: {
  readonly imports?: string;
  readonly inputs: readonly string[];
  readonly outputs: Readonly<Record<Output, string>>;
}): Library<Output> {
  const outputs = Object.entries<string>(options.outputs);
  const text = `${options.imports ?? ""}
model Wrapped {
  input anchor: f32[B, 1]
  ${options.inputs.map((input) => `input ${input}`).join("\n  ")}
  task bare: regression { loss: none }
  flow per task {
    return anchor
  }
  ${outputs.map(([name, call]) => `output ${name} = ${call}`).join("\n  ")}
}
`;
  const { models, diagnostics } = checkSource("test/std/wrapped.ple", text);
  const faults = diagnostics.filter(({ severity, span }) => severity === "error" || span?.source.library);
  const model = models[0];
  if (model === undefined || faults.length > 0) throw new Error(faults.map(showDiagnostic).join("\n"));
  const graph = withOutputs(model.graph, model.parameters, new Map(model.penalties.map(({ name, value }) => [name, value])));
  const params = graph.params.map(({ name, value, decay }) => ({ name, shape: value.type.shape as readonly number[], decay }));
  const initial = () => {
    const fresh = initialWeights(graph, 7);
    return new Weights(new Map(params.map(({ name, shape }) => [name, makeArray(shape, Float64Array.from(fresh.get(name) ?? []))])));
  };
  return {
    params,
    count: params.reduce((total, { shape }) => total + sizeOf(shape), 0),
    penalties: model.penalties.map(({ name }) => name),
    graph,
    initial,
    run: (inputs, weights = initial()) => {
      const batch = Object.values(inputs)[0]?.shape[0] ?? 1;
      const bound = new Map([["anchor", tensor([batch, 1], () => 1)], ...Object.entries(inputs)]);
      const results = interpret(graph, { inputs: bound, params: weights.values });
      return Object.fromEntries(results) as Readonly<Record<Output, NdArray>> & Readonly<Record<string, NdArray>>;
    },
  };
}

/** A graph with more outputs, and every node and parameter that they need. */
function withOutputs(graph: Graph, params: readonly GraphParam[], outputs: ReadonlyMap<string, Value>): Graph {
  const nodes = new Map<number, Node>(graph.nodes.map((node) => [node.id, node]));
  const visit = ({ node }: Value): void => {
    if (nodes.has(node.id)) return;
    nodes.set(node.id, node);
    node.inputs.forEach(visit);
    if (node.op === "scan") node.attributes.body.captures.forEach(visit);
  };
  [...outputs.values()].forEach(visit);
  return {
    ...graph,
    params,
    nodes: [...nodes.values()].sort((a, b) => a.id - b.id),
    outputs: [...graph.outputs, ...[...outputs].map(([name, value]) => ({ name, value, doc: null }))],
  };
}

function showDiagnostic({ code, message, span, notes }: ReturnType<typeof checkSource>["diagnostics"][number]): string {
  const place =
    span === null ? "" : `${span.source.name}:${span.source.position(span.start).line}:${span.source.position(span.start).column} `;
  return `${place}${code}: ${message}${notes.map((note) => `\n    ${note.span === null ? "" : `${note.span.source.name}:${note.span.source.position(note.span.start).line} `}${note.message}`).join("")}`;
}

// ── arrays ──────────────────────────────────────────────────────────────────

export function tensor(shape: readonly number[], valueAt: (position: number) => number): NdArray {
  return makeArray(
    shape,
    Float64Array.from({ length: sizeOf(shape) }, (_, i) => valueAt(i)),
  );
}

/** Standard normal numbers, times `std`; the same for the same seed. */
export function noise(shape: readonly number[], seed: number, std = 1): NdArray {
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return (((bits ^ (bits >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
  return tensor(shape, () => std * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
}

/** Every weight random, biases and scales too, so that nothing hides behind a zero. */
export function randomWeights(library: Pick<Library<never>, "params">, std = 0.5): Weights {
  return new Weights(new Map(library.params.map(({ name, shape }, i) => [name, noise(shape, 100 + i, std)])));
}

export function scaled({ shape, data }: NdArray, by: number): NdArray {
  return makeArray(
    shape,
    data.map((v) => v * by),
  );
}

/** One entry of the first axis, flat. */
export function rowOf({ shape, data }: NdArray, row: number): number[] {
  const size = sizeOf(shape.slice(1));
  return [...data.subarray(row * size, (row + 1) * size)];
}

/** The array with one entry of the first axis filled. */
export function withRow({ shape, data }: NdArray, row: number, value: number): NdArray {
  const size = sizeOf(shape.slice(1));
  return makeArray(
    shape,
    data.map((v, i) => (Math.floor(i / size) === row ? value : v)),
  );
}
