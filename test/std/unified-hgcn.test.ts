import { describe, expect, test } from "vitest";
import type { NdArray } from "../../compiler/ir/ndarray.ts";
import { buildLibrary, noise, randomWeights, rowOf, scaled, tensor, withRow } from "./build-library.ts";
import { add, at, distance, dot, layerNorm, linear, type Row, rows, scale, silu, softmax, softplus, sum } from "./reference.ts";

const imports = `import { UnifiedHGCN, exp0, log0, project, mobius_add, gyromidpoint } from "std/experts/unified_hgcn"`;

const expert = buildLibrary({
  imports,
  inputs: ["mcc: f32[B, 8]", "product: f32[B, 8]", "region: f32[B, 4]", "merchant: f32[B, 27]"],
  outputs: {
    y: "UnifiedHGCN([mcc, product, region], merchant)",
  },
});
const small = (aggregate: string) =>
  buildLibrary({
    imports,
    inputs: ["a: f32[B, 2]", "b: f32[B, 3]", "merchant: f32[B, 4]"],
    outputs: { y: `UnifiedHGCN([a, b], merchant, ball: 6, hidden: 8, out: 5, aggregate: "${aggregate}")` },
  });
const smallInputs = { a: noise([3, 2], 1, 0.4), b: noise([3, 3], 2, 0.3), merchant: noise([3, 4], 3) };

describe("Poincaré ball", () => {
  for (const c of [0.5, 1, 2]) {
    const ball = buildLibrary({
      imports,
      inputs: ["u: f32[B, 4]", "y: f32[B, 4]"],
      outputs: {
        x: `exp0(u, ${c})`,
        back: `log0(exp0(u, ${c}), ${c})`,
        inside: `project(100 * u, ${c})`,
        zero_plus: `mobius_add(0 * u, y[0], ${c})`,
        cancelled: `mobius_add(-u, mobius_add(u, y[0], ${c})[0], ${c})`,
        middle: `gyromidpoint(u[:, none], ones([B, 1, 1]), ${c})[:, 0]`,
        log: `log0(u, ${c})`,
      },
    });
    const u = noise([5, 4], 7, 0.15);
    const y = noise([5, 4], 8, 0.3);
    const out = ball.run({ u, y });

    test(`log0 is the inverse of exp0 (c = ${c})`, () => expect(distance(out.back.data, u.data)).toBeLessThan(1e-9));

    test(`exp0(u) lies at geodesic distance 2|u| from the origin (c = ${c})`, () => {
      const far = rows(out.x).map((x) => (2 / Math.sqrt(c)) * Math.atanh(Math.sqrt(c * dot(x, x))));
      expect(
        distance(
          far,
          rows(u).map((v) => 2 * Math.sqrt(dot(v, v))),
        ),
      ).toBeLessThan(1e-9);
    });

    test(`project puts far points on the margin, in their direction (c = ${c})`, () => {
      rows(out.inside).forEach((x, i) => {
        const v = rows(u)[i] as readonly number[];
        expect(distance(x, scale(v, (1 - 4e-3) / Math.sqrt(c * dot(v, v))))).toBeLessThan(1e-9);
      });
    });

    test(`0 ⊕ y = y and -x ⊕ (x ⊕ y) = y (c = ${c})`, () => {
      for (const row of rows(out.zero_plus)) expect(distance(row, rowOf(y, 0))).toBeLessThan(1e-12);
      // the first row alone is cancelled by the x that it was added to
      expect(distance(rowOf(out.cancelled, 0), rowOf(y, 0))).toBeLessThan(1e-12);
    });

    test(`the gyromidpoint of one point is the point (c = ${c})`, () => expect(distance(out.middle.data, out.log.data)).toBeLessThan(1e-9));
  }

  test("x ⊕ y is parallel to both when they are, and adds velocities (c = 1)", () => {
    const line = buildLibrary({ imports, inputs: ["x: f32[B, 1]", "y: f32[B, 1]"], outputs: { z: "mobius_add(x, y[0], 1)" } });
    const z = line.run({ x: tensor([1, 1], () => 0.5), y: tensor([1, 1], () => 0.8) }).z;
    expect(at(z.data, 0)).toBeCloseTo((0.5 + 0.8) / (1 + 0.5 * 0.8), 12);
  });
});

