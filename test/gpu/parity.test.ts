import { type Cell, testParity } from "../parity/measure.ts";
import { graphModelTarget, onnxRuntimeTarget, onnxRuntimeWebGpuTarget, type Target, wasmTarget, webGpuTarget } from "../parity/targets.ts";

/**
 * The full spec takes a software driver 10 s for a run on ONNX Runtime, and 40 s on TensorFlow.js, where its loops are unrolled into 13,900 kernels: here
 * one seed for each kind of run, and two of them on TensorFlow.js. `PLEC_PARITY=all` runs every one.
 */
const slow: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "ple_cluster_adatt.ple": { "full 1": 1, "missing 1": 2, "full 7": 3, "missing 7": 1 },
};
const alsoOnTensorFlow = ["full 1", "missing 7"];

function covers({ spec, seed, inputs, batch }: Cell, target: Target): boolean {
  const sample = process.env.PLEC_PARITY === "all" ? undefined : slow[spec];
  if (sample === undefined) return true;
  const run = `${inputs} ${batch}`;
  return sample[run] === seed && (target !== webGpuTarget || alsoOnTensorFlow.includes(run));
}

testParity([onnxRuntimeTarget, wasmTarget, graphModelTarget, webGpuTarget, onnxRuntimeWebGpuTarget], covers);
