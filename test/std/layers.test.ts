import { describe, expect, test } from "vitest";
import { checkSource } from "../../compiler/driver.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { initialWeights } from "../../compiler/weights.ts";
import { buildLibrary, noise, randomWeights, tensor, withRow } from "./build-library.ts";
import { add, at, distance, layerNorm, linear, rows, scale, sigmoid, silu } from "./reference.ts";

test("a tower with the prior logit as its bias begins at the rate that its task states, and at 0 where none is stated", () => {
  const text = `import { bce, mse } from "std/losses"
import { Tower, prior_logit } from "std/layers"
model Rates {
  input x: f32[B, 4]
  task rare: binary { loss: bce, positives: 0.0053 }
  task common: binary { loss: bce, positives: 0.86 }
  task unknown: binary { loss: bce }
  task amount: regression(2) { loss: mse }
  flow per task { return x |> Tower(task.width, [3], bias: () => prior_logit(task)) }
}
`;
  const { models, diagnostics } = checkSource("rates.ple", text);
  expect(diagnostics).toEqual([]);
  const weights = initialWeights(models[0]?.graph as Graph, 3);
  const bias = (task: string) => [...(weights.get(`flow/${task}/Tower/linear/add_bias/b`) ?? [])];
  expect(1 / (1 + Math.exp(-(bias("rare")[0] as number)))).toBeCloseTo(0.0053, 8);
  expect(1 / (1 + Math.exp(-(bias("common")[0] as number)))).toBeCloseTo(0.86, 7);
  expect(bias("unknown")).toEqual([0]);
  expect(bias("amount")).toEqual([0, 0]);
});

describe("HmmProjector", () => {
  const projector = buildLibrary({
    imports: `import { HmmProjector } from "std/layers"`,
    inputs: ["x: f32[B, 16]?"],
    outputs: { y: "HmmProjector(x, 32)" },
  });
  const weights = randomWeights(projector);

  test("has 640 weights", () => expect(projector.count).toBe(640));

  test("projects present rows, and gives the learned default for a row of zeros", () => {
    const x = withRow(noise([3, 16], 1), 1, 0);
    const y = rows(projector.run({ x }, weights).y);
    const expected = rows(x).map((row) =>
      layerNorm(
        linear(row, weights.of("y/linear/W"), weights.of("y/linear/add_bias/b")),
        weights.of("y/layer_norm/gamma"),
        weights.of("y/layer_norm/beta"),
      ).map(silu),
    );
    expect(distance(y[0] ?? [], expected[0] ?? [])).toBeLessThan(1e-12);
    expect(distance(y[2] ?? [], expected[2] ?? [])).toBeLessThan(1e-12);
    expect(y[1]).toEqual([...weights.of("y/default").data]);
  });

  test("the default is zero at first, and a missing input is all default", () => {
    expect(projector.run({}).y.data.every((v) => v === 0)).toBe(true);
    expect([...projector.run({}, weights).y.data]).toEqual([...weights.of("y/default").data]);
  });
});

describe("routing by cluster", () => {
  const cluster = buildLibrary({
    imports: `import { ClusterEmbedding, routing } from "std/layers"`,
    inputs: ["id: id[B] of 20", "p: f32[B, 20]?"],
    outputs: { e: "ClusterEmbedding(id, p, dim: 32)", r: "routing(id, p)" },
  });
  const weights = randomWeights(cluster);
  const table = rows(weights.of("e/table"));
  const id = tensor([4], (i) => [3, 0, 19, 7][i] ?? 0);

  test("probabilities of one cluster are the cluster's id", () => {
    const p = tensor([4, 20], (i) => (i % 20 === id.data[Math.floor(i / 20)] ? 1 : 0));
    const other = tensor([4], () => 11);
    const soft = cluster.run({ id: other, p }, weights).e.data;
    expect(distance(soft, cluster.run({ id }, weights).e.data)).toBeLessThan(1e-7);
    expect(
      distance(
        soft,
        [...id.data].flatMap((c) => table[c] ?? []),
      ),
    ).toBeLessThan(1e-7);
  });

  test("probabilities are made to add up to 1 and mix rows of the table", () => {
    const p = tensor([4, 20], (i) => (i % 20 === 3 ? 6 : i % 20 === 7 ? 2 : 0));
    const { e, r } = cluster.run({ id, p }, weights);
    for (const row of rows(r)) expect(distance([at(row, 3), at(row, 7)], [0.75, 0.25])).toBeLessThan(1e-8);
    expect(distance(rows(e)[0] ?? [], add(scale(table[3] ?? [], 0.75), scale(table[7] ?? [], 0.25)))).toBeLessThan(1e-7);
  });

  test("rows with and without probabilities stand in one batch", () => {
    const p = withRow(
      tensor([4, 20], (i) => (i % 20 === 5 ? 1 : 0)),
      2,
      0,
    );
    const e = rows(cluster.run({ id, p }, weights).e);
    expect(distance(e[0] ?? [], table[5] ?? [])).toBeLessThan(1e-7);
    expect(e[2]).toEqual(table[19]);
  });
});