/** Points of the ball of curvature -c, one operation at a time. */
class Ball {
  readonly c: number;

  constructor(c: number) {
    this.c = c;
  }

  exp(u: Row): Row {
    const length = Math.sqrt(this.c * dot(u, u) + 1e-12);
    return scale(u, Math.tanh(length) / length);
  }

  log(x: Row): Row {
    const length = Math.min(Math.sqrt(this.c * dot(x, x) + 1e-12), 1 - 4e-3);
    return scale(x, Math.atanh(length) / length);
  }

  clip(x: Row, room = 4e-3): Row {
    const length = Math.sqrt(dot(x, x) + 1e-12);
    const most = (1 - room) / Math.sqrt(this.c);
    return length > most ? scale(x, most / length) : x;
  }

  enter(u: Row): Row {
    return this.clip(this.exp(u), 5e-3);
  }

  add(x: Row, y: Row): Row {
    const [xy, x2, y2] = [dot(x, y), dot(x, x), dot(y, y)];
    const left = 1 + 2 * this.c * xy + this.c * y2;
    const right = 1 - this.c * x2;
    const under = 1 + 2 * this.c * xy + this.c ** 2 * x2 * y2;
    return x.map((v, i) => (left * v + right * at(y, i)) / under);
  }

  linear(u: Row, W: NdArray, b: NdArray): Row {
    return this.clip(this.add(this.enter(linear(u, W)), this.enter([...b.data])));
  }
}

