// Packs the package, installs the tarball in an empty folder as a user would, and uses it there.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import "./ensure-installed.mjs";
import { build } from "./build.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const expected = [
  "package/bin/plec.cjs",
  "package/dist/plec.cjs",
  "package/dist/index.js",
  "package/dist/index.d.ts",
  "package/dist/runtime.js",
  "package/dist/runtime.d.ts",
  "package/dist/third-party-notices.txt",
  "package/dist/library.trees",
  "package/specs/ple_cluster_adatt.ple",
];
const alsoExpected = ["package/README.md", "package/LICENSE", "package/docs/language.md", "package/package.json"];

/** Uses every part of the API under the compiler's strictest settings; prints a list of numbers. */
const program = `import { check, compileOnnx, format, generateTypes, version, type CheckResult } from "plec";
import { InputError } from "plec/runtime";
import { writeFileSync } from "node:fs";
import { load, slices, type Inputs, type Task } from "./mine.js";

const result: CheckResult = check("mine.ple");
writeFileSync("api.onnx", (await compileOnnx("mine.ple", { seed: 1 })).model);
const model = await load("api.onnx");
const rows: readonly Inputs[] = model.generate(2, 1);
const task: Task = "ctr";
const found = (await model.predict(rows)).map((prediction) => prediction[task]);
// @ts-expect-error a required input is missing
const error: unknown = await model.predict([{ cluster_id: 1 }]).catch((thrown: unknown) => thrown);
if (!(error instanceof InputError) || result.errors > 0 || format("").text === null || version === "") throw new Error("odd");
await model.close();
console.log(JSON.stringify([...found, slices["features.base"].end, (await generateTypes("mine.ple")).length]));
`;

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
    !packed.some((path) => /^package\/(test|scripts|bench|node_modules|api|cli|compiler)\//.test(path)),
    "the tarball has no sources or tests",
  );

  run("npm", ["init", "-y"], folder);
  run("npm", ["install", "--no-audit", "--no-fund", join(folder, filename)], folder);
  copyFileSync(join(root, "specs/ple_cluster_adatt.ple"), join(folder, "mine.ple"));
  const npx = process.platform === "win32" ? "npx.cmd" : "npx";
  const plec = (...args) => run(npx, ["plec", ...args], folder);
  expect(plec("--version").trim() !== "", "plec --version");
  expect(JSON.parse(plec("check", "mine.ple", "--json")).errors === 0, "plec check finds the library of the installed package");
  plec("compile", "mine.ple", "-o", "mine.onnx");
  expect(existsSync(join(folder, "mine.onnx")), "plec compile writes mine.onnx");
  const { predictions } = JSON.parse(plec("run", "mine.onnx", "--generate", "2", "--json"));
  expect(Object.keys(predictions).length === 16, "plec run gives 16 predictions");

  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const development = ["typescript", "@types/node"].map((name) => `${name}@${devDependencies[name]}`);
  run("npm", ["install", "--no-audit", "--no-fund", "--save-dev", ...development], folder);
  run("npm", ["pkg", "set", "type=module"], folder);
  plec("types", "mine.ple", "-o", "mine.ts");
  writeFileSync(join(folder, "use.ts"), program);
  const tsc = (...options) =>
    run(npx, ["tsc", "--strict", "--target", "es2022", "--types", "node", "--outDir", "out", ...options, "use.ts"], folder);
  tsc("--module", "esnext", "--moduleResolution", "bundler", "--noEmit");
  expect(true, "the API type-checks with the module resolution bundler");
  tsc("--module", "node16");
  expect(true, "the API type-checks with the module resolution node16");
  expect(JSON.parse(run(process.execPath, ["out/use.js"], folder)).every(Number.isFinite), "the API runs");

  const project = join(folder, "project");
  plec("init", "project", "--architecture", "mmoe", "--yes");
  run("npm", ["install", "--no-audit", "--no-fund", join(folder, filename)], project);
  for (const script of ["check", "format:check", "types:check", "test", "compile", "synth", "train"]) {
    run("npm", ["run", script], project);
    expect(true, `npm run ${script} in a project that plec init made`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log("test:pack: passed");
