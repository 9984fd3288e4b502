import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkSource, libraryFolder } from "../../compiler/driver.ts";
import { printGraph } from "../../compiler/ir/print.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import { simplify } from "../../compiler/passes/simplify.ts";
import { findingsOf, tasks } from "./expect.ts";

const folder = join(libraryFolder(), "..");
const specs = readdirSync(folder).filter((name) => name.endsWith(".ple"));

function modelOf(source: string, name = "case.ple"): CheckedModel {
  const { models, diagnostics } = checkSource(name, source);
  const [model] = models;
  if (model === undefined) throw new Error(diagnostics.map(({ code, message }) => `${code} ${message}`).join("\n"));
  return model;
}

const sizes = (model: CheckedModel) => Object.fromEntries(model.parameters.map(({ name, value }) => [name, value.type.shape.join("×")]));

describe.each(specs)("%s", (name) => {
  const text = readFileSync(join(folder, name), "utf8");
  const model = modelOf(text, name);

  test("the graph is well formed, and so is its simplified form", () => {
    verifyGraph(model.graph);
    verifyGraph(simplify(model.graph));
    for (const { initial } of model.parameters) verifyGraph(initial);
  });

  test("the same text gives the same graph", () => {
    expect(printGraph(modelOf(text, name).graph)).toBe(printGraph(model.graph));
  });

  test("parameters have names of their own that read as paths", () => {
    const names = model.parameters.map((param) => param.name);
    expect(new Set(names).size).toBe(names.length);
    for (const path of names) expect(path).toMatch(/^[A-Za-z_]\w*(\/\w+)*$/);
  });

  test("comments, blank lines and unused items change no weight", () => {
    const changed = text.replace(/^model \w+ \{/m, (head) => `// a comment\n\n${head}\n  const _unused = 3\n  let _also_unused = 4`);
    expect(sizes(modelOf(changed, name))).toEqual(sizes(model));
  });
});

describe("parameter names", () => {
  const parts = [
    "input x: f32[B, 8]",
    "task a: binary { loss: none }",
    "task b: binary { loss: none }",
    "let h per task = linear(x, 4)",
    "experts e {\n    one = linear(x, 3)\n    two = linear(x, 3)\n  }",
    "flow per task { return concat([h, e.one, e.two]) |> linear(task.width) }",
  ];
  const build = (order: readonly number[]) => sizes(modelOf(`model M {\n  ${order.map((i) => parts[i]).join("\n  ")}\n}`));
  const expected = {
    "e/one/W": "8×3",
    "e/one/b": "3",
    "e/two/W": "8×3",
    "e/two/b": "3",
    "h/a/W": "8×4",
    "h/a/b": "4",
    "h/b/W": "8×4",
    "h/b/b": "4",
    "flow/a/linear/W": "10×1",
    "flow/a/linear/b": "1",
    "flow/b/linear/W": "10×1",
    "flow/b/linear/b": "1",
  };
  const flat = (names: Record<string, string>) =>
    Object.fromEntries(Object.entries(names).map(([name, shape]) => [name.replace("/add_bias/", "/"), shape]));

  test.each([[[0, 1, 2, 3, 4, 5]], [[5, 4, 3, 2, 1, 0]], [[3, 5, 0, 2, 1, 4]]])(
    "are paths that do not depend on the order of items: %j",
    (order) => {
      expect(flat(build(order))).toEqual(expected);
    },
  );

  test("do not depend on an unrelated layer before", () => {
    const before = sizes(
      modelOf(tasks("task a: binary { loss: none }\n  flow a { let u = linear(x, 4)\n let v = layer_norm(u)\n return linear(v, 1) }")),
    );
    const after = sizes(
      modelOf(
        tasks(
          "task a: binary { loss: none }\n  flow a { let more = linear(x, 8)\n let u = linear(x + more, 4)\n let v = layer_norm(u)\n return linear(v, 1) }",
        ),
      ),
    );
    expect(after).toMatchObject(before);
    expect(Object.keys(after).length).toBe(Object.keys(before).length + 2);
  });
});

describe("sharing", () => {
  /** Four tasks in two groups, and the number of weights `W` that `h` makes. */
  const weights = (call: string, outside = "") =>
    modelOf(
      tasks(
        `group g
  group k
  ${["a", "b"].map((name) => `task ${name} in g: binary { loss: none }`).join("\n  ")}
  ${["c", "d"].map((name) => `task ${name} in k: binary { loss: none }`).join("\n  ")}
  let h per task = ${call}
  flow per task { return linear(h, 1) }`,
        outside,
      ),
    )
      .parameters.map((param) => param.name)
      .filter((name) => name.startsWith("h") && name.endsWith("/W"));

  test.each([
    ["linear(x, 3)", "", ["h/a/W", "h/b/W", "h/c/W", "h/d/W"]],
    ["linear(x, 3) per task", "", ["h/a/W", "h/b/W", "h/c/W", "h/d/W"]],
    ["linear(x, 3) per group", "", ["h/g/W", "h/k/W"]],
    ["linear(x, 3) per model", "", ["h/W"]],
    ["x |> linear(3) per group |> linear(4) per model", "", ["h/g/linear/W", "h/linear_2/W", "h/k/linear/W"]],
    [
      "F(x) per group",
      "module F(x: f32[B, n]) { return linear(x, 2) + linear(x, 2) }",
      ["h/g/linear/W", "h/g/linear_2/W", "h/k/linear/W", "h/k/linear_2/W"],
    ],
    [
      "F(x)",
      "module F(x: f32[B, n]) { return linear(x, 2) per group |> linear(2) }",
      ["h/g/linear/W", "h/a/linear_2/W", "h/b/linear_2/W", "h/k/linear/W", "h/c/linear_2/W", "h/d/linear_2/W"],
    ],
  ] as const)("%s", (call, outside, expected) => {
    expect([...weights(call, outside)].sort()).toEqual([...expected].sort());
  });

  test("several models of one file each have their own", () => {
    const { models } = checkSource(
      "case.ple",
      `${tasks("task t: binary { loss: none }\n  flow t { return linear(x, 1) }")}${tasks("task t: binary { loss: none }\n  flow t { return linear(x, 1) }").replace("model M", "model N")}`,
    );
    expect(models.map((model) => [model.name, model.parameters.length])).toEqual([
      ["M", 2],
      ["N", 2],
    ]);
  });

  test("a bank per task is joined without mixing up its entries", () => {
    expect(
      findingsOf(
        tasks(
          "task a: binary { loss: none }\n  task b: binary { loss: none }\n  experts e per task { one = linear(x, 3) }\n  flow per task { return linear(concat(all(e)), 1) }",
        ),
      ),
    ).toEqual([]);
  });
});
