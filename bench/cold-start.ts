/**
 * Cold start of the installed command line: how long a person waits for `plec check`, and for `plec compile` of the full spec, beside a Node that does
 * nothing. A checkout, which looks at each start whether its sources are newer than its build, takes some milliseconds more.
 * Usage: tsx bench/cold-start.ts [runs]
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { summarise } from "./measure.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const runs = Number(process.argv[2] ?? 15);
/** The package as npm unpacks it. */
const folder = mkdtempSync(join(tmpdir(), "plec-bench-"));
const spec = "specs/ple_cluster_adatt.ple";

const commands: readonly (readonly [string, readonly string[]])[] = [
  ["node -e 0", ["-e", "0"]],
  ["plec --version", ["bin/plec.cjs", "--version"]],
  ["plec check, one small spec", ["bin/plec.cjs", "check", "specs/mmoe.ple"]],
  ["plec check, the full spec", ["bin/plec.cjs", "check", spec]],
  ["plec compile, the full spec", ["bin/plec.cjs", "compile", spec, "-o", "model.onnx"]],
];

// With it Node reads every certificate of the file at each start, which takes longer than all else that Node does.
const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;

function timeOf(args: readonly string[], cwd = folder): number {
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { cwd, env, encoding: "utf8" });
  if (status !== 0) throw new Error(`node ${args.join(" ")} exited with ${status}\n${stderr}`);
  return performance.now() - start;
}

try {
  timeOf(["bin/plec.cjs", "--version"], root); // makes the build where it is old
  for (const part of ["bin", "dist", "specs", "package.json"])
    cpSync(join(root, part), join(folder, part), { recursive: true, filter: (path) => !path.endsWith(".cache") });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "dir");
  const times = commands.map((): number[] => []);
  // The first two runs of a command leave what V8 has compiled.
  for (let round = 0; round < 2; round++) for (const [, args] of commands) timeOf(args);
  // Round by round, so that whatever else the machine does falls on all alike.
  for (let round = 0; round < runs; round++) {
    for (const [index, [, args]] of commands.entries()) times[index]?.push(timeOf(args));
  }
  const bare = summarise(times[0] ?? []).median;
  console.log(`cold start over ${runs} runs, Node ${process.versions.node}: median ms (middle half), ratio to a bare Node`);
  commands.forEach(([name], index) => {
    const { median, low, high } = summarise(times[index] ?? []);
    console.log(
      `  ${name.padEnd(28)} ${median.toFixed(0).padStart(6)} (${low.toFixed(0)}–${high.toFixed(0)})  ×${(median / bare).toFixed(2)}`,
    );
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