describe("UnifiedHGCN", () => {
  for (const aggregate of ["tangent", "gyromidpoint"]) {
    test(`is two rounds of attention among nodes in learned balls, then an MLP (${aggregate})`, () => {
      const model = small(aggregate);
      const weights = randomWeights(model);
      const [c1, c2, c3, Wa, ba, Wb, bb, Wm, bm, s1, t1, e1, W1, b1, s2, t2, e2, W2, b2, V1, d1, g1, h1, V2, d2, g2, h2] =
        weights.inOrder(27);
      const balls = [c1, c2, c3].map((raw) => new Ball(softplus(at(raw.data, 0))));
      const layers = [
        { source: s1, target: t1, bias: e1, W: W1, b: b1 },
        { source: s2, target: t2, bias: e2, W: W2, b: b2 },
      ];
      const input = new Ball(1);
      const expected = [0, 1, 2].flatMap((i) => {
        const first = balls[0] as Ball;
        let h = [
          first.linear(input.log(input.clip(rowOf(smallInputs.a, i))), Wa, ba),
          first.linear(input.log(input.clip(rowOf(smallInputs.b, i))), Wb, bb),
          first.linear(rowOf(smallInputs.merchant, i), Wm, bm),
        ];
        layers.forEach(({ source, target, bias, W, b }, l) => {
          const [ball, next] = [balls[l] as Ball, balls[l + 1] as Ball];
          const points = h.map((x) => ball.linear(ball.log(x), W, b));
          const t = points.map((x) => ball.log(x));
          h = t.map((own) => {
            const scores = t.map((other) => dot(other, [...source.data]) + dot(own, [...target.data]) + at(bias.data, 0));
            const A = softmax(scores.map((v) => (v > 0 ? v : 0.2 * v)));
            if (aggregate === "tangent") {
              const mixed = t.reduce<Row>((total, other, u) => add(total, scale(other, at(A, u))), scale(own, 0));
              return next.enter(mixed.map(silu));
            }
            const lambda = points.map((x) => 2 / (1 - ball.c * dot(x, x)));
            const over = sum(lambda.map((v, u) => at(A, u) * (v - 1)));
            const middle = points.reduce<Row>((total, x, u) => add(total, scale(x, (at(A, u) * at(lambda, u)) / over)), scale(own, 0));
            return next.enter(scale(ball.log(ball.clip(middle)), 0.5).map(silu));
          });
        });
        const seen = h.flatMap((x) => (balls[2] as Ball).log(x));
        return layerNorm(linear(layerNorm(linear(seen, V1, d1), g1, h1).map(silu), V2, d2), g2, h2);
      });
      expect(distance(model.run(smallInputs, weights).y.data, expected)).toBeLessThan(1e-9);
    });
  }

  test("has 205,061 weights", () => expect(expert.count).toBe(205_061));

  for (const aggregate of ["tangent", "gyromidpoint"]) {
    const model = small(aggregate);
    const curvatures = model.params.filter(({ shape, name }) => shape.length === 0 && name.endsWith("raw"));

    // log0 follows exp0 after the last layer, so that its curvature acts only where points reach the margin of its ball: not where the balls are
    // equal, but where vectors of a wide ball enter a narrow one.
    for (const [middle, last, effective] of [
      [1, 1, 2],
      [0.1, 9, 3],
    ] as const) {
      test(`${effective} of 3 curvatures have an effect where the last two are ${middle} and ${last} (${aggregate})`, () => {
        expect(curvatures).toHaveLength(3);
        const raw = (c: number) => tensor([], () => Math.log(Math.expm1(c)));
        const weights = randomWeights(model, 2)
          .with(curvatures[1]?.name ?? "", raw(middle))
          .with(curvatures[2]?.name ?? "", raw(last));
        const before = model.run(smallInputs, weights).y.data;
        const slopes = curvatures.map(({ name, shape }) => {
          const moved = model.run(
            smallInputs,
            weights.with(
              name,
              tensor(shape, () => at(weights.of(name).data, 0) + 1e-4),
            ),
          ).y.data;
          return distance(moved, before) / 1e-4;
        });
        expect(slopes.map((slope) => slope > 1e-5)).toEqual(slopes.map((_, i) => i < effective));
      });
    }
  }

  test("without Möbius biases the curvatures cancel: the reason for the bias", () => {
    const model = small("tangent");
    let weights = randomWeights(model, 0.2);
    // rank-1 parameters of the hyperbolic layers, between the curvatures and the readout, are the biases of width `ball`
    for (const { name, shape } of model.params)
      if (/(^|\/)b$/.test(name) && shape[0] === 6)
        weights = weights.with(
          name,
          tensor(shape, () => 0),
        );
    const before = model.run(smallInputs, weights).y.data;
    for (const { name, shape } of model.params.filter((param) => param.name.endsWith("raw"))) {
      const moved = model.run(
        smallInputs,
        weights.with(
          name,
          tensor(shape, () => 1.5),
        ),
      ).y.data;
      expect(distance(moved, before), name).toBeLessThan(1e-8);
    }
  });

  test("starts with curvature 1", () => {
    const weights = expert.initial();
    for (const { name } of expert.params.filter((param) => param.name.endsWith("raw"))) {
      expect(Math.log1p(Math.exp(at(weights.of(name).data, 0)))).toBeCloseTo(1, 8);
    }
  });

  test("a missing hierarchy is the origin; a row with nothing at all gives zero", () => {
    const model = small("tangent");
    const weights = randomWeights(model);
    const all = model.run(smallInputs, weights).y;
    const withoutHierarchy = model.run({ ...smallInputs, a: withRow(smallInputs.a, 1, 0), b: withRow(smallInputs.b, 1, 0) }, weights).y;
    const empty = model.run(
      { a: withRow(smallInputs.a, 1, 0), b: withRow(smallInputs.b, 1, 0), merchant: withRow(smallInputs.merchant, 1, 0) },
      weights,
    ).y;
    expect(rowOf(withoutHierarchy, 1).every(Number.isFinite)).toBe(true);
    expect(distance(rowOf(withoutHierarchy, 1), rowOf(all, 1))).toBeGreaterThan(1e-3);
    expect(rowOf(empty, 1).every((v) => v === 0)).toBe(true);
    for (const row of [0, 2]) expect(distance(rowOf(empty, row), rowOf(all, row))).toBe(0);
  });

  test("points on and beyond the boundary, and huge merchant values, stay finite", () => {
    for (const aggregate of ["tangent", "gyromidpoint"]) {
      const model = small(aggregate);
      for (const factor of [1, 1e3, 1e6]) {
        const y = model.run({
          a: scaled(smallInputs.a, factor),
          b: scaled(smallInputs.b, factor),
          merchant: scaled(smallInputs.merchant, factor),
        }).y;
        expect(y.data.every(Number.isFinite)).toBe(true);
      }
    }
  });
});
