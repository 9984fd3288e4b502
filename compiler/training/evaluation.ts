import type { Graph } from "../ir/graph.ts";
import type { CheckedModel } from "../model.ts";
import type { AbsentInputs } from "../passes/fold-absent.ts";
import { buildForward } from "./forward.ts";
import type { TrainingGraph } from "./step.ts";
import { StepGraph } from "./step-graph.ts";

/**
 * The graph that measures a model while it is trained, without dropout. Inputs: the model's batch, `label/<task>`, and the parameters as state. Outputs: the
 * prediction of each task with a loss under the task's name, and the loss of each row, f32[B], as `loss/<task>`.
 */
export function evaluationGraph(model: CheckedModel, absent: AbsentInputs | null = null): TrainingGraph {
  const step = new StepGraph();
  const forward = buildForward({ training: predictionsAndLosses(model) }, step, { dropout: false, absent });
  for (const { task, rows } of model.losses) {
    const prediction = model.tasks.find(({ name }) => name === task)?.prediction;
    if (prediction === undefined || prediction === null) throw new Error(`${task} has a loss and no prediction`);
    step.output(task, forward.copyOf(prediction), null);
    step.output(`loss/${task}`, forward.copyOf(rows), null);
  }
  return step.finish(`${model.name}/evaluation`);
}

/** What training reads, and what predictions need beside. Predictions never depend on what only training reads. */
export function predictionsAndLosses({ graph, training }: CheckedModel): Graph {
  const nodes = new Set([...graph.nodes, ...training.nodes]);
  const params = new Set([...graph.params, ...training.params]);
  return { ...training, nodes: [...nodes], params: [...params] };
}
