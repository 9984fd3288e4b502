import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { closest } from "../dsl/suggest.ts";
import { predictionContract } from "../runtime/data/contract.ts";
import type { Dataset } from "../runtime/data/dataset.ts";
import { PredictionTable, predictionColumns, UnwritableTable } from "../runtime/data/prediction-table.ts";
import { unscalePredictions } from "../runtime/data/unscale-predictions.ts";
import { describeModel } from "../runtime/description.ts";
import { EngineMissing } from "../runtime/engine.ts";
import type { TfjsBackend } from "../runtime/engines/tfjs-backends.ts";
import { ModelFileError, type OpenModel, openChecked } from "../runtime/open-model.ts";
import { type CheckpointName, checkpointPath } from "../runtime/runs/checkpoint.ts";
import type { RunEngine } from "../runtime/runs/records.ts";
import { weightsOf } from "../runtime/weights-of.ts";
import { announceEngine } from "./announce-engine.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { withDataErrors } from "./open-data.ts";
import { type OpenRun, openRun, openRunData } from "./open-run.ts";
import { plural } from "./table.ts";

interface PredictOptions {
  readonly data: string;
  readonly output: string;
  readonly split?: string;
  readonly keep?: string;
  readonly checkpoint: CheckpointName;
  readonly engine?: RunEngine;
  readonly backend?: TfjsBackend;
}

/** Rows that are predicted at once. */
const rowsAtOnce = 1024;

/** Writes the predictions of a trained model for the rows of some data. */
export async function predict(path: string, options: PredictOptions, io: Io): Promise<number> {
  const { output } = options;
  if (!/\.(parquet|csv)$/i.test(output)) throw new CommandError(`${output}: predictions are written as .parquet or .csv`);
  if (options.backend !== undefined && options.engine !== "tfjs") throw new CommandError("--backend goes with --engine tfjs");
  if (existsSync(output) && statSync(output).isDirectory()) throw new CommandError(`cannot write ${output}: it is a folder`);
  if (!existsSync(dirname(output))) throw new CommandError(`cannot write ${output}: there is no folder ${dirname(output)}`);
  const run = openRun(path, options.checkpoint, io);
  const description = describeModel(run.model);
  const { data, splits } = await openRunData(run, predictionContract(description), options.data, options.split, io);
  try {
    const keep = keptColumns(data, predictionColumns(description.tasks), options);
    const { engine } = await openEngine(run, options);
    announceEngine(engine, options, io);
    try {
      const rows = await withDataErrors(options.data, io, async () => {
        const table = await PredictionTable.open(description.tasks);
        try {
          const names = description.tasks.map(({ name }) => name);
          const wanted = options.split === undefined ? data.splits.map(({ name }) => name) : splits.map(({ name }) => name);
          for (const split of wanted)
            for await (const { tensors, numbers } of data.batches({ split, size: rowsAtOnce }))
              table.add(numbers, unscalePredictions(await engine.run(tensors, names), run.stored.checkpoint.preparation));
          return await table.write(output, keep, data.table);
        } finally {
          table.close();
        }
      });
      io.stdout.write(`${output}: ${plural(rows, "row")}, ${plural(description.tasks.length, "task")}\n`);
    } finally {
      await engine.close();
    }
  } catch (error) {
    if (error instanceof UnwritableTable) throw new CommandError(`cannot write ${output}: ${error.message}`);
    throw error;
  } finally {
    data.close();
  }
  return exitCodes.clean;
}

/** The model as `plec compile` would compile it. */
async function openEngine({ path, model, checkpoint }: OpenRun, { engine, backend }: PredictOptions): Promise<OpenModel> {
  try {
    return await openChecked(model, weightsOf(model, { path: checkpointPath(path, checkpoint), seed: 0 }), { engine, backend });
  } catch (error) {
    if (error instanceof EngineMissing || error instanceof ModelFileError) throw new CommandError(error.message, exitCodes.findings);
    throw error;
  }
}

function keptColumns({ table }: Dataset, own: readonly string[], { keep, data }: PredictOptions): readonly string[] {
  const wanted = (keep ?? "").split(",").flatMap((name) => (name.trim() === "" ? [] : [name.trim()]));
  const known = [...table.columns.keys()];
  for (const [i, name] of wanted.entries()) {
    if (wanted.indexOf(name) !== i) throw new CommandError(`--keep names ${name} twice`);
    if (own.includes(name) && known.includes(name))
      throw new CommandError(
        `--keep ${name}: the predictions have a column of that name; give the data's another one with a query as the source`,
      );
    if (known.includes(name)) continue;
    const near = closest(name, known);
    throw new CommandError(
      `--keep ${name}: ${data} has no such column; ${near === null ? `it has ${known.join(", ")}` : `did you mean ${near}?`}`,
    );
  }
  return wanted;
}
