import type { Graph } from "../compiler/ir/graph.ts";
import { sizeOf } from "../compiler/ir/ndarray.ts";
import type { WeightSource, Weights } from "../compiler/weights.ts";

/** Headers beyond this size are not those of weight files; the reference implementation refuses them too. */
const largestHeader = 100_000_000;

/** The metadata entry that tells a checkpoint of training from plain weights. */
export const checkpointKey = "plec.checkpoint";

export interface NamedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface SafetensorsFile {
  readonly tensors: ReadonlyMap<string, NamedTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

export type SafetensorsProblem = "truncated" | "header" | "dtype" | "shape" | "layout" | "names" | "changed";

/** Bytes that are read in parts, so that they need not all be in memory. */
export interface ByteSource {
  readonly size: number;
  /** The bytes [start, stop) in a buffer of their own. */
  read(start: number, stop: number): Uint8Array;
}

/** The tensors of a file by their place in it. */
export interface PlacedTensors {
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly read: () => Float32Array }>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A weight file that cannot be read, or that is not of the model at hand. */
export class SafetensorsError extends Error {
  override readonly name = "SafetensorsError";
  readonly problem: SafetensorsProblem;
  /** Names that the model has and the file lacks, and the other way round. */
  readonly missing: readonly string[];
  readonly extra: readonly string[];

  constructor(
    problem: SafetensorsProblem,
    message: string,
    names: { readonly missing: readonly string[]; readonly extra: readonly string[] } = { missing: [], extra: [] },
  ) {
    super(message);
    this.problem = problem;
    this.missing = names.missing;
    this.extra = names.extra;
  }
}

/**
 * The tensors of a safetensors file, each to be read when it is needed; float32 alone.
 *
 * @throws SafetensorsError for bytes that are no such file
 * @see https://huggingface.co/docs/safetensors: u64 header length, JSON header, data without gaps
 */
export function placeTensors(source: ByteSource): PlacedTensors {
  const { header, dataStart } = readHeader(source);
  const { __metadata__: metadata = {}, ...entries } = header;
  const placed = Object.entries(entries).map(([name, entry]) => ({ name, ...parseEntry(name, entry) }));
  checkLayout(placed, source.size - dataStart);
  const tensors = placed.map(({ name, shape, start, stop }) => {
    const read = () => new Float32Array(source.read(dataStart + start, dataStart + stop).buffer);
    return [name, { shape, read }] as const;
  });
  return { tensors: new Map(tensors), metadata: parseMetadata(metadata) };
}

/** All tensors of a safetensors file that is in memory; errors as those of `placeTensors`. */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { tensors, metadata } = placeTensors(bytesInMemory(bytes));
  return { tensors: new Map([...tensors].map(([name, { shape, read }]) => [name, { shape, data: read() }])), metadata };
}

function bytesInMemory(bytes: Uint8Array): ByteSource {
  return { size: bytes.byteLength, read: (start, stop) => new Uint8Array(bytes.subarray(start, stop)) };
}

/** Tensors in the order given; the same tensors and metadata give the same bytes. */
export function writeSafetensors({ tensors, metadata }: SafetensorsFile): Uint8Array {
  const header: Record<string, unknown> = Object.keys(metadata).length === 0 ? {} : { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    if (data.length !== sizeOf(shape)) throw new Error(`${name}: ${data.length} values do not fill [${shape.join(", ")}]`);
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded + offset).fill(0x20, 8, 8 + padded);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, 8);
  let at = 8 + padded;
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/** The weights of a graph from a safetensors file in memory, as those of `placeWeights`. */
export function readWeights(bytes: Uint8Array, graph: Pick<Graph, "params">): Weights {
  const weights = placeWeights(bytesInMemory(bytes), graph);
  return new Map(graph.params.map(({ name }) => [name, weights.get(name) as Float32Array]));
}

/**
 * The weights of a graph from a safetensors file, each read when it is asked for: every param, of its shape, and nothing else. A checkpoint of training holds
 * them as `param/NAME`, beside what else training goes on from.
 */
