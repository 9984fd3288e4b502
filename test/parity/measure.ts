import { readdirSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { makeArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import { prune } from "../../compiler/passes/prune.ts";
import { simplify } from "../../compiler/passes/simplify.ts";
import { initialWeights, randomStream, type Weights } from "../../compiler/weights.ts";
import { describeModel } from "../../runtime/description.ts";
import type { Batch } from "../../runtime/engine.ts";
import { makeTensor } from "../../runtime/engine.ts";
import { generateBatch } from "../../runtime/generate.ts";
import type { Loaded, Target } from "./targets.ts";

const tolerance = 1e-4;
const batches = [1, 7];
export const seeds = [1, 2, 3];
const specs = readdirSync("specs").filter((name) => name.endsWith(".ple"));

function rootMeanSquare(arrays: readonly NdArray[]): number {
  const [sum, count] = arrays.reduce(
    ([total, n], { data }) => [total + data.reduce((part, x) => part + x * x, 0), n + data.length],
    [0, 0],
  );
  return Math.sqrt(sum / Math.max(count, 1));
}

/** Largest difference, relative to the value, or to `rms` where the value is smaller: a logit of nearly 0 has no digits of its own to agree in. */
function relativeDifference(found: ArrayLike<number>, { data }: NdArray, rms: number): number {
  let worst = found.length === data.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < data.length; i++) {
    const difference = Math.abs((found[i] as number) - (data[i] as number)) / Math.max(Math.abs(data[i] as number), rms, 1e-6);
    worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
  }
  return worst;
}

/** Weights as after some training: gates and biases that start at zero would hide what they multiply. */
function stirredWeights(graph: Graph, seed: number): Weights {
  const stirred = new Map<string, Float32Array>();
  for (const [name, values] of initialWeights(graph, seed)) {
    const random = randomStream(seed, `stir ${name}`);
    stirred.set(
      name,
      values.map((value) => value + 0.1 * (random() - 0.5)),
    );
  }
  return stirred;
}

/** The model's graph with its logits beside the predictions. */
function withLogits(model: CheckedModel): Graph {
  const logits = model.tasks.flatMap(({ name, logit }) => (logit === null ? [] : [{ name: `logit of ${name}`, value: logit, doc: null }]));
  return prune({ ...model.graph, outputs: [...logits, ...model.graph.outputs] });
}

function toArrays(batch: Batch): ReadonlyMap<string, NdArray> {
  return new Map([...batch].map(([name, { shape, data }]) => [name, makeArray(shape, Float64Array.from(data))]));
}

function paramArrays(graph: Graph, weights: Weights): ReadonlyMap<string, NdArray> {
  return new Map(
    graph.params.map(({ name, value }) => [
      name,
      makeArray(value.type.shape as readonly number[], Float64Array.from(weights.get(name) ?? [])),
    ]),
  );
}

/** Without its optional inputs, as a caller of ONNX has to say it: filled. */
function withoutOptional(batch: Batch, model: CheckedModel): Batch {
  const fills = new Map(model.inputs.filter((input) => input.optional).map((input) => [input.name, input.fill]));
  return new Map(
    [...batch].map(([name, tensor]) => [
      name,
      fills.has(name)
        ? makeTensor(
            tensor.dtype,
            tensor.shape,
            Array.from(tensor.data, () => fills.get(name) ?? 0),
          )
        : tensor,
    ]),
  );
}

/** One run of a spec by every target. */
export interface Cell {
  readonly spec: string;
  readonly seed: number;
  readonly batch: number;
  readonly inputs: "full" | "missing";
}

interface Row extends Cell {
  readonly target: string;
  readonly logits: number;
  readonly others: number;
}

/**
 * Tests of every spec in specs/ on these targets against the float64 interpreter, and the table of what was found. `covers` leaves cells out: in the table
 * a cell that no seed covers is empty.
 */
export function testParity(targets: readonly Target[], covers: (cell: Cell, target: Target) => boolean = () => true): void {
  const rows: Row[] = [];

  describe.each(specs)("%s", (spec) => {
    const checked = checkFile(`specs/${spec}`);

    test("checks without findings", () => expect(checked.diagnostics).toEqual([]));

    const seedsOf = seeds.filter((seed) => cellsOf(spec, seed).some((cell) => targets.some((target) => covers(cell, target))));
    test.each(seedsOf)("every target agrees with the interpreter, seed %i", { timeout: 600_000 }, async (seed) => {
      for (const model of checked.models) {
        const graph = withLogits(model);
        const weights = stirredWeights(graph, seed);
        const lowered = prune(simplify(graph));
        const wanted = new Map<Cell, ReadonlyMap<string, NdArray>>();
        for (const target of targets) {
          const cells = cellsOf(spec, seed).filter((cell) => covers(cell, target));
          if (cells.length === 0) continue;
          const loaded = await target.load(lowered, { weights, metadata: {}, producerVersion: "test" }, { spec, seed });
          for (const cell of cells) {
            const expected = wanted.get(cell) ?? interpretCell(model, graph, weights, cell);
            wanted.set(cell, expected);
            const row = await compare(loaded, batchOf(model, cell), expected);
            rows.push({ ...cell, target: target.name, ...row });
            expect(row.logits, `logits, ${target.name}`).toBeLessThan(tolerance);
            expect(row.others, `other outputs, ${target.name}`).toBeLessThan(tolerance);
          }
          await loaded.close();
        }
      }
    });
  });

  afterAll(() => console.log(formatTable(rows, targets)));
}

const cells: readonly Cell[] = specs.flatMap((spec) =>
  seeds.flatMap((seed) => batches.flatMap((batch) => (["full", "missing"] as const).map((inputs) => ({ spec, seed, batch, inputs })))),
);

function cellsOf(spec: string, seed: number): readonly Cell[] {
  return cells.filter((cell) => cell.spec === spec && cell.seed === seed);
}

function batchOf(model: CheckedModel, { batch, inputs, seed }: Cell): Batch {
  const full = generateBatch(describeModel(model), batch, seed);
  return inputs === "full" ? full : withoutOptional(full, model);
}

function interpretCell(model: CheckedModel, graph: Graph, weights: Weights, cell: Cell): ReadonlyMap<string, NdArray> {
  const absent = new Set(cell.inputs === "missing" ? model.inputs.filter((input) => input.optional).map((input) => input.name) : []);
  const given = new Map([...batchOf(model, cell)].filter(([name]) => !absent.has(name)));
  return interpret(graph, { inputs: toArrays(given), params: paramArrays(graph, weights) });
}

async function compare(
  loaded: Loaded,
  batch: Batch,
  wanted: ReadonlyMap<string, NdArray>,
): Promise<{ readonly logits: number; readonly others: number }> {
  const found = await loaded.run(batch);
  const worst = (of: readonly string[]) => {
    const rms = rootMeanSquare(of.map((name) => wanted.get(name) as NdArray));
    return Math.max(...of.map((name) => relativeDifference(found.get(name) ?? [], wanted.get(name) as NdArray, rms)));
  };
  const names = [...wanted.keys()];
  return {
    logits: worst(names.filter((name) => name.startsWith("logit of "))),
    others: worst(names.filter((name) => !name.startsWith("logit of "))),
  };
}

function formatTable(rows: readonly Row[], targets: readonly Target[]): string {
  const keyOf = ({ spec, inputs, batch }: Cell) => `${spec.padEnd(24)} ${inputs.padEnd(8)} ${String(batch).padStart(5)}`;
  const worst = (found: readonly Row[], of: "logits" | "others") => Math.max(...found.map((row) => row[of])).toExponential(1);
  const lines = [...new Set(rows.map(keyOf))].map((key) => {
    const columns = targets.map((target) => {
      const found = rows.filter((row) => keyOf(row) === key && row.target === target.name);
      return found.length === 0 ? "-" : `${worst(found, "logits")} ${worst(found, "others")} (${found.length})`;
    });
    return `${key}  ${columns.map((text) => text.padStart(21)).join("  ")}`;
  });
  return [
    "largest relative difference from the float64 interpreter: logits, then other outputs (number of seeds)",
    `${"spec".padEnd(24)} inputs   batch  ${targets.map(({ name }) => name.padStart(21)).join("  ")}`,
    ...lines,
  ].join("\n");
}
