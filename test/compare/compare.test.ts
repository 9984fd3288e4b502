import { readdirSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import type { Change } from "../../compiler/compare/change.ts";
import { compareModels } from "../../compiler/compare/compare.ts";
import { checkFile, checkSource } from "../../compiler/driver.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import { initialWeights } from "../../compiler/weights.ts";
import { formatSource } from "../../dsl/printer.ts";
import { Source } from "../../dsl/source.ts";
import { readWeights, SafetensorsError, writeWeights } from "../../runtime/safetensors.ts";

const base = `import { WeightedSum } from "std/gates"
import { Dense, HmmProjector, Residual, Tower } from "std/layers"
import { bce, focal, huber, nll } from "std/losses"

/// A model to change.
model M {
  input x: f32[B, 6] { base: 4 { rfm: 3, age: 1 }, extra: 2 }
  input cluster: id[B] of 3
  input more: f32[B, 2]?
  input state: f32[B, 4]? = 1

  let joined = concat([x, embedding(cluster, 4), more])
  let twice = joined |> silu

  experts shared {
    wide: f32[B, 8] = Dense(twice, [8])
    deep[2]: f32[B, 8] = Dense(joined, [16, 8])
  }
  routes habit {
    daily = HmmProjector(state, 4)
  }

  group g { route: daily, intra: 0.8 }
  task ctr in g: binary { loss: focal(gamma: 2.0), prefer: [wide] }
  task stage in g: classes(3) { loss: nll, weight: 0.5 }
  task amount in g: regression { loss: huber }
  task later in g: binary { loss: bce, enabled: false }

  transfer ctr -> stage = Residual(strength: 0.5)

  let mixed per task = WeightedSum(shared, by: joined)

  flow per task {
    return concat([mixed, habit]) |> transfers |> Tower(task.width, [4], dropout: 0.1)
  }

  output gates per task = mixed.attention
  penalty order = mean(relu(stage.prediction - ctr.prediction[:, 0][:, none]), axis: [0, 1])
  train { optimizer: adamw(lr: 1e-3), batch: 64, phases: [phase("joint", epochs: 3)] }
}
`;

function modelOf(text: string): CheckedModel {
  const { models, diagnostics } = checkSource("test.ple", text);
  const [model] = models;
  if (model === undefined) throw new Error(diagnostics.map((found) => found.message).join("\n"));
  return model;
}

/** The base with texts replaced, each of which must be there. */
function edit(...replacements: readonly (readonly [string, string])[]): string {
  return replacements.reduce((text, [from, to]) => {
    expect(text).toContain(from);
    return text.replaceAll(from, to);
  }, base);
}

const line = ({ area, kind, name, before, after, breaking }: Change): string =>
  `${breaking === null ? "" : "! "}${area} ${{ added: "+", removed: "-", changed: "~" }[kind]} ${name}: ${[before, after].filter((part) => part !== null).join(" → ")}`;

const linesOf = (a: string, b: string): readonly string[] => compareModels(modelOf(a), modelOf(b)).changes.map(line);

describe("no change of the architecture", () => {
  test.each([
    ["comments", base.replace("input more", "// of the second kind\n  input more")],
    ["docs", base.replace("/// A model to change.", "/// Another.").replace("  input cluster", "  /// Which one.\n  input cluster")],
    ["layout", base.replaceAll("\n", "\n\n").replaceAll(", ", ",\n")],
    ["formatting", formatSource(new Source("a.ple", base.replaceAll("  ", ""))).text ?? ""],
    ["the name of a let", edit(["twice", "activated"])],
    ["a let more", edit(["Dense(twice, [8])", "Dense(again, [8])"], ["  experts shared", "  let again = twice\n  experts shared"])],
    ["a let less", edit(["  let twice = joined |> silu\n", ""], ["Dense(twice, [8])", "Dense(silu(joined), [8])"])],
    ["order of declarations", edit(["  input cluster: id[B] of 3\n", ""], ["  input state", "  input cluster: id[B] of 3\n  input state"])],
    ["an alias", edit(["{ Dense,", "{ Dense as D,"], ["= Dense(", "= D("])],
    ["a constant", edit(["[16, 8]", "[2 * 8, 8]"])],
    ["the name of the model", edit(["model M", "model N"])],
    ["a default of a loss written out", edit(["loss: huber", "loss: huber(delta: 1.0)"])],
    ["a default of a loss left out", edit(["focal(gamma: 2.0)", "focal"])],
    ["the name of a loss", edit(["focal, huber", "focal as strict, huber"], ["loss: focal", "loss: strict"])],
  ])("%s", (_, text) => {
    const comparison = compareModels(modelOf(base), modelOf(text));
    expect(comparison.changes.map(line)).toEqual([]);
    expect(comparison.weights.loads).toBe(true);
  });

  test.each(readdirSync("specs").filter((name) => name.endsWith(".ple")))("%s compared with itself", (name) => {
    const [model] = checkFile(`specs/${name}`).models;
    const [again] = checkFile(`specs/${name}`).models;
    if (model === undefined || again === undefined) throw new Error("the spec does not check");
    const comparison = compareModels(model, again);
    expect(comparison.changes).toEqual([]);
    expect(comparison.weights.loads).toBe(true);
    expect(comparison.parameters.before).toBe(comparison.parameters.after);
  });
});

const cases: readonly (readonly [name: string, text: string, lines: readonly string[]])[] = [
  [
    "an optional input more",
    edit(["  input more", "  input later_on: f32[B, 2]?\n  input more"], ["more])", "more, later_on])"]),
    ["inputs + later_on: f32[B, 2]?"],
  ],
  [
    "a required input more",
    edit(["  input more", "  input now: f32[B, 2]\n  input more"], ["more])", "more, now])"]),
    ["! inputs + now: f32[B, 2]"],
  ],
  ["an input less", edit(["  input more: f32[B, 2]?\n", ""], [", more])", "])"]), ["! inputs - more: f32[B, 2]?"]],
  ["an input required", edit(["more: f32[B, 2]?", "more: f32[B, 2]"]), ["! inputs ~ more: f32[B, 2]? → f32[B, 2]"]],
  [
    "an input optional",
    edit(["more: f32[B, 2]?", "more: f32[B, 2]?"], ["x: f32[B, 6] {", "x: f32[B, 6]? {"]),
    ["inputs ~ x: f32[B, 6] → f32[B, 6]?"],
  ],
  ["a wider input", edit(["more: f32[B, 2]?", "more: f32[B, 3]?"]), ["! inputs ~ more: f32[B, 2]? → f32[B, 3]?"]],
  [
    "another element type",
    edit(["more: f32[B, 2]?", "more: i32[B, 2]?"], [", more])", ", f32(more)])"]),
    ["! inputs ~ more: f32[B, 2]? → i32[B, 2]?"],
  ],
  ["a larger vocabulary", edit(["of 3", "of 4"]), ["inputs ~ cluster: id[B] of 3 → id[B] of 4", "parameters ~ joined/embedding: 12 → 16"]],
  ["a smaller vocabulary", edit(["of 3", "of 2"]), ["! inputs ~ cluster: id[B] of 3 → id[B] of 2"]],
  ["another default", edit(["? = 1", "? = 2"]), ["inputs ~ state when absent: 1 → 2"]],
  ["a slice renamed", edit(["rfm: 3", "value: 3"]), ["! inputs - x.base.rfm: columns 0 to 2", "inputs + x.base.value: columns 0 to 2"]],
  ["a slice moved", edit(["{ rfm: 3, age: 1 }", "{ age: 1, rfm: 3 }"]), ["! inputs ~ x.base.age: column 3 → column 0"]],
  ["a slice named within", edit(["extra: 2", "extra: 2 { a: 1, b: 1 }"]), ["inputs + x.extra.a: column 4"]],
  ["a wider expert", edit(["[16, 8]", "[32, 8]"]), ["parameters ~ shared/deep_0: 344 → 680"]],
  [
    "an expert more",
    edit(["deep[2]", "deep[3]"]),
    ["experts + shared.deep_2: Dense [B, 8]", "! outputs ~ gates/ctr: f32[B, 3] → f32[B, 4]"],
  ],
  [
    "an expert less",
    edit(["deep[2]", "deep[1]"]),
    ["experts - shared.deep_1: Dense [B, 8]", "! outputs ~ gates/ctr: f32[B, 3] → f32[B, 2]"],
  ],
  [
    "another order of experts",
    edit(
      ["    wide: f32[B, 8] = Dense(twice, [8])\n", ""],
      ["  routes", "  routes"],
      [
        "    deep[2]: f32[B, 8] = Dense(joined, [16, 8])\n",
        "    deep[2]: f32[B, 8] = Dense(joined, [16, 8])\n    wide: f32[B, 8] = Dense(twice, [8])\n",
      ],
    ),
    ["experts ~ shared order: wide, deep_0, deep_1 → deep_0, deep_1, wide"],
  ],
  [
    "a task less",
    edit(["  task amount in g: regression { loss: huber }\n", ""]),
    ["! tasks - amount: regression, huber()", "! outputs - gates/amount: f32[B, 3]"],
  ],
  [
    "a task more",
    edit(["  transfer", "  task extra in g: binary { loss: bce }\n  transfer"]),
    ["tasks + extra: binary, bce()", "outputs + gates/extra: f32[B, 3]"],
  ],
  ["a task switched on", edit([", enabled: false", ""]), ["tasks ~ later enabled: false → true"]],
  ["a task switched off", edit(["{ loss: huber }", "{ loss: huber, enabled: false }"]), ["! tasks ~ amount enabled: true → false"]],
  ["more classes", edit(["classes(3)", "classes(5)"]), ["! tasks ~ stage kind: classes(3) → classes(5)"]],
  [
    "another kind",
    edit(["regression { loss: huber }", "binary { loss: bce }"]),
    ["! tasks ~ amount kind: regression → binary", "tasks ~ amount loss: huber() → bce()"],
  ],
  ["another loss", edit(["focal(gamma: 2.0)", "bce"]), ["tasks ~ ctr loss: focal(gamma: 2) → bce()"]],
  ["another setting of a loss", edit(["gamma: 2.0", "gamma: 3.0"]), ["tasks ~ ctr loss: focal(gamma: 2) → focal(gamma: 3)"]],
  ["another weight", edit(["weight: 0.5", "weight: 0.25"]), ["tasks ~ stage weight: 0.5 → 0.25"]],
  [
    "another activation",
    edit(["{ loss: huber }", "{ loss: huber, activation: softplus }"]),
    ["! tasks ~ amount activation: default → softplus"],
  ],
  ["other preferences", edit(["[wide]", "[wide, deep_0]"]), ["tasks ~ ctr prefers: [wide] → [wide, deep_0]"]],
  ["another setting of a group", edit(["intra: 0.8", "intra: 0.6"]), ["groups ~ g: route: daily, intra: 0.8 → route: daily, intra: 0.6"]],
  [
    "a group renamed",
    edit([" in g:", " in h:"], ["group g", "group h"]),
    ["groups + h: route: daily, intra: 0.8", "groups - g: route: daily, intra: 0.8", "tasks ~ ctr group: g → h"],
  ],
  ["an edge more", edit(["  transfer", "  transfer ctr -> amount = Residual()\n  transfer"]), ["transfers + ctr -> amount: Residual"]],
  ["an edge less", edit(["  transfer ctr -> stage = Residual(strength: 0.5)\n", ""]), ["transfers - ctr -> stage: Residual"]],
  [
    "an edge turned",
    edit(["ctr -> stage", "stage -> ctr"]),
    [
      "transfers + stage -> ctr: Residual",
      "transfers - ctr -> stage: Residual",
      "order ~ execution order: ctr, stage, amount → stage, ctr, amount",
    ],
  ],
  [
    "another strength of an edge",
    edit(["strength: 0.5", "strength: 0.25"]),
    ["computation ~ flow/stage/transfers/ctr/mul: mul(0.5) → mul(0.25)"],
  ],
  [
    "a strength and what comes before it",
    edit(["strength: 0.5", "strength: 0.25"], ["[16, 8]", "[32, 8]"]),
    ["computation ~ flow/stage/transfers/ctr/mul: mul(0.5) → mul(0.25)"],
  ],
  [
    "other operands",
    edit(["concat([mixed, habit])", "concat([habit, mixed])"]),
    ["computation ~ flow/ctr/concat: concat(axis: 1) → concat(axis: 1) of other operands"],
  ],
  ["another function", edit(["joined |> silu", "joined |> tanh"]), ["computation + twice/tanh: tanh"]],
  ["another dropout", edit(["dropout: 0.1", "dropout: 0.2"]), ["dropout(rate: 0.1) → dropout(rate: 0.2)"]],
  ["an output less", edit(["  output gates per task = mixed.attention\n", ""]), ["! outputs - gates/ctr: f32[B, 3]"]],
  ["an output more", edit(["  penalty", "  output joined_out = joined\n  penalty"]), ["outputs + joined_out: f32[B, 12]"]],
  [
    "an output of another width",
    edit(["= mixed.attention", "= mixed.attention[:, 0:2]"]),
    ["! outputs ~ gates/ctr: f32[B, 3] → f32[B, 2]"],
  ],
  [
    "a penalty less",
    edit(["  penalty order = mean(relu(stage.prediction - ctr.prediction[:, 0][:, none]), axis: [0, 1])\n", ""]),
    ["penalties - order: "],
  ],
  ["another penalty", edit(["axis: [0, 1])", "axis: [0, 1]) * 2"]), ["mul(2)"]],
  ["a setting of training", edit(["lr: 1e-3", "lr: 1e-4"]), ["train ~ optimizer.lr: 0.001 → 0.0001"]],
  ["a default of training written out", edit(["lr: 1e-3", "lr: 1e-3, weight_decay: 0.01"], ["batch: 64", "batch: 64, accumulate: 1"]), []],
  ["a setting of training more", edit(["batch: 64", "batch: 64, clip: 5.0"]), ["train + clip: 5"]],
  [
    "another module of an expert",
    edit(
      ["wide: f32[B, 8] = Dense(twice, [8])", "wide: f32[B, 8] = Tower(twice, 8, [])"],
      ["experts shared", "experts shared"],
      ["import { Dense,", "import { Dense,"],
    ).replace("Tower(twice, 8, [])", "HmmProjector(twice, 8)"),
    ["experts ~ shared.wide module: Dense → HmmProjector"],
  ],
  [
    "a bank renamed",
    edit(["experts shared", "experts common"], ["(shared, by", "(common, by"]),
    ["experts + common: experts { wide, deep_0, deep_1 }", "experts - shared: experts { wide, deep_0, deep_1 }"],
  ],
];

describe("changes of the architecture", () => {
  test.each(cases)("%s", (_, text, lines) => {
    const found = linesOf(base, text);
    for (const expected of lines)
      expect(
        found.some((entry) => entry.includes(expected)),
        `${expected}\n  in\n${found.join("\n")}`,
      ).toBe(true);
    // Only what is listed breaks callers.
    expect(found.some((entry) => entry.startsWith("! "))).toBe(lines.some((entry) => entry.startsWith("! ")));
  });

  it("adds parameters up by module", () => {
    const { parameters } = compareModels(modelOf(base), modelOf(edit(["[16, 8]", "[32, 8]"])));
    const difference = parameters.modules.reduce((sum, { before, after }) => sum + after - before, 0);
    expect(difference).toBe(parameters.after - parameters.before);
    expect(parameters.modules.map(({ name }) => name)).toEqual(["shared/deep_0", "shared/deep_1"]);
  });

  it("tells the initial value, decay and tag of a param", () => {
    const own = (tail: string) =>
      base.replace("  let twice", `  param p: f32[12] = ${tail}\n  let twice`).replace("joined |> silu", "joined * p |> silu");
    expect(linesOf(own("0"), own("1"))).toEqual(["parameters ~ p initial value: one → another"]);
    expect(linesOf(own("0"), own('0 { decay: true, tag: "t" }'))).toEqual([
      "parameters ~ p decay: false → true",
      "parameters ~ p tag: none → t",
    ]);
    expect(linesOf(own("normal(0.02)"), own("normal(0.02)"))).toEqual([]);
  });

  it("looks into the body of a loss", () => {
    const own = (body: string) =>
      edit(
        ["model M", `loss own(z: f32[B], y: f32[B]) -> f32[B] for binary { return ${body} }\n\nmodel M`],
        ["focal(gamma: 2.0)", "own"],
      ).replace("{ bce, focal,", "{ bce,");
    expect(linesOf(own("(z - y) * (z - y)"), own("(z - y) * (z - y)"))).toEqual([]);
    expect(linesOf(own("(z - y) * (z - y)"), own("2 * (z - y) * (z - y)"))).toEqual([
      expect.stringMatching(/^computation ~ loss\/ctr.*: .*mul\(2\)/),
    ]);
  });

  it("tells nested loops from one another", () => {
    const loops = (inner: string) =>
      base.replace(
        "joined |> silu",
        `joined + scan((h, v) => { return h + scan((g, w) => { return ${inner} }, init: h, over: [v, v] |> stack(axis: 1))[:, 1] }, init: zeros([B, 12]), over: stack([joined, joined], axis: 1))[:, 1]`,
      );
    expect(linesOf(loops("g + w"), loops("g + w"))).toEqual([]);
    expect(linesOf(loops("g + w"), loops("g + v"))).not.toEqual([]);
    expect(linesOf(loops("g + w"), loops("h + w"))).not.toEqual([]);
  });
});

describe("whether weights load", () => {
  test.each(cases)("%s: the verdict is what loading says", (_, text) => {
    const [a, b] = [modelOf(base), modelOf(text)];
    const { weights } = compareModels(a, b);
    const bytes = writeWeights(initialWeights({ params: a.parameters }, 1), { params: a.parameters });
    const names = (...status: readonly string[]) =>
      weights.tensors.filter((tensor) => status.includes(tensor.status)).map(({ name }) => name);
    try {
      readWeights(bytes, { params: b.parameters });
      expect(weights.loads).toBe(true);
    } catch (error) {
      if (!(error instanceof SafetensorsError)) throw error;
      expect(weights.loads).toBe(false);
      if (error.problem === "shape") expect(names("shape").some((name) => error.message.includes(`\`${name}\``))).toBe(true);
      else {
        const origins = weights.tensors.flatMap(({ from }) => (from === null ? [] : [from]));
        expect(names("missing", "renamed").toSorted()).toEqual(error.missing.toSorted());
        expect([...names("unused"), ...origins].toSorted()).toEqual(error.extra.toSorted());
      }
    }
  });

  it("finds tensors that were only renamed", () => {
    const { weights, changes } = compareModels(
      modelOf(base),
      modelOf(edit(["experts shared", "experts common"], ["(shared, by", "(common, by"])),
    );
    const renamed = weights.tensors.filter(({ status }) => status === "renamed");
    expect(renamed.length).toBeGreaterThan(5);
    for (const { name, from } of renamed) expect(from).toBe(name.replace("common/", "shared/"));
    expect(weights.tensors.some(({ status }) => status === "missing" || status === "unused")).toBe(false);
    expect(changes.map(line)).toContain(`parameters ~ name of ${renamed.length} tensors: shared → common`);
  });
});
