import type { Graph } from "../../compiler/ir/graph.ts";
import type { TrainingGraph } from "../../compiler/training/step.ts";
import type { Engine } from "../engine.ts";
import type { TfjsBackend } from "../engines/tfjs-backends.ts";
import { plecVersion } from "../version.ts";
import type { RunEngine } from "./records.ts";

/** Nodes from which on what ONNX Runtime does ahead of a run takes it minutes. */
const largeGraph = 4000;

/** How often a graph runs: what runs seldom, such as after each epoch, gives its memory back in between. */
export type Use = "often" | "seldom";

/** Opens an engine over a graph that reads its weights from its inputs. */
export type EngineFactory = (graph: TrainingGraph, use?: Use) => Promise<Engine>;

/** @throws EngineMissing, from what it returns */
export function engineFactory(name: RunEngine, backend: TfjsBackend | undefined): EngineFactory {
  if (name === "ort")
    return async ({ graph }, use = "often") => {
      const [{ emitOnnx }, { onnxRuntimeEngine }, { engineByRows }] = await Promise.all([
        import("../../compiler/emit/onnx.ts"),
        import("../engines/onnxruntime.ts"),
        import("../engines/by-rows.ts"),
      ]);
      const manyNodes = graph.nodes.length >= largeGraph;
      const open = (of: Graph) => {
        const model = emitOnnx(of, { weights: new Map(), metadata: {}, producerVersion: plecVersion() });
        return onnxRuntimeEngine(model, { manyNodes, keepMemory: use === "often" });
      };
      return manyNodes ? engineByRows(graph, "onnxruntime", open) : open(graph);
    };
  return async (graph) => {
    const [{ buildTrainingGraphModel }, { tfjsEngine }] = await Promise.all([
      import("../training/build-step.ts"),
      import("../engines/tfjs.ts"),
    ]);
    return tfjsEngine(buildTrainingGraphModel(graph, plecVersion()), { backend });
  };
}
