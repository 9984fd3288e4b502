import { describe, expect, it } from "vitest";
import { parse } from "../../dsl/parser.ts";
import { Source } from "../../dsl/source.ts";
import { children, firstDeeperThan, walk } from "../../dsl/visit.ts";

const { file } = parse(new Source("test.ple", "const a = f(x, y: 1 + 2)\nconst b = none"));

describe("children", () => {
  it("are in source order, absent ones left out", () => {
    expect(children(file).map(({ kind }) => kind)).toEqual(["Const", "Const"]);
    const [a] = file.items;
    expect(a === undefined ? [] : children(a).map(({ kind }) => kind)).toEqual(["Name", "Call"]);
  });
});

describe("walk", () => {
  it("goes parents first, in source order", () => {
    const kinds: string[] = [];
    walk(file, (node) => kinds.push(node.kind));
    expect(kinds).toEqual([
      ...["File", "Const", "Name", "Call", "Reference", "Argument", "Reference", "Argument", "Name", "Binary"],
      ...["NumberLiteral", "NumberLiteral", "Const", "Name", "NoneLiteral"],
    ]);
  });

  it("leaves out what is below a node that says false, and names parents", () => {
    const seen: string[] = [];
    walk(file, (node, parent) => {
      seen.push(`${parent?.kind ?? "-"}>${node.kind}`);
      return node.kind !== "Call";
    });
    expect(seen).toEqual(["->File", "File>Const", "Const>Name", "Const>Call", "File>Const", "Const>Name", "Const>NoneLiteral"]);
  });
});

describe("firstDeeperThan", () => {
  it("finds a node below so many others", () => {
    // File, Const, Call, Argument, Binary, NumberLiteral
    expect(firstDeeperThan(file, 5)).toBeNull();
    expect(firstDeeperThan(file, 4)?.kind).toBe("NumberLiteral");
  });
});
