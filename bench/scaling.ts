/**
 * Growth of check and compile with the size of a model: MMoE-like specs of up to 200 experts and 320 tasks, each measured in a process of its own.
 * Usage: tsx bench/scaling.ts
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { checkSource } from "../compiler/driver.ts";
import { initialWeights } from "../compiler/weights.ts";
import { buildOnnx } from "../runtime/build-onnx.ts";
import { growthExponent } from "./measure.ts";

const sizes: readonly (readonly [experts: number, tasks: number])[] = [
  [12, 20],
  [25, 40],
  [50, 80],
  [100, 160],
  [200, 320],
];

interface Measured {
  readonly checkMs: number;
  readonly compileMs: number;
  readonly nodes: number;
  readonly onnxBytes: number;
  readonly peakMiB: number;
}

/** A spec whose text grows with experts and tasks, and its wiring with their product. */
export function makeSpec(experts: number, tasks: number): string {
  const numbered = (count: number, line: (i: number) => string) => Array.from({ length: count }, (_, i) => line(i)).join("\n");
  return `
import { WeightedSum } from "std/gates"
import { Dense, Residual, Tower } from "std/layers"
import { bce } from "std/losses"

model Scaling {
  input x: f32[B, 64]
  experts shared {
${numbered(experts, (i) => `    expert_${i}: f32[B, 16] = Dense(x, [16])`)}
  }
${numbered(tasks, (i) => `  task task_${i}: binary { loss: bce, prefer: [expert_${i % experts}] }`)}
${numbered(Math.floor(tasks / 4), (i) => `  transfer task_${4 * i} -> task_${4 * i + 1} = Residual(strength: 0.5)`)}
  let mixed per task = WeightedSum(shared, by: x)
  flow per task {
    return mixed |> transfers |> Tower(task.width, [8])
  }
}
`;
}

async function measure(experts: number, tasks: number): Promise<Measured> {
  checkSource("warm-up.ple", makeSpec(2, 4));
  const text = makeSpec(experts, tasks);
  const start = performance.now();
  const { diagnostics, models } = checkSource("scaling.ple", text);
  const checkMs = performance.now() - start;
  const [model] = models;
  if (model === undefined) throw new Error(`the generated spec has findings: ${diagnostics[0]?.message}`);
  const from = performance.now();
  const onnx = await buildOnnx(model, { weights: initialWeights(model.graph, 0), origin: { seed: 0 } }, "0.0.0");
  const compileMs = performance.now() - from;
  return { checkMs, compileMs, nodes: model.graph.nodes.length, onnxBytes: onnx.length, peakMiB: process.resourceUsage().maxRSS / 1024 };
}

if (process.argv[2] !== undefined) {
  console.log(JSON.stringify(await measure(Number(process.argv[2]), Number(process.argv[3]))));
} else {
  console.log("experts  tasks    nodes  check ms  compile ms  peak MiB  ONNX MiB");
  const results = sizes.map(([experts, tasks]) => {
    const script = fileURLToPath(import.meta.url);
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", script, String(experts), String(tasks)], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(stderr);
    const result = JSON.parse(stdout) as Measured;
    const columns: [number | string, number][] = [
      [experts, 7],
      [tasks, 7],
      [result.nodes, 9],
      [result.checkMs.toFixed(0), 10],
      [result.compileMs.toFixed(0), 12],
      [result.peakMiB.toFixed(0), 10],
      [(result.onnxBytes / 2 ** 20).toFixed(1), 10],
    ];
    console.log(columns.map(([value, width]) => String(value).padStart(width)).join(""));
    return { edges: experts * tasks, ...result };
  });
  // Small models measure the start, not the growth.
  const large = results.slice(-4);
  const exponent = (pick: (result: (typeof results)[number]) => number, by: (result: (typeof results)[number]) => number) =>
    growthExponent(large.map((result) => [by(result), pick(result)])).toFixed(2);
  console.log(
    `growth with the number of nodes: check n^${exponent(
      (r) => r.checkMs,
      (r) => r.nodes,
    )}, compile n^${exponent(
      (r) => r.compileMs,
      (r) => r.nodes,
    )}`,
  );
  console.log(
    `growth with experts × tasks:     check n^${exponent(
      (r) => r.checkMs,
      (r) => r.edges,
    )}, compile n^${exponent(
      (r) => r.compileMs,
      (r) => r.edges,
    )}`,
  );
}
