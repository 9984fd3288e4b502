import { checkSource } from "../../compiler/driver.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import { trainingPlan } from "../../compiler/training/plan.ts";
import { type StepOptions, type TrainingGraph, trainingStep } from "../../compiler/training/step.ts";
import { initialWeights } from "../../compiler/weights.ts";
import { type Batch, type Engine, makeTensor, type Tensor } from "../../runtime/engine.ts";
import { interpreterEngine } from "../../runtime/engines/interpreter.ts";
import { engineFactory } from "../../runtime/runs/engine-factory.ts";
import { initialState, runStep, type State, stepScalars } from "../../runtime/training/state.ts";

/** The only model of a text, which has no errors. */
export function modelOf(text: string): CheckedModel {
  const { models, diagnostics } = checkSource("test/training/model.ple", text);
  const [model] = models;
  if (model === undefined) throw new Error(diagnostics.map(({ code, message }) => `${code}: ${message}`).join("\n"));
  return model;
}

/** The step of a model's own plan, which the verifier passes. */
export function stepOf(model: CheckedModel, options: StepOptions = {}): TrainingGraph {
  const step = trainingStep(model, trainingPlan(model), options);
  verifyGraph(step.graph);
  return step;
}

export const engines = {
  interpreter: async ({ graph }: TrainingGraph): Promise<Engine> => interpreterEngine(graph, new Map()),
  onnxruntime: engineFactory("ort", undefined),
  "tfjs wasm": engineFactory("tfjs", "wasm"),
} as const;

export type EngineName = keyof typeof engines;

export interface Training {
  readonly state: State;
  /** For each step, what it reported. */
  readonly reports: readonly ReadonlyMap<string, number>[];
  /** For each step, the state after it. */
  readonly states: readonly State[];
}

export interface TrainingRun {
  readonly step: TrainingGraph;
  readonly steps: number;
  readonly batch: (step: number) => Batch;
  readonly epochOf?: (step: number) => number;
  readonly engine?: EngineName;
  readonly seed?: number;
  /** What the state begins with, beside fresh weights of seed 3. */
  readonly from?: State;
}

/** Runs a training graph for some steps. */
export async function train(model: CheckedModel, run: TrainingRun): Promise<Training> {
  const { step, steps, batch, epochOf = () => 0, engine: name = "interpreter", seed = 0, from } = run;
  const engine = await engines[name](step);
  const waitingRows = [...(from ?? [])].filter(([state]) => state.endsWith("/numbers"));
  let state: State = new Map([...waitingRows, ...initialState(step.state, initialWeights({ params: model.parameters }, 3), from)]);
  const reports: ReadonlyMap<string, number>[] = [];
  const states: State[] = [];
  try {
    for (let i = 0; i < steps; i++) {
      const feeds = new Map([...batch(i), ...stepScalars({ epoch: epochOf(i), step: i, seed })]);
      const result = await runStep(engine, step, state, feeds);
      state = result.state;
      reports.push(result.report);
      states.push(state);
    }
  } finally {
    await engine.close();
  }
  return { state, reports, states };
}

/** A state's numbers, as plain data. */
export function numbers(state: State, name: string): readonly number[] {
  const tensor = state.get(name);
  if (tensor === undefined) throw new Error(`there is no state ${name}: ${[...state.keys()].join(", ")}`);
  return [...tensor.data];
}

/** Uniform numbers in [-1, 1) that depend on the seed alone. */
export function uniform(seed: number): () => number {
  let bits = (seed * 2_654_435_761 + 1) >>> 0;
  return () => {
    bits = (bits + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(bits ^ (bits >>> 15), bits | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

export function f32(shape: readonly number[], values: ArrayLike<number>): Tensor {
  return makeTensor("f32", shape, values);
}

/** A label for each kind of task that follows from a number of the row. */
export function plantedLabels(model: CheckedModel, signal: readonly number[]): Batch {
  return new Map(
    model.losses.map(({ task }) => {
      const { kind = "binary", width = 1 } = model.tasks.find(({ name }) => name === task) ?? {};
      const name = `label/${task}`;
      const rows = signal.length;
      if (kind === "binary")
        return [
          name,
          f32(
            [rows],
            signal.map((s) => Number(s > 0)),
          ),
        ];
      if (kind === "classes") {
        const classes = signal.map((s) => Math.min(width - 1, Math.max(0, Math.floor(((s + 1) / 2) * width))));
        return [name, makeTensor("i32", [rows], classes)];
      }
      if (width === 1) return [name, f32([rows], signal)];
      return [
        name,
        f32(
          [rows, width],
          signal.flatMap((s) => Array.from({ length: width }, (_, j) => Math.cos((j + 1) * s))),
        ),
      ];
    }),
  );
}
