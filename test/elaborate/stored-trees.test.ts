import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { libraryFolder } from "../../compiler/library-folder.ts";
import { makerOf, type NodeMaker, textOfMakers } from "../../compiler/node-makers.ts";
import { StoredTrees, storeTrees } from "../../compiler/stored-trees.ts";
import { parse } from "../../dsl/parser.ts";
import { Source } from "../../dsl/source.ts";

const library = libraryFolder();
const { bytes, shapes } = storeTrees(library);
const files = readdirSync(library, { recursive: true })
  .map(String)
  .filter((path) => path.endsWith(".ple"));

const sourceOf = (path: string, change = ""): Source =>
  new Source(`std/${path}`, readFileSync(join(library, path), "utf8") + change, { library: true });

describe("stored trees", () => {
  it.each(files)("are what the parser gives: %s", (path) => {
    const source = sourceOf(path);
    const tree = StoredTrees.read(bytes)?.treeOf(source);
    expect(tree).toEqual(parse(source).file);
    expect(tree?.items[0]?.span.source).toBe(source);
  });

  it("have the same nodes with the makers that the build writes", () => {
    const written: Readonly<Record<string, NodeMaker>> = new Function(`return ${textOfMakers(shapes)}`)();
    const span = { source: sourceOf("layers.ple"), start: 1, end: 2 };
    for (const shape of shapes) {
      const made = [written[shape], makerOf(shape)].map((maker) => {
        let field = 0;
        return Object.entries(
          maker?.(
            () => field++,
            () => span,
          ) ?? {},
        );
      });
      expect(made[0]).toEqual(made[1]);
    }
  });

  it("are read once: a body stays the same", () => {
    const [item] = StoredTrees.read(bytes)?.treeOf(sourceOf("layers.ple"))?.items ?? [];
    expect(item?.kind).toBe("Definition");
    if (item?.kind === "Definition") expect(item.body).toBe(item.body);
  });

  it("stand for no other text", () => {
    expect(StoredTrees.read(bytes)?.treeOf(sourceOf("layers.ple", "\n"))).toBeNull();
  });

  it("stand for no file of another name", () => {
    expect(StoredTrees.read(bytes)?.treeOf(new Source("layers.ple", sourceOf("layers.ple").text))).toBeNull();
  });

  it.each<[string, Buffer]>([
    ["nothing", Buffer.alloc(0)],
    ["a part", bytes.subarray(0, bytes.length / 2)],
    ["another byte order", Buffer.from(bytes.toString("latin1").replace("\x01\0\0\0", "\0\0\0\x01"), "latin1")],
    ["something else", Buffer.from("<html>\n</html>")],
  ])("are not taken from %s", (_, other) => {
    expect(StoredTrees.read(other)).toBeNull();
  });
});
