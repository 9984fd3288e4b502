import { contractOf } from "../runtime/data/contract.ts";
import { EngineMissing } from "../runtime/engine.ts";
import type { TfjsBackend } from "../runtime/engines/tfjs-backends.ts";
import { absentInputs } from "../runtime/runs/absent-inputs.ts";
import type { CheckpointName } from "../runtime/runs/checkpoint.ts";
import { engineFactory } from "../runtime/runs/engine-factory.ts";
import { Evaluator, evaluationRows } from "../runtime/runs/evaluator.ts";
import type { RunEngine, SplitMetrics } from "../runtime/runs/records.ts";
import { trainedWeights } from "../runtime/training/state.ts";
import { announcing } from "./announce-engine.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { metricsTable } from "./metrics-table.ts";
import { withDataErrors } from "./open-data.ts";
import { openRun, openRunData } from "./open-run.ts";

interface EvalOptions {
  readonly data: string;
  readonly split?: string;
  readonly checkpoint: CheckpointName;
  readonly engine?: RunEngine;
  readonly backend?: TfjsBackend;
  readonly json?: boolean;
}

/** Measures a trained model. */
export async function evaluate(path: string, options: EvalOptions, io: Io): Promise<number> {
  if (options.backend !== undefined && options.engine !== "tfjs") throw new CommandError("--backend goes with --engine tfjs");
  const run = openRun(path, options.checkpoint, io);
  const { model, description, stored } = run;
  const { data, splits } = await openRunData(run, contractOf(model), options.data, options.split, io);
  const { epoch, step } = stored.checkpoint.progress;
  const results: Record<string, SplitMetrics[string]> = {};
  try {
    const evaluator = await Evaluator.open(
      model,
      description.tasks,
      announcing(engineFactory(options.engine ?? "ort", options.backend), options, io),
      absentInputs(model, data.bound, trainedWeights(stored.state)),
    );
    try {
      for (const { name, shown } of splits)
        results[shown] = await withDataErrors(options.data, io, () =>
          evaluator.evaluate(stored.state, data.batches({ split: name, size: evaluationRows }), epoch),
        );
    } finally {
      await evaluator.close();
    }
  } catch (error) {
    if (error instanceof EngineMissing) throw new CommandError(error.message, exitCodes.findings);
    throw error;
  } finally {
    data.close();
  }
  if (options.json === true) {
    io.stdout.write(
      `${JSON.stringify({ version: 1, run: path, model: model.name, checkpoint: options.checkpoint, epoch, step, splits: results })}\n`,
    );
  } else {
    io.stdout.write(`${model.name}, ${options.checkpoint} weights, after step ${step}\n`);
    for (const line of metricsTable(results)) io.stdout.write(`${line}\n`);
  }
  return exitCodes.clean;
}
