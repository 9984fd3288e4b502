/**
 * The gradient of the full spec by all of its weights, with logits squared as the losses and all penalties: nodes, time to build, and peak memory, estimated
 * from the order of the nodes and measured on ONNX Runtime, without its memory pattern, in a process of its own.
 * Usage: tsx bench/gradient.ts [--run] [batch ...]
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as ort from "onnxruntime-node";
import { differentiate } from "../compiler/autodiff/differentiate.ts";
import { tileRecurrence } from "../compiler/autodiff/tile-recurrences.ts";
import { checkFile } from "../compiler/driver.ts";
import { emitOnnx } from "../compiler/emit/onnx.ts";
import { Algebra } from "../compiler/ir/algebra.ts";
import { GraphBuilder } from "../compiler/ir/builder.ts";
import type { Graph, GraphInput, Value } from "../compiler/ir/graph.ts";
import { peakMemory } from "../compiler/ir/live-memory.ts";
import { reachableNodes } from "../compiler/ir/reachable.ts";
import type { CheckedModel } from "../compiler/model.ts";
import { prune } from "../compiler/passes/prune.ts";
import { rewriteGraph } from "../compiler/passes/rewrite.ts";
import { simplify } from "../compiler/passes/simplify.ts";
import { drawWeights } from "../compiler/weights.ts";
import { onnxRuntimeEngine } from "../runtime/engines/onnxruntime.ts";
import { randomInput } from "./random-batch.ts";

const spec = fileURLToPath(new URL("../specs/ple_cluster_adatt.ple", import.meta.url));

/** What training minimises, as terms: logits and penalties. */
function terms(model: CheckedModel): Graph {
  const values = [...model.tasks.flatMap(({ logit }) => logit ?? []), ...model.penalties.map(({ value }) => value)];
  const nodes = new Set([...model.graph.inputs.map(({ value }) => value.node), ...reachableNodes(values)]);
  const known = new Set(model.graph.inputs.map(({ name }) => name));
  const labels = model.trainingInputs
    .filter(({ name, value }) => !known.has(name) && nodes.has(value.node))
    .map(({ name, value }): GraphInput => ({ name, value, optional: false, fill: 0, vocabulary: null, doc: null }));
  return {
    ...model.graph,
    inputs: [...model.graph.inputs, ...labels],
    params: model.parameters,
    nodes: [...nodes].sort((a, b) => a.id - b.id),
    outputs: [...new Set(values)].map((value, i) => ({ name: `term ${i}`, value, doc: null })),
  };
}

function gradient(graph: Graph): Graph {
  const builder = GraphBuilder.continuing(graph.nodes);
  const g = new Algebra(builder, { path: "total", span: null });
  const square = (x: Value) =>
    g.sum(
      g.mul(x, x),
      x.type.shape.map((_, axis) => axis),
    );
  const total = graph.outputs.map(({ value }) => square(value)).reduce((a, b) => g.add(a, b));
  const found = differentiate(
    builder,
    [{ value: total, cotangent: g.scalar(1) }],
    graph.params.map(({ value }) => value),
  );
  const outputs = found.flatMap((value, i) => (value === null ? [] : [{ name: `gradient/${graph.params[i]?.name}`, value, doc: null }]));
  return simplify(prune({ ...graph, nodes: builder.nodes, outputs: [{ name: "total", value: total, doc: null }, ...outputs] }));
}

function build(tiled: boolean): Graph {
  const model = checkFile(spec).models[0];
  if (model === undefined) throw new Error("the full spec does not check");
  const graph = terms(model);
  return gradient(tiled ? rewriteGraph(graph, [tileRecurrence]) : graph);
}

/** Three runs in this process; prints their time and the process's peak. */
async function run(batch: number, tiled: boolean): Promise<void> {
  const graph = build(tiled);
  const from = performance.now();
  const engine = await onnxRuntimeEngine(emitOnnx(graph, { weights: drawWeights(graph, 1), metadata: {}, producerVersion: "bench" }), {
    memoryPattern: false,
  });
  const loaded = performance.now() - from;
  const before = process.memoryUsage().rss;
  const inputs = new Map(graph.inputs.map((input) => [input.name, randomInput(input, batch)]));
  const times: string[] = [];
  for (let i = 0; i < 3; i++) {
    const start = performance.now();
    await engine.run(inputs, ["total"].concat(graph.outputs.slice(1).map(({ name }) => name)));
    times.push(`${((performance.now() - start) / 1000).toFixed(1)} s (peak ${gigabytes(process.resourceUsage().maxRSS * 1024)})`);
  }
  await engine.close();
  console.log(`  onnxruntime ${ort.env.versions.common}: ${seconds(loaded)} to load, ${gigabytes(before)} then; runs ${times.join(", ")}`);
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

const [first, ...rest] = process.argv.slice(2);
if (first === "--measure") {
  await run(Number(rest[0]), rest[1] === "tiled");
} else {
  const isRun = first === "--run";
  const given = (isRun ? rest : process.argv.slice(2)).map(Number);
  const batches = given.length === 0 ? [256, 1024] : given;
  checkFile(spec);
  for (const tiled of [false, true]) {
    const start = performance.now();
    const graph = build(tiled);
    console.log(
      `${tiled ? "recurrences in chunks" : "recurrences whole"}: ${graph.nodes.length} nodes, ${seconds(performance.now() - start)} from text to graph`,
    );
    for (const batch of batches) {
      const { bytes } = peakMemory(graph, new Map([["B", batch]]));
      console.log(` batch ${batch}: ${gigabytes(bytes)} alive at once`);
      if (!isRun) continue;
      const measured = spawnSync(
        process.execPath,
        [...process.execArgv, process.argv[1] as string, "--measure", String(batch), tiled ? "tiled" : "whole"],
        {
          encoding: "utf8",
        },
      );
      console.log(measured.status === 0 ? measured.stdout.trimEnd() : `  ended with ${measured.signal ?? measured.status}`);
    }
  }
}
