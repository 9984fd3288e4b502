// Packs the package, installs the tarball in an empty folder as a user would, and uses it there.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import "./ensure-installed.mjs";
import { build } from "./build.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const expected = [
  "package/bin/plec.js",
  "package/dist/plec.js",
  "package/dist/third-party-notices.txt",
  "package/specs/ple_cluster_adatt.ple",
];
const alsoExpected = ["package/README.md", "package/LICENSE", "package/docs/language.md", "package/package.json"];

function run(command, args, cwd) {
  // Without network, onnxruntime-node's install script would try to fetch CUDA libraries; `skip` keeps its bundled CPU library.
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" };
  const result = spawnSync(command, args, { cwd, encoding: "utf8", env });
  if (result.status !== 0) throw new Error(`${command} ${args.join(" ")} failed (${result.status})\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

function expect(condition, message) {
  if (!condition) throw new Error(message);
  console.log(`ok ${message}`);
}

await build();
const folder = mkdtempSync(join(tmpdir(), "plec-pack-"));
try {
  const [{ filename }] = JSON.parse(run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], root));
  const packed = run("tar", ["-tzf", join(folder, filename)], folder).split("\n");
  for (const path of [...expected, ...alsoExpected]) expect(packed.includes(path), `the tarball has ${path}`);
  expect(
    !packed.some((path) => /^package\/(test|scripts|bench|node_modules|cli|compiler)\//.test(path)),
    "the tarball has no sources or tests",
  );

  run("npm", ["init", "-y"], folder);
  run("npm", ["install", "--no-audit", "--no-fund", join(folder, filename)], folder);
  copyFileSync(join(root, "specs/ple_cluster_adatt.ple"), join(folder, "mine.ple"));
  const plec = (...args) => run(process.platform === "win32" ? "npx.cmd" : "npx", ["plec", ...args], folder);
  expect(plec("--version").trim() !== "", "plec --version");
  expect(JSON.parse(plec("check", "mine.ple", "--json")).errors === 0, "plec check finds the library of the installed package");
  plec("compile", "mine.ple", "-o", "mine.onnx");
  expect(existsSync(join(folder, "mine.onnx")), "plec compile writes mine.onnx");
  const { predictions } = JSON.parse(plec("run", "mine.onnx", "--generate", "2", "--json"));
  expect(Object.keys(predictions).length === 16, "plec run gives 16 predictions");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log("test:pack: passed");
