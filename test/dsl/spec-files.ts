import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Source } from "../../dsl/source.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Every `.ple` file under `specs/`, by its path in the repository. */
export const specFiles: readonly Source[] = readdirSync(join(root, "specs"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ple"))
  .sort()
  .map((name) => new Source(`specs/${name}`, readFileSync(join(root, "specs", name), "utf8")));

/** A tree without its places, to compare what two texts mean. */
export function withoutSpans(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSpans);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "span")
      .map(([key, inner]) => [key, withoutSpans(inner)]),
  );
}
