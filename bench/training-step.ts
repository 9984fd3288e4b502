/**
 * A training step of the full spec, with and without its temporal expert: rows per second and peak memory of a process of its own, on both engines, beside the
 * time that its matrix products would take at the rate that the machine multiplies large matrices at just then. Inputs are drawn, dropout and penalties are on;
 * adaTT's measuring, which every tenth step adds, is off.
 * Usage: tsx bench/training-step.ts [--engine ort|tfjs] [--backend wasm|webgpu|cpu|node-gpu] [--steps 5] [--spec FILE] [batch ...]
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { formatTable } from "../cli/table.ts";
import { checkFile, checkSource } from "../compiler/driver.ts";
import { peakMemory } from "../compiler/ir/live-memory.ts";
import type { CheckedModel } from "../compiler/model.ts";
import { trainingPlan } from "../compiler/training/plan.ts";
import { trainingStep } from "../compiler/training/step.ts";
import { drawWeights } from "../compiler/weights.ts";
import { type TfjsBackend, tfjsBackends } from "../runtime/engines/tfjs-backends.ts";
import { engineFactory } from "../runtime/runs/engine-factory.ts";
import { initialState, runStep, stepScalars } from "../runtime/training/state.ts";
import { matmulRate, productFlops } from "./matmul.ts";
import { summarise } from "./measure.ts";
import { randomInput } from "./random-batch.ts";

type EngineName = "ort" | "tfjs";
const engines: readonly EngineName[] = ["ort", "tfjs"];

interface Measured {
  readonly nodes: number;
  /** What it takes to open the graph and to run it once. */
  readonly firstSeconds: number;
  /** Bytes that the graph keeps alive at once. */
  readonly alive: number;
  readonly peak: number;
  readonly gigaflops: number;
  /** Of each step after the first: seconds, and how many times as long as its products take at the rate of then. */
  readonly steps: readonly { readonly seconds: number; readonly ratio: number }[];
}

const fullSpec = fileURLToPath(new URL("../specs/ple_cluster_adatt.ple", import.meta.url));

