import { readFileSync } from "node:fs";

/** The version in package.json, one folder up from the sources and from the bundle alike. */
export function plecVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { readonly version: string };
  return manifest.version;
}
