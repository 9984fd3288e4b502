#!/usr/bin/env node
import { existsSync } from "node:fs";
import * as nodeModule from "node:module";
import { setFlagsFromString } from "node:v8";

// A command runs for a fraction of a second, in which optimising code costs more than it gives: V8 waits longer for it.
// Measured on `plec check` of the full spec: half the time (docs/performance.md).
setFlagsFromString("--interrupt-budget=3000000");

// Keeps compiled code between runs where Node can (22.1 and later).
nodeModule.enableCompileCache?.();

// Only a checkout has scripts/: there the build is made on first use and again after an edit.
const buildScript = new URL("../scripts/build.mjs", import.meta.url);
if (existsSync(buildScript)) {
  const { build, isStale } = await import(buildScript.href);
  try {
    if (isStale()) await build();
  } catch (error) {
    const hint = error.code === "ERR_MODULE_NOT_FOUND" ? "run `npm ci` first" : error.message;
    console.error(`plec: cannot build this checkout: ${hint}`);
    process.exit(70);
  }
}

await import("../dist/plec.js");
