// Bundles the page into dist/, and puts the WebAssembly of TensorFlow.js beside it.
import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const folder = fileURLToPath(new URL(".", import.meta.url));

export async function buildPage() {
  const dist = join(folder, "dist");
  mkdirSync(dist, { recursive: true });
  await build({
    absWorkingDir: folder,
    entryPoints: ["main.ts"],
    outdir: dist,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    mainFields: ["browser", "module", "main"],
    minify: true,
    logLevel: "warning",
  });
  const wasm = dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm"));
  for (const name of readdirSync(wasm)) {
    if (name.endsWith(".wasm")) copyFileSync(join(wasm, name), join(dist, name));
  }
}
