import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { libraryFolder } from "../compiler/driver.ts";
import { restoreTree, storedName, storeTree, storeTrees } from "../compiler/library-trees.ts";
import { parse } from "../dsl/parser.ts";
import { Source } from "../dsl/source.ts";

const files = readdirSync(libraryFolder(), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ple"));

describe("a stored tree", () => {
  test.each(files)("of %s is the tree that parsing gives, spans included", (name) => {
    const source = new Source(name, readFileSync(join(libraryFolder(), name), "utf8"));
    expect(restoreTree(storeTree(source), source)).toEqual(parse(source).file);
  });

  test("is no tree of a text that was edited since", () => {
    const json = storeTree(new Source("a.ple", "module one() {\n  return 1\n}\n"));
    expect(restoreTree(json, new Source("a.ple", "module one() {\n  return 2\n}\n"))).toBeNull();
  });

  test("is never made of a broken text", () => {
    expect(() => storeTree(new Source("a.ple", "module {"))).toThrow("a.ple does not parse");
  });

  test("stands for each file of a folder and of those in it", () => {
    expect(storeTrees(libraryFolder()).map(({ name }) => name)).toEqual([...files].sort().map(storedName));
    expect(storedName(join("experts", "causal.ple"))).toBe("experts.causal.ple.json");
  });
});
