import * as tf from "@tensorflow/tfjs-core";
import { readGraphModel } from "/work/browser/runtime/read-graph-model.ts";
import { generateBatch } from "/work/browser/runtime/generate.ts";
import { tfjsEngine } from "/work/browser/runtime/engines/tfjs.ts";
const { artifacts, description } = readGraphModel("/tmp/wg/full")!;
const e = await tfjsEngine(artifacts, { backend: "webgpu" });
tf.env().set("WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE", Number(process.argv[2]));
tf.env().set("WEBGPU_CPU_HANDOFF_SIZE_THRESHOLD", Number(process.argv[3]));
for (const n of [1, 1, 7]) { const b = generateBatch(description, n, 1); const t0 = Date.now(); await e.run(b); console.log(process.argv.slice(2).join(), e.name, n, Date.now() - t0); }
process.exit(0)
