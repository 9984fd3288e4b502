import type { CheckedModel } from "../../compiler/model.ts";
import type { AbsentInputs } from "../../compiler/passes/fold-absent.ts";
import { type ObservationGraph, observationGraph } from "../../compiler/training/observe.ts";
import type { Batch, Tensor } from "../engine.ts";
import { type State, stepScalars } from "../training/state.ts";
import type { EngineFactory } from "./engine-factory.ts";
import { OpenGraph } from "./open-graph.ts";
import type { Observation } from "./records.ts";

/** Batches that one observation looks at, and rows of a batch. */
export const observedBatches = 4;
export const observedRows = 256;

/** Looks inside a model while its weights change. */
export class Observer {
  readonly #watched: ObservationGraph;
  readonly #graph: OpenGraph;

  private constructor(watched: ObservationGraph, graph: OpenGraph) {
    this.#watched = watched;
    this.#graph = graph;
  }

  static async open(model: CheckedModel, factory: EngineFactory, absent: AbsentInputs | null = null): Promise<Observer> {
    const watched = observationGraph(model, absent);
    return new Observer(watched, await OpenGraph.open(watched.graph, factory, "seldom"));
  }

  /** Takes up to `observedBatches` batches with labels; means count every row alike, gradients are root mean squares over the batches. */
  async observe(
    state: State,
    batches: AsyncIterable<{ readonly tensors: Batch; readonly rows: number }>,
    epoch: number,
  ): Promise<Observation> {
    const sums = new Map<string, Float64Array>();
    const scalars = stepScalars({ epoch, step: 0, seed: 0 });
    let rows = 0;
    let taken = 0;
    for await (const batch of batches) {
      const results = await this.#graph.run(state, new Map([...batch.tensors, ...scalars]));
      for (const [name, { data }] of results) {
        const sum = sums.get(name) ?? new Float64Array(data.length);
        for (const [i, value] of data.entries()) sum[i] = (sum[i] ?? 0) + value * batch.rows;
        sums.set(name, sum);
      }
      rows += batch.rows;
      taken += 1;
      if (taken === observedBatches) break;
    }
    return this.#describe(state, (name) => [...(sums.get(name) ?? [])].map((sum) => sum / rows));
  }

  async close(): Promise<void> {
    await this.#graph.close();
  }

  #describe(state: State, means: (name: string) => readonly number[]): Observation {
    const { gates, experts, routes, transfers, tasks } = this.#watched;
    const mean = (name: string) => means(name)[0] ?? Number.NaN;
    const record = <T>(names: readonly string[], of: (name: string) => T) => Object.fromEntries(names.map((name) => [name, of(name)]));
    return {
      gates: Object.fromEntries(
        gates.map(({ name, slots }) => [name, { ...joined(slots, means(`gate/${name}`)), entropy: mean(`gate_entropy/${name}`) }]),
      ),
      experts: record(experts, (name) => ({
        output: Math.sqrt(mean(`expert_square/${name}`)),
        gradient: Math.sqrt(mean(`gradient_square/${name}`)),
        missing: mean(`missing/${name}`),
      })),
      routes: record(routes, (name) => ({ defaults: mean(`missing/routes/${name}`) })),
      transfers: record(transfers, (name) => ({
        share: Math.sqrt(mean(`transfer_added/${name}`)) / Math.max(Math.sqrt(mean(`transfer_own/${name}`)), 1e-12),
      })),
      labels: record(tasks, (name) => mean(`labels/${name}`)),
      affinity: affinityOf(tasks, state.get("adatt/affinity")),
      uncertainty: Object.fromEntries(
        [...(state.get("weighting/log_variance")?.data ?? [])].map((value, i) => [tasks[i] ?? String(i), value]),
      ),
    };
  }
}

/** Shares by what is weighed, where several slots weigh one thing. */
function joined(
  slots: readonly string[],
  shares: readonly number[],
): { readonly entries: readonly string[]; readonly weights: readonly number[] } {
  const sums = new Map<string, number>();
  for (const [i, slot] of slots.entries()) sums.set(slot, (sums.get(slot) ?? 0) + (shares[i] ?? 0));
  return { entries: [...sums.keys()], weights: [...sums.values()] };
}

function affinityOf(tasks: readonly string[], values: Tensor | undefined): Observation["affinity"] {
  if (values === undefined) return null;
  const row = (i: number) => [...values.data.slice(i * tasks.length, (i + 1) * tasks.length)];
  return { tasks, values: tasks.map((_, i) => row(i)) };
}
