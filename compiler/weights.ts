import type { Graph, GraphParam } from "./ir/graph.ts";
import { interpret } from "./ir/interpreter.ts";
import { broadcastTo, evaluateShape } from "./ir/ndarray.ts";

/** Values of the params by name, row-major. */
export type Weights = ReadonlyMap<string, Float32Array>;

/** Values of the params by name, where they need not all be in memory at once. */
export type WeightSource = Pick<Weights, "get">;

/** Fresh weights: each param from its initialiser, with a stream of chance of its own, so that adding a param changes no other. */
export function initialWeights(graph: Pick<Graph, "params">, seed: number): Weights {
  return new Map(graph.params.map((param) => [param.name, initialValues(param, seed)]));
}

/** The same weights as `initialWeights`, each drawn when it is asked for and not kept. */
export function drawWeights(graph: Pick<Graph, "params">, seed: number): WeightSource {
  const params = new Map(graph.params.map((param) => [param.name, param]));
  return {
    get(name) {
      const param = params.get(name);
      return param === undefined ? undefined : initialValues(param, seed);
    },
  };
}

function initialValues({ name, value, initial }: GraphParam, seed: number): Float32Array {
  const [drawn] = interpret(initial, { inputs: new Map(), params: new Map(), random: randomStream(seed, name) }).values();
  if (drawn === undefined) throw new Error(`the initialiser of ${name} has no output`);
  return Float32Array.from(broadcastTo(drawn, evaluateShape(value.type.shape, new Map())).data);
}

/**
 * Numbers in [0, 1) that depend on the seed and the name alone; period about 2^128.
 *
 * @see C. Doty-Humphrey, sfc32 of PractRand; seeded by FNV-1a hashes
 */
export function randomStream(seed: number, name: string): () => number {
  const key = `${seed}/${name}`;
  let a = hash(key, 0x811c9dc5);
  let b = hash(key, 0x9e3779b9);
  let c = hash(key, 0x85ebca6b);
  let counter = 1;
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

/** FNV-1a over UTF-16 code units, from any basis. */
function hash(text: string, basis: number): number {
  let state = basis;
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  return state;
}