describe("ClusterTaskExpert", () => {
  const expert = buildLibrary({
    imports: `import { ClusterTaskExpert } from "std/layers"`,
    inputs: ["x: f32[B, 5]", "p: f32[B, 3]"],
    outputs: { y: "ClusterTaskExpert(x, p, trunk: [4], hidden: 6, out: 2)" },
  });

  test("is the probability-weighted sum of each cluster's own sub-head", () => {
    const weights = randomWeights(expert);
    const [x, p] = [noise([3, 5], 1), noise([3, 3], 2)];
    const part = (name: string, cluster: number, shape: readonly number[]) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return tensor(shape, (i) => at(weights.of(`y/${name}`).data, cluster * size + i));
    };
    const [W, b] = expert.params.filter(({ name }) => name.startsWith("y/t/")).map(({ name }) => weights.of(name));
    if (W === undefined || b === undefined) throw new Error("the trunk has no weights");
    const expected = rows(x).flatMap((row, i) => {
      const t = linear(row, W, b).map(silu);
      const heads = [0, 1, 2].map((c) =>
        linear(linear(t, part("W1", c, [4, 6]), part("b1", c, [6])).map(silu), part("W2", c, [6, 2]), part("b2", c, [2])),
      );
      return heads.reduce((total, head, c) => add(total, scale(head, at(rows(p)[i] ?? [], c))), [0, 0]);
    });
    expect(distance(expert.run({ x, p }, weights).y.data, expected)).toBeLessThan(1e-12);
  });
});

describe("Residual", () => {
  const call = (settings: string) => `Residual(x, { logit: z, prediction: p, name: "s" }${settings})`;
  const edges = buildLibrary({
    imports: `import { HiddenConcat, OutputConcat, Residual } from "std/layers"`,
    inputs: ["x: f32[B, 32]", "z: f32[B, 1]", "p: f32[B, 1]"],
    outputs: {
      plain: call(""),
      inverse: call(', type: "inverse"'),
      logit: call(', input: "logit", strength: 2'),
      inverse_logit: call(', input: "logit", type: "inverse"'),
      output: 'OutputConcat(x, { logit: z, prediction: p, name: "s" })',
      hidden: "HiddenConcat(x, { hidden: x + 1 })",
    },
  });
  const [x, z] = [noise([2, 32], 1), tensor([2, 1], (i) => [-2.2, 2.2][i] ?? 0)];
  const p = tensor([2, 1], (i) => [0.1, 0.9][i] ?? 0);
  const weights = randomWeights(edges);

  test.each([
    ["plain", 0.5, (i: number) => at(p.data, i)],
    ["inverse", 0.5, (i: number) => 1 - at(p.data, i)],
    ["logit", 2, (i: number) => at(z.data, i)],
    ["inverse_logit", 0.5, (i: number) => -at(z.data, i)],
  ] as const)("%s adds strength %f times SiLU(LN(Linear(what the source says)))", (name, strength, said) => {
    const of = (path: string) => weights.of(`${name}/${path}`);
    const expected = rows(x).flatMap((row, i) => {
      const h = layerNorm(linear([said(i)], of("linear/W"), of("linear/add_bias/b")), of("layer_norm/gamma"), of("layer_norm/beta"));
      return add(row, scale(h.map(silu), strength));
    });
    expect(distance(edges.run({ x, z, p }, weights)[name]?.data ?? [], expected)).toBeLessThan(1e-12);
  });

  test("the bias is drawn from U(-1, 1), and only through it does the prediction pass", () => {
    const initial = edges.initial();
    const bias = initial.of("plain/linear/add_bias/b");
    expect(Math.max(...bias.data.map(Math.abs))).toBeLessThanOrEqual(1);
    expect(Math.max(...bias.data.map(Math.abs))).toBeGreaterThan(0.5);
    const same = tensor([2, 32], () => 0);
    const effect = (from: typeof initial) => {
      const [low, high] = rows(edges.run({ x: same, z, p }, from).plain);
      return distance(low ?? [], high ?? []);
    };
    const withoutBias = effect(
      initial.with(
        "plain/linear/add_bias/b",
        tensor([32], () => 0),
      ),
    );
    expect(effect(initial)).toBeGreaterThan(0.1);
    expect(withoutBias).toBeLessThan(0.02); // what the norm's eps lets through
  });

  test("concatenations put the source's prediction, or its hidden representation, beside x", () => {
    const { output, hidden } = edges.run({ x, z, p }, weights);
    for (const [i, row] of rows(output).entries()) expect(row).toEqual([...(rows(x)[i] ?? []), at(p.data, i)]);
    for (const [i, row] of rows(hidden).entries()) expect(row).toEqual([...(rows(x)[i] ?? []), ...(rows(x)[i] ?? []).map((v) => v + 1)]);
  });
});

