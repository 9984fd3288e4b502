import type { TrainingGraph } from "../../compiler/training/step.ts";
import type { Batch, Engine, Tensor } from "../engine.ts";
import { runStep, type State, type StepResult } from "../training/state.ts";
import type { EngineFactory, Use } from "./engine-factory.ts";
import { findFirstNonFinite, type NonFinite } from "./find-non-finite.ts";

/** A training graph on an engine, which is fed with what it reads of a larger state and batch. */
export class OpenGraph {
  readonly #graph: TrainingGraph;
  readonly #engine: Engine;
  readonly #inputs: ReadonlySet<string>;

  private constructor(graph: TrainingGraph, engine: Engine) {
    this.#graph = graph;
    this.#engine = engine;
    this.#inputs = new Set(graph.graph.inputs.map(({ name }) => name));
  }

  static async open(graph: TrainingGraph, factory: EngineFactory, use: Use): Promise<OpenGraph> {
    return new OpenGraph(graph, await factory(graph, use));
  }

  /** State that the graph does not change, or does not know, stays as it is. */
  async step(state: State, feeds: Batch): Promise<StepResult> {
    return runStep(this.#engine, this.#graph, state, feeds);
  }

  /** Runs the graph node by node, to find which op made what is no finite number. */
  findNonFinite(state: State, feeds: Batch): NonFinite | null {
    return findFirstNonFinite(this.#graph.graph, new Map([...this.#stateOf(state), ...this.#known(feeds)]));
  }

  /** All outputs, of a graph that changes nothing. */
  async run(state: State, feeds: Batch): Promise<Batch> {
    return this.#engine.run(new Map([...this.#stateOf(state), ...this.#known(feeds)]));
  }

  async close(): Promise<void> {
    await this.#engine.close();
  }

  #stateOf(state: State): State {
    return new Map(
      this.#graph.state.map(({ name }): [string, Tensor] => {
        const tensor = state.get(name);
        if (tensor === undefined) throw new Error(`the state lacks ${name}`);
        return [name, tensor];
      }),
    );
  }

  #known(feeds: Batch): Batch {
    return new Map([...feeds].filter(([name]) => this.#inputs.has(name)));
  }
}
