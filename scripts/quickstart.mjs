// From a fresh clone to predictions: install, compile the full PLE-Cluster-adaTT spec to ONNX, run it on a generated batch.
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import "./ensure-installed.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const model = ".plec/ple_cluster_adatt.onnx";

function plec(...args) {
  console.log(`\n$ npx plec ${args.map((arg) => (/[^\w./=,-]/.test(arg) ? `'${arg}'` : arg)).join(" ")}`);
  const { status } = spawnSync(process.execPath, ["bin/plec.cjs", ...args], { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

mkdirSync(`${root}.plec`, { recursive: true });
plec("check", "specs/ple_cluster_adatt.ple");
plec("compile", "specs/ple_cluster_adatt.ple", "-o", model, "--seed", "7");
plec("run", model, "--generate", "8", "--seed", "7");
console.log("\nThe gate weights of one customer: how much each expert counts for each task.");
plec("run", model, "--generate", "1", "--seed", "7", "--only-outputs", "--outputs", "gates/*");
console.log(`\nThe model is in ${model}. Next: docs/language.md, or \`npx plec summary specs/ple_cluster_adatt.ple\`.`);
