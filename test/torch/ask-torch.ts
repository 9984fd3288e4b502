import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { NdArray } from "../../compiler/ir/ndarray.ts";
import { makeArray } from "../../compiler/ir/ndarray.ts";

/** What `witness.py` is asked: a function of a Python module of this folder, with its arguments. */
export interface Request {
  readonly module: "losses" | "layers" | "experts" | "specs" | "full";
  readonly function: string;
  readonly inputs: ReadonlyMap<string, Typed>;
  /** In the order in which the function takes them. */
  readonly weights: ReadonlyMap<string, NdArray>;
  readonly settings: Readonly<Record<string, string | number>>;
  /** Names of inputs and weights to differentiate by, and what the outputs are weighted with in the sum that is differentiated. */
  readonly wrt: readonly string[];
  readonly seeds: ReadonlyMap<string, NdArray>;
}

export interface Typed extends NdArray {
  readonly dtype: "f32" | "i32" | "bool";
}

export interface Answer {
  readonly outputs: ReadonlyMap<string, NdArray>;
  readonly gradients: ReadonlyMap<string, NdArray>;
}

/** Debian's python, which has the package; a python of the PATH may be another one. */
const python = process.env.PLEC_PYTHON ?? "/usr/bin/python3";
const witness = fileURLToPath(new URL("witness.py", import.meta.url));

/** Answers all requests in one Python process. */
export function askTorch(requests: readonly Request[]): readonly Answer[] {
  const body = requests.map((request) => ({
    ...request,
    inputs: encodeAll(request.inputs),
    weights: encodeAll(request.weights),
    seeds: encodeAll(request.seeds),
  }));
  const { status, stdout, stderr, error } = spawnSync(python, ["-B", witness], {
    input: JSON.stringify(body),
    encoding: "utf8",
    maxBuffer: 2 ** 30,
  });
  if (error !== undefined) throw new Error(`cannot run ${python}: ${error.message}; on Debian: apt-get install python3-torch`);
  if (status !== 0) throw new Error(stderr);
  const answers = JSON.parse(stdout) as readonly { outputs: Record<string, Encoded>; gradients?: Record<string, Encoded> }[];
  return answers.map(({ outputs, gradients = {} }) => ({ outputs: decodeAll(outputs), gradients: decodeAll(gradients) }));
}

interface Encoded {
  readonly shape: readonly number[];
  /** Base64 of little-endian float64, which keeps NaN and every digit. */
  readonly data: string;
}

function encodeAll(arrays: ReadonlyMap<string, NdArray & { readonly dtype?: Typed["dtype"] }>): Record<string, Encoded> {
  return Object.fromEntries(
    [...arrays].map(([name, { shape, data, dtype = "f32" }]) => {
      const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      return [name, { shape, dtype, data: bytes.toString("base64") }];
    }),
  );
}

function decodeAll(arrays: Readonly<Record<string, Encoded>>): ReadonlyMap<string, NdArray> {
  return new Map(
    Object.entries(arrays).map(([name, { shape, data }]) => {
      const bytes = Uint8Array.from(Buffer.from(data, "base64"));
      return [name, makeArray(shape, new Float64Array(bytes.buffer))];
    }),
  );
}

/** The largest difference, relative to the value, or to the root mean square of all values where the value is smaller; of zeros, to the floor. */
export function relativeDifference(found: NdArray, wanted: NdArray, floor = 1e-9): number {
  if (found.shape.join() !== wanted.shape.join()) throw new Error(`shape [${found.shape}] is not [${wanted.shape}]`);
  const meanSquare = wanted.data.reduce((total, v) => total + v * v, 0) / Math.max(wanted.data.length, 1);
  let worst = 0;
  for (const [i, value] of wanted.data.entries()) {
    const difference = Math.abs((found.data[i] ?? Number.NaN) - value) / Math.max(Math.abs(value), Math.sqrt(meanSquare), floor);
    // Not `Math.max`, so that NaN counts.
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}
