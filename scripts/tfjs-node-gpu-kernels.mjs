// Lists the kernels that @tensorflow/tfjs-node-gpu registers, for test/emit/kernels.test.ts. The package itself needs CUDA and is not installed: its
// tarball is read. Usage: node scripts/tfjs-node-gpu-kernels.mjs [version]
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import core from "@tensorflow/tfjs-core";

const version = process.argv[2] ?? "4.22.0";
const fixture = fileURLToPath(new URL("../test/fixtures/tfjs-node-gpu-kernels.json", import.meta.url));

function run(command, args, cwd) {
  const result = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (result.status !== 0) throw new Error(`${command} ${args.join(" ")} failed (${result.status})\n${result.stderr}`);
  return result.stdout;
}

const folder = mkdtempSync(join(tmpdir(), "plec-kernels-"));
try {
  const [{ filename }] = JSON.parse(run("npm", ["pack", "--json", `@tensorflow/tfjs-node-gpu@${version}`], folder));
  run("tar", ["-xzf", filename], folder);
  const read = (path) => readFileSync(join(folder, "package/dist", path), "utf8");
  const registered = [...read("register_all_kernels.js").matchAll(/require\("\.\/(kernels\/\w+)"\)/g)].map((match) => match[1]);
  const kernels = registered.map((path) => {
    const [, literal, identifier] = /kernelName: (?:'(\w+)'|\w+\.(\w+))/.exec(read(`${path}.js`)) ?? [];
    const name = literal ?? core[identifier];
    if (typeof name !== "string") throw new Error(`no kernel name found in ${path}`);
    return name;
  });
  writeFileSync(fixture, `${JSON.stringify({ package: "@tensorflow/tfjs-node-gpu", version, kernels: kernels.sort() }, null, 2)}\n`);
  console.log(`${kernels.length} kernels of ${version}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
