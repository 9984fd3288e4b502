#!/usr/bin/env node
import { existsSync } from "node:fs";
import * as nodeModule from "node:module";

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
