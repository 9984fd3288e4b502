import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { libraryFolder } from "../../compiler/library-folder.ts";

const extension = ".ple";

/** Names of the architectures that come with plec, such as `mmoe`. */
export function architectureNames(): readonly string[] {
  return readdirSync(folder())
    .filter((name) => name.endsWith(extension))
    .map((name) => name.slice(0, -extension.length))
    .sort();
}

/** The text of an architecture's spec. */
export function architectureText(name: string): string {
  return readFileSync(join(folder(), `${name}${extension}`), "utf8");
}

/** What an architecture is, in its spec's own first words. */
export function describeArchitecture(name: string): string {
  const doc = /^(?:\/\/\/.*\n)+/.exec(architectureText(name))?.[0] ?? "";
  const text = doc
    .replaceAll(/^\/\/\/ ?/gm, "")
    .replaceAll("\n", " ")
    .trim();
  return /^.*?[.](?= |$)/.exec(text)?.[0] ?? text;
}

/** The folder of the specs, beside the library. */
function folder(): string {
  return dirname(libraryFolder());
}