/** A spec, without the expert of a name and what mentions it. */
function modelOf(spec: string, without: string): CheckedModel {
  const { models, diagnostics } = without === "" ? checkFile(spec) : checkSource(spec, withoutExpert(readFileSync(spec, "utf8"), without));
  const [model] = models;
  if (model === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  return model;
}

function withoutExpert(text: string, name: string): string {
  const module = new RegExp(`^ {4}${name}: .* = (\\w+)\\(`, "m").exec(text)?.[1] ?? "";
  const drop = (names: string, dropped: string) =>
    names
      .split(", ")
      .filter((other) => other !== dropped)
      .join(", ");
  return (
    text
      .split("\n")
      .filter((line) => !line.startsWith(`    ${name}: `))
      .map((line) => line.replace(/(?<=^import \{ )(.*?)(?= \})/, (names) => drop(names, module)))
      .filter((line) => !line.startsWith("import {  }"))
      .map((line) => line.replace(/(?<=prefer: \[)(.*?)(?=\])/, (names) => drop(names, name)).replace(/, prefer: \[\]/, ""))
      // Declared widths count the experts.
      .map((line) => line.replace(/^(\s*let [\w ]+): f32\[.*?\] =/, "$1 ="))
      .join("\n")
  );
}

async function measure(
  spec: string,
  without: string,
  engineName: EngineName,
  backend: TfjsBackend,
  batch: number,
  count: number,
): Promise<Measured> {
  const model = modelOf(spec, without);
  const plan = trainingPlan(model);
  const step = trainingStep(model, plan, plan.adatt === null ? {} : { measure: false });
  const opening = performance.now();
  const engine = await engineFactory(engineName, engineName === "tfjs" ? backend : undefined)(step);
  let firstSeconds = (performance.now() - opening) / 1000;
  const rate = await matmulRate();
  const symbols = new Map([["B", batch]]);
  const flops = productFlops(step.graph.nodes, symbols);
  const names = new Set(step.state.map(({ name }) => name));
  const inputs = [...step.graph.inputs.filter(({ name }) => !names.has(name)), ...model.training.inputs];
  const feeds = new Map(inputs.filter(({ name }) => !name.startsWith("train/")).map((input) => [input.name, randomInput(input, batch)]));
  let state = initialState(step.state, drawWeights({ params: model.parameters }, 1));
  const steps: { seconds: number; ratio: number }[] = [];
  for (let i = 0; i <= count; i++) {
    const ideal = flops / (await rate.measure());
    const from = performance.now();
    state = (await runStep(engine, step, state, new Map([...feeds, ...stepScalars({ epoch: 0, step: i, seed: 1 })]))).state;
    const seconds = (performance.now() - from) / 1000;
    if (i === 0) firstSeconds += seconds;
    else steps.push({ seconds, ratio: seconds / ideal });
  }
  const peak = process.resourceUsage().maxRSS * 1024;
  await Promise.all([engine.close(), rate.close()]);
  return {
    nodes: step.graph.nodes.length,
    firstSeconds,
    alive: peakMemory(step.graph, symbols).bytes,
    peak,
    gigaflops: flops / 1e9,
    steps,
  };
}

function row(label: string, batch: number, { nodes, firstSeconds, alive, peak, gigaflops, steps }: Measured): readonly string[] {
  const seconds = summarise(steps.map((step) => step.seconds));
  const ratio = summarise(steps.map((step) => step.ratio));
  return [
    label,
    String(batch),
    String(nodes),
    `${firstSeconds.toFixed(1)} s`,
    `${seconds.median.toFixed(seconds.median < 1 ? 3 : 1)} s`,
    (batch / seconds.median).toFixed(0),
    gigaflops.toFixed(1),
    `${ratio.median.toFixed(1)} (${ratio.low.toFixed(1)} to ${ratio.high.toFixed(1)})`,
    `${(alive / 1e9).toFixed(2)} GB`,
    `${(peak / 1e9).toFixed(2)} GB`,
  ];
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    engine: { type: "string" },
    backend: { type: "string", default: "wasm" },
    steps: { type: "string", default: "5" },
    spec: { type: "string", default: fullSpec },
    measure: { type: "boolean", default: false },
    without: { type: "string", default: "" },
  },
});
const batches = positionals.length === 0 ? [256, 1024] : positionals.map(Number);
const isEngine = (name: string | undefined): name is EngineName => engines.some((engine) => engine === name);
if (values.engine !== undefined && !isEngine(values.engine)) throw new Error(`no engine is called ${values.engine}`);
const backend = tfjsBackends.find((name) => name === values.backend);
if (backend === undefined) throw new Error(`no backend is called ${values.backend}`);

if (values.measure) {
  const [batch = 0] = batches;
  console.log(JSON.stringify(await measure(values.spec, values.without, values.engine ?? "ort", backend, batch, Number(values.steps))));
} else {
  const rows: (readonly string[])[] = [
    ["", "batch", "nodes", "load, first step", "step", "rows/s", "GFLOP", "of its products", "alive", "peak"],
  ];
  const failures: string[] = [];
  const variants = values.spec === fullSpec ? ["", "temporal"] : [""];
  for (const engine of values.engine === undefined ? engines : [values.engine])
    for (const without of variants)
      for (const batch of batches) {
        const label = `${engine === "ort" ? engine : `${engine} ${backend}`}${without === "" ? "" : `, without ${without}`}`;
        const args = [
          "--measure",
          "--engine",
          engine,
          "--backend",
          backend,
          "--spec",
          values.spec,
          "--without",
          without,
          "--steps",
          values.steps,
          String(batch),
        ];
        const child = spawnSync(process.execPath, [...process.execArgv, process.argv[1] as string, ...args], {
          encoding: "utf8",
          timeout: 1_200_000,
        });
        if (child.status === 0) rows.push(row(label, batch, JSON.parse(child.stdout) as Measured));
        else failures.push(`${label} at ${batch} ended with ${child.signal ?? child.status}: ${lastLine(child.stderr)}`);
      }
  console.log([...formatTable(rows, new Set([1, 2, 3, 4, 5, 6, 8, 9])), ...failures].join("\n"));
}

function lastLine(text: string): string {
  return (
    text
      .trimEnd()
      .split("\n")
      .findLast((line) => line.includes("Error")) ?? ""
  );
}
