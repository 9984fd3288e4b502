import type { CheckedModel } from "../../compiler/model.ts";
import type { AbsentInputs } from "../../compiler/passes/fold-absent.ts";
import { evaluationGraph } from "../../compiler/training/evaluation.ts";
import { labelName } from "../data/contract.ts";
import type { DataBatch } from "../data/dataset.ts";
import type { Batch, Tensor } from "../engine.ts";
import { type State, stepScalars } from "../training/state.ts";
import type { EngineFactory } from "./engine-factory.ts";
import { openMeter } from "./metrics/task-metrics.ts";
import { OpenGraph } from "./open-graph.ts";
import type { RunTask, TaskMetrics } from "./records.ts";

/** Rows that are measured at once; what compares the rows of a batch with one another compares as many. */
export const evaluationRows = 512;

/** Measures a model while its weights change. */
export class Evaluator {
  readonly #graph: OpenGraph;
  readonly #tasks: readonly RunTask[];

  private constructor(graph: OpenGraph, tasks: readonly RunTask[]) {
    this.#graph = graph;
    this.#tasks = tasks;
  }

  static async open(
    model: CheckedModel,
    tasks: readonly RunTask[],
    factory: EngineFactory,
    absent: AbsentInputs | null = null,
  ): Promise<Evaluator> {
    return new Evaluator(await OpenGraph.open(evaluationGraph(model, absent), factory, "seldom"), tasks);
  }

  /** Metrics of every task over the batches. */
  async evaluate(state: State, batches: AsyncIterable<DataBatch>, epoch: number): Promise<Readonly<Record<string, TaskMetrics>>> {
    const meters = this.#tasks.map((task) => ({ task: task.name, meter: openMeter(task) }));
    const scalars = stepScalars({ epoch, step: 0, seed: 0 });
    for await (const { tensors } of batches) {
      const results = await this.#graph.run(state, new Map([...tensors, ...scalars]));
      for (const { task, meter } of meters)
        meter.add({ prediction: named(results, task), label: named(tensors, labelName(task)), loss: named(results, `loss/${task}`) });
    }
    return Object.fromEntries(meters.map(({ task, meter }) => [task, meter.finish()]));
  }

  async close(): Promise<void> {
    await this.#graph.close();
  }
}

function named(batch: Batch, name: string): Tensor {
  const tensor = batch.get(name);
  if (tensor === undefined) throw new Error(`there is no ${name}`);
  return tensor;
}
