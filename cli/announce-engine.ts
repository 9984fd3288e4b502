import type { Engine } from "../runtime/engine.ts";
import type { EngineFactory } from "../runtime/runs/engine-factory.ts";
import type { Io } from "./io.ts";

interface Choice {
  readonly backend?: string | undefined;
  readonly json?: boolean | undefined;
}

/** Says which backend of TensorFlow.js was the fastest, where none was named. */
export function announceEngine({ name }: Engine, { backend, json }: Choice, io: Io): void {
  if (name.startsWith("tfjs") && backend === undefined && json !== true) io.stderr.write(`plec: running on ${name}\n`);
}

/** The factory, which says so when it opens its first engine. */
export function announcing(factory: EngineFactory, choice: Choice, io: Io): EngineFactory {
  let announced = false;
  return async (graph, use) => {
    const engine = await factory(graph, use);
    if (!announced) announceEngine(engine, choice, io);
    announced = true;
    return engine;
  };
}