export function placeWeights(source: ByteSource, graph: Pick<Graph, "params">): WeightSource {
  const placed = placeTensors(source);
  const isCheckpoint = placed.metadata[checkpointKey] !== undefined;
  const tensors = isCheckpoint ? weightsOfCheckpoint(placed.tensors) : placed.tensors;
  const names = new Set(graph.params.map((param) => param.name));
  const missing = [...names].filter((name) => !tensors.has(name));
  const extra = [...tensors.keys()].filter((name) => !names.has(name));
  if (missing.length > 0 || extra.length > 0) {
    const parts = [
      missing.length > 0 ? `lacks ${listNames(missing)}` : "",
      extra.length > 0 ? `has ${listNames(extra)}, unknown to the model` : "",
    ];
    throw new SafetensorsError("names", `the weight file ${parts.filter((part) => part !== "").join(" and ")}`, { missing, extra });
  }
  for (const { name, value } of graph.params) {
    const shape = tensors.get(name)?.shape.join(", ");
    const expected = value.type.shape.join(", ");
    if (shape !== expected)
      throw new SafetensorsError("shape", `\`${name}\` has the shape [${shape}] in the weight file and [${expected}] in the model`);
  }
  return { get: (name) => tensors.get(name)?.read() };
}

function weightsOfCheckpoint<T>(tensors: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  return new Map([...tensors].flatMap(([name, tensor]) => (name.startsWith("param/") ? [[name.slice(6), tensor] as const] : [])));
}

export function writeWeights(weights: Weights, graph: Pick<Graph, "params">, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const tensors = graph.params.map(({ name, value }) => {
    const data = weights.get(name);
    if (data === undefined) throw new Error(`the param ${name} has no weights`);
    return [name, { shape: value.type.shape as readonly number[], data }] as const;
  });
  return writeSafetensors({ tensors: new Map(tensors), metadata });
}

function readHeader(source: ByteSource): { readonly header: Record<string, unknown>; readonly dataStart: number } {
  if (source.size < 8) throw new SafetensorsError("truncated", `the file has ${source.size} bytes, too few for a safetensors file`);
  const length = Number(new DataView(source.read(0, 8).buffer).getBigUint64(0, true));
  if (length > largestHeader) throw new SafetensorsError("header", `the header would be ${length} bytes long: this is no safetensors file`);
  if (8 + length > source.size) {
    throw new SafetensorsError(
      "truncated",
      `the header is ${length} bytes long and the file ends ${8 + length - source.size} bytes before its end`,
    );
  }
  const header = parseJson(source.read(8, 8 + length));
  if (!isRecord(header)) throw new SafetensorsError("header", "the header is no JSON object: this is no safetensors file");
  return { header, dataStart: 8 + length };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

interface Placed {
  readonly shape: readonly number[];
  readonly start: number;
  readonly stop: number;
}

function parseEntry(name: string, entry: unknown): Placed {
  if (!isRecord(entry)) throw new SafetensorsError("header", `the header entry of \`${name}\` is no object`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string") throw new SafetensorsError("header", `the header entry of \`${name}\` has no dtype`);
  if (dtype !== "F32") throw new SafetensorsError("dtype", `\`${name}\` is ${dtype}; weights are F32`);
  if (!isCounts(shape)) throw new SafetensorsError("header", `the shape of \`${name}\` is no list of whole numbers`);
  if (!isCounts(offsets) || offsets.length !== 2)
    throw new SafetensorsError("header", `the data_offsets of \`${name}\` are no pair of whole numbers`);
  const [start, stop] = offsets as readonly [number, number];
  if (stop - start !== sizeOf(shape) * 4) {
    throw new SafetensorsError(
      "shape",
      `\`${name}\` of shape [${shape.join(", ")}] takes ${sizeOf(shape) * 4} bytes and has ${stop - start}`,
    );
  }
  return { shape, start, stop };
}

/** Tensors fill the data from end to end, without gaps or overlaps. */
function checkLayout(placed: readonly (Placed & { readonly name: string })[], size: number): void {
  let end = 0;
  for (const { name, start, stop } of placed.toSorted((a, b) => a.start - b.start || a.stop - b.stop)) {
    if (start < end)
      throw new SafetensorsError("layout", `\`${name}\` begins at byte ${start}, inside of the tensor before it, which ends at ${end}`);
    if (start > end) throw new SafetensorsError("layout", `${start - end} bytes before \`${name}\` belong to no tensor`);
    if (stop > size) throw new SafetensorsError("truncated", `the data of \`${name}\` ends ${stop - size} bytes after the end of the file`);
    end = stop;
  }
  if (end < size) throw new SafetensorsError("layout", `the last ${size - end} bytes belong to no tensor`);
}

function parseMetadata(metadata: unknown): Readonly<Record<string, string>> {
  if (!isRecord(metadata)) throw new SafetensorsError("header", "__metadata__ is no object");
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => {
      if (typeof value !== "string") throw new SafetensorsError("header", `the metadata entry \`${key}\` is no string`);
      return [key, value];
    }),
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => `\`${name}\``);
  return names.length > 3 ? `${shown.join(", ")} and ${names.length - 3} more` : shown.join(", ");
}