describe("GroupTaskExpert", () => {
  const forms = buildLibrary({
    imports: `import { GroupTaskExpert } from "std/layers"`,
    inputs: ["x: f32[B, 7]", "cluster: f32[B, 3]"],
    outputs: {
      late: "GroupTaskExpert(x, cluster, hidden: 6, encoded: 5, out: 4)",
      early: 'GroupTaskExpert(x, cluster, hidden: 6, encoded: 5, out: 4, form: "early")',
    },
  });

  test.each(["late", "early"] as const)("lets the cluster join %s", (form) => {
    const weights = randomWeights(forms);
    const layers = forms.params.filter(({ name }) => name.startsWith(`${form}/`)).map(({ name }) => weights.of(name));
    const layer = (input: readonly number[], i: number) => {
      const [W, b, gamma, beta] = layers.slice(4 * i, 4 * i + 4);
      if (W === undefined || b === undefined || gamma === undefined || beta === undefined) throw new Error(`no layer ${i}`);
      return layerNorm(linear(input, W, b), gamma, beta).map(silu);
    };
    const [x, cluster] = [noise([3, 7], 1), noise([3, 3], 2)];
    const expected = rows(x).flatMap((row, i) => {
      const e = rows(cluster)[i] ?? [];
      const u = layer(layer(form === "early" ? [...row, ...e] : row, 0), 1);
      return layer(form === "late" ? [...u, ...e] : u, 2);
    });
    expect(layers).toHaveLength(12);
    expect(distance(forms.run({ x, cluster }, weights)[form]?.data ?? [], expected)).toBeLessThan(1e-12);
  });
});

describe("AuxiliaryProjection", () => {
  const imports = `import { AuxiliaryProjection } from "std/layers"`;
  const inputs = ["h: f32[B, 4]", "segment: id[B] of 3", "cold: f32[B, 5]", "anonymous: f32[B, 2]"];
  const library = buildLibrary({ imports, inputs, outputs: { y: "AuxiliaryProjection(h, segment, cold, anonymous)" } });
  const given = { h: noise([3, 4], 1), segment: tensor([3], (i) => i), cold: noise([3, 5], 2), anonymous: noise([3, 2], 3) };

  test("mixes in a projection for anonymous and new customers, and leaves the others as they are", () => {
    const weights = randomWeights(library);
    const [G1, g1, G2, g2, C1, c1, C2, c2, A1, a1, A2, a2] = weights.inOrder(12);
    const project = (x: readonly number[], ...[W, b, V, c]: readonly [typeof G1, typeof G1, typeof G1, typeof G1]) =>
      linear(linear(x, W, b).map(silu), V, c);
    const expected = rows(given.h).map((h, i) => {
      const [g = 0] = project([...h, ...[0, 1, 2].map((k) => Number(k === i))], G1, g1, G2, g2).map(sigmoid);
      const fallback =
        i === 0 ? project(rows(given.anonymous)[0] ?? [], A1, a1, A2, a2) : project(rows(given.cold)[1] ?? [], C1, c1, C2, c2);
      return i === 2 ? h : add(scale(h, g), scale(fallback, 1 - g));
    });
    expect(distance(library.run(given, weights).y.data, expected.flat())).toBeLessThan(1e-12);
  });

  test("has 39,665 weights for 576 numbers, 40 of new customers and 15 of anonymous ones", () => {
    const full = buildLibrary({
      imports,
      inputs: ["h: f32[B, 576]", "segment: id[B] of 3", "cold: f32[B, 40]", "anonymous: f32[B, 15]"],
      outputs: { y: "AuxiliaryProjection(h, segment, cold, anonymous)" },
    });
    expect(full.count).toBe(39_665);
  });
});
