import * as tf from "@tensorflow/tfjs-core";
import { type Cell, testParity } from "../parity/measure.ts";
import { graphModelTarget, onnxRuntimeTarget, onnxRuntimeWebGpuTarget, type Target, wasmTarget, webGpuTarget } from "../parity/targets.ts";

/**
 * The full spec takes a software driver 5 to 15 s for a run, mostly for products of matrices, and TensorFlow.js a minute and more for a batch of 7: here one seed
 * for each kind of run, and on TensorFlow.js those of one row. `PLEC_PARITY=all` runs every one, beside the targets of test/parity, some ten minutes on two idle cores.
 */
const full = "ple_cluster_adatt.ple";
const sample: Readonly<Record<string, number>> = { "full 1": 1, "missing 1": 1, "full 7": 2, "missing 7": 3 };
const alsoOnTensorFlow = ["full 1", "missing 1"];
const all = process.env.PLEC_PARITY === "all";

function covers({ spec, seed, inputs, batch }: Cell, target: Target): boolean {
  if (all || spec !== full) return true;
  const run = `${inputs} ${batch}`;
  return sample[run] === seed && (target === onnxRuntimeWebGpuTarget || alsoOnTensorFlow.includes(run));
}

/**
 * TensorFlow.js has a kernel for products of up to 128 values, for which a software driver takes 0.2 s each, fifteen times as long as for the one for large
 * products. The first seed of the small specs runs it, all else has the other.
 */
const softwareWebGpuTarget: Target = {
  ...webGpuTarget,
  load: async (graph, options, of) => {
    const loaded = await webGpuTarget.load(graph, options, of);
    const [asOnDevices, forLarge] = [-1, 3];
    tf.env().set("WEBGPU_MATMUL_PROGRAM_TYPE", of.seed === 1 && of.spec !== full ? asOnDevices : forLarge);
    return loaded;
  },
};

const others = all ? [onnxRuntimeTarget, wasmTarget, graphModelTarget] : [];
testParity([...others, softwareWebGpuTarget, onnxRuntimeWebGpuTarget], covers);
