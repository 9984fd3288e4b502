// Bundles the command line into dist/: ESM with code splitting, so that heavy parts load only when a command needs them.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const sourceFolders = ["dsl", "compiler", "runtime", "cli"];

// CommonJS packages inside an ESM bundle still call `require` for Node's own modules.
const banner = `import { createRequire as createRequireOfChunk } from "node:module"; const require = createRequireOfChunk(import.meta.url);`;

export async function build() {
  const { build: bundle } = await import("esbuild");
  const result = await bundle({
    absWorkingDir: root,
    entryPoints: [{ in: "cli/process.ts", out: "plec" }],
    outdir: dist,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    // onnx-proto finds its `long` by a lookup that bundling would break; onnxruntime-node is native; TensorFlow.js keeps one registry of backends,
    // which optional ones such as tfjs-node-gpu join by importing the same package; yaml is required in the middle of a synchronous check.
    external: ["onnx-proto", "onnxruntime-node", "@tensorflow/*", "yaml"],
    banner: { js: banner },
    legalComments: "none",
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: false,
    metafile: true,
    write: false,
    logLevel: "warning",
  });
  const files = [
    ...result.outputFiles.map((file) => ({ path: file.path, contents: file.contents })),
    { path: join(dist, "third-party-notices.txt"), contents: thirdPartyNotices(result.metafile) },
  ];
  // Chunks first, then the entry that names them, each in one rename: a plec started meanwhile sees the old build or the new one.
  mkdirSync(dist, { recursive: true });
  files.sort((a, b) => Number(basename(a.path) === "plec.js") - Number(basename(b.path) === "plec.js"));
  for (const { path, contents } of files) {
    const temporary = `${path}.${process.pid}.tmp`;
    writeFileSync(temporary, contents);
    renameSync(temporary, path);
  }
  const kept = new Set(files.map(({ path }) => basename(path)));
  for (const name of readdirSync(dist)) {
    if (!kept.has(name) && !name.endsWith(".tmp")) rmSync(join(dist, name), { recursive: true, force: true });
  }
}

/** True when a source file is newer than the build, or there is no build. */
export function isStale() {
  const entry = join(dist, "plec.js");
  if (!existsSync(entry)) return true;
  const builtAt = statSync(entry).mtimeMs;
  const newer = (folder) =>
    readdirSync(folder, { withFileTypes: true }).some((item) => {
      const path = join(folder, item.name);
      return item.isDirectory() ? newer(path) : item.name.endsWith(".ts") && statSync(path).mtimeMs > builtAt;
    });
  return sourceFolders.some((folder) => newer(join(root, folder))) || statSync(join(root, "package.json")).mtimeMs > builtAt;
}

/** The licence texts of the packages whose code is inside the bundle, as their licences ask. */
function thirdPartyNotices(metafile) {
  const packages = new Set();
  for (const input of Object.keys(metafile.inputs)) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match !== null) packages.add(match[1]);
  }
  const notices = [...packages].sort().map((folder) => {
    const manifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
    const licence = readdirSync(join(root, folder)).find((name) => /^licen[cs]e/i.test(name));
    const text = licence === undefined ? `Licence: ${manifest.license}` : readFileSync(join(root, folder, licence), "utf8").trim();
    return `${manifest.name} ${manifest.version}\n\n${text}\n`;
  });
  return `The files in this folder contain code of these packages.\n\n${notices.join(`\n${"-".repeat(80)}\n\n`)}`;
}

if (
  process.argv[1] !== undefined &&
  dirname(process.argv[1]) === dirname(fileURLToPath(import.meta.url)) &&
  basename(process.argv[1]) === "build.mjs"
) {
  await build();
}
