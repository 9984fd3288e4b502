import { describe, expect, test } from "vitest";
import { buildLibrary, noise, randomWeights, tensor } from "./build-library.ts";
import { add, at, distance, dot, layerNorm, linear, type Row, rows, scale, softmax, sum } from "./reference.ts";

const imports = `import { OptimalTransport, entropic_transport, squared_distances } from "std/experts/optimal_transport"`;
const expert = buildLibrary({ imports, inputs: ["x: f32[B, 644]"], outputs: { y: "OptimalTransport(x)" } });
const small = buildLibrary({
  imports,
  inputs: ["x: f32[B, 5]"],
  outputs: { y: "OptimalTransport(x, particles: 3, space: 2, prototypes: 4, atoms: 2, out: 3)" },
});

/** Costs of 8 particles to 4 clouds of 8 atoms, all normal points of R^16 over 4 as the expert starts: about 2. */
const particles = rows(noise([16, 16], 1, 0.25));
const atoms = rows(noise([32, 16], 2, 0.25));
const C = tensor([2, 8, 4, 8], (i) => sum((particles[Math.floor(i / 32)] as Row).map((v, c) => (v - at(atoms[i % 32] as Row, c)) ** 2)));
const loga = noise([2, 8], 3, 0.3);
const logb = noise([4, 8], 4, 0.3);
const transport = (iterations: number) =>
  buildLibrary({
    imports,
    inputs: ["C: f32[B, 8, 4, 8]", "a: f32[B, 8]", "b: f32[B, 4, 8]"],
    outputs: {
      W: `entropic_transport(C, log_softmax(a), log_softmax(b), 0.2, ${iterations})`,
      P: `entropic_transport(C, log_softmax(a), log_softmax(b), 0.2, ${iterations}).plan`,
    },
  });
const clouds = tensor([2, 4, 8], (i) => at(logb.data, i % 32));
const at20 = transport(20);

/** Sinkhorn's plan by scaling of exp(-C/eps), which is safe at these costs. */
function plan(cost: readonly Row[], a: Row, b: Row, eps: number, iterations: number): readonly Row[] {
  const K = cost.map((row) => row.map((c) => Math.exp(-c / eps)));
  let v: Row = b;
  let u: Row = [];
  for (let i = 0; i < iterations; i++) {
    u = a.map((mass, row) => mass / dot(K[row] as Row, v));
    v = b.map((mass, column) => mass / sum(K.map((row, i2) => at(row, column) * at(u, i2))));
  }
  return K.map((row, i) => row.map((k, j) => at(u, i) * k * at(v, j)));
}

/** Cost of batch row, cloud: 8 × 8. */
function costOf(batch: number, cloud: number): readonly Row[] {
  return Array.from({ length: 8 }, (_, i) => Array.from({ length: 8 }, (_, j) => at(C.data, ((batch * 8 + i) * 4 + cloud) * 8 + j)));
}

describe("entropic transport", () => {
  const { P, W } = at20.run({ C, a: loga, b: clouds });
  const massAt = (batch: number, cloud: number) =>
    Array.from({ length: 8 }, (_, i) => Array.from({ length: 8 }, (_, j) => at(P.data, ((batch * 8 + i) * 4 + cloud) * 8 + j)));

  test("the plan is Sinkhorn's", () => {
    for (const batch of [0, 1]) {
      for (const cloud of [0, 1, 2, 3]) {
        const expected = plan(costOf(batch, cloud), softmax(rows(loga)[batch] as Row), softmax(rows(logb)[cloud] as Row), 0.2, 20);
        expect(distance(massAt(batch, cloud).flat(), expected.flat())).toBeLessThan(1e-12);
      }
    }
  });

  test("columns of the plan are exact; after 20 rounds at eps 0.2 rows are off by 1e-5 in the middle and 1e-2 at the worst", () => {
    const errors: number[] = [];
    for (const batch of [0, 1]) {
      const a = softmax(rows(loga)[batch] as Row);
      for (const cloud of [0, 1, 2, 3]) {
        const mass = massAt(batch, cloud);
        const columns = mass.reduce<Row>((total, row) => add(total, row), new Array<number>(8).fill(0));
        expect(distance(columns, softmax(rows(logb)[cloud] as Row))).toBeLessThan(1e-12);
        errors.push(distance(mass.map(sum), a));
      }
    }
    errors.sort((x, y) => x - y);
    expect(at(errors, 4)).toBeLessThan(1e-4);
    expect(at(errors, 4)).toBeGreaterThan(1e-8);
    expect(at(errors, 7)).toBeLessThan(1e-2);
  });

  test("the value is the primal one at convergence: <P, C> + eps KL(P | a bᵀ)", () => {
    const converged = transport(120).run({ C, a: loga, b: clouds });
    for (const batch of [0, 1]) {
      for (const cloud of [0, 1, 2, 3]) {
        const a = softmax(rows(loga)[batch] as Row);
        const b = softmax(rows(logb)[cloud] as Row);
        const cost = costOf(batch, cloud);
        const mass = plan(cost, a, b, 0.2, 2000);
        const primal = sum(
          mass.flatMap((row, i) => row.map((p, j) => p * at(cost[i] as Row, j) + 0.2 * p * Math.log(p / (at(a, i) * at(b, j))))),
        );
        expect(at(converged.W.data, batch * 4 + cloud)).toBeCloseTo(primal, 8);
      }
    }
  });

  test("the plan is the derivative of the value by the costs (Danskin)", () => {
    const converged = transport(80);
    const base = converged.run({ C, a: loga, b: clouds });
    for (const position of [0, 37, 101, 255]) {
      const moved = (by: number) =>
        converged.run({ C: tensor(C.shape, (i) => at(C.data, i) + (i === position ? by : 0)), a: loga, b: clouds }).W;
      const cloud = Math.floor(position / 8) % 4;
      const slope = (at(moved(1e-5).data, cloud) - at(moved(-1e-5).data, cloud)) / 2e-5;
      expect(slope).toBeCloseTo(at(base.P.data, position), 6);
    }
  });

  test("survives costs that underflow exp(-C/eps)", () => {
    const far = at20.run({ C: tensor(C.shape, (i) => 1e4 * at(C.data, i)), a: loga, b: clouds });
    expect([...far.P.data, ...far.W.data].every(Number.isFinite)).toBe(true);
  });

  test("the value has the size of a transport cost", () => expect([...W.data].every((v) => v > 0 && v < 4)).toBe(true));
});

describe("OptimalTransport", () => {
  test("has 99,560 weights", () => expect(expert.count).toBe(99_560));

  test("describes a row by costs and barycentric projections", () => {
    const weights = randomWeights(small);
    const [Y, w, Wx, bx, g0, b0, Wa, ba, W2, c2, g2, b2] = weights.inOrder(12);
    const x = noise([3, 5], 6);
    const atoms = rows(Y);
    const expected = rows(x).flatMap((row) => {
      const flat = layerNorm(linear(row, Wx, bx), g0, b0);
      const X = [0, 1, 2].map((i) => scale(flat.slice(2 * i, 2 * i + 2), 1 / Math.sqrt(2)));
      const a = softmax(linear(row, Wa, ba));
      const costs: number[] = [];
      const plans: (readonly Row[])[] = [];
      for (const k of [0, 1, 2, 3]) {
        const b = softmax(rows(w)[k] as Row);
        const cost = X.map((p) => [0, 1].map((j) => sum(p.map((v, c) => (v - at(atoms[k * 2 + j] as Row, c)) ** 2))));
        const P = plan(cost, a, b, 0.2, 20);
        plans.push(P);
        // dual value from the plan's own potentials: P = a b exp((f + g - C) / eps)
        costs.push(
          sum(
            P.flatMap((r, i) => r.map((p, j) => at(a, i) * at(b, j) * (at(cost[i] as Row, j) + 0.2 * Math.log(p / (at(a, i) * at(b, j)))))),
          ),
        );
      }
      const near = softmax(costs.map((c) => -c));
      const T = X.map((_, i) =>
        [0, 1].map((c) =>
          sum(
            [0, 1, 2, 3].map((k) =>
              sum(
                [0, 1].map(
                  (j) => (at(near, k) * at((plans[k] as readonly Row[])[i] as Row, j) * at(atoms[k * 2 + j] as Row, c)) / (at(a, i) + 1e-6),
                ),
              ),
            ),
          ),
        ),
      );
      return layerNorm(linear([...costs, ...T.flat()], W2, c2), g2, b2);
    });
    expect(distance(small.run({ x }, weights).y.data, expected)).toBeLessThan(1e-8);
  });

  describe("debiased", () => {
    const debiased = buildLibrary({
      imports: `import { divergence, entropic_transport, squared_distances } from "std/experts/optimal_transport"`,
      inputs: ["X: f32[B, 3, 2]", "a: f32[B, 3]", "Y: f32[B, 3, 3, 2]", "b: f32[B, 3, 3]"],
      // each row has all of the prototypes, of which the first row's count
      outputs: {
        S: "divergence(entropic_transport(squared_distances(X, Y[0]), log_softmax(a), log_softmax(b), 0.2, 200), X, log_softmax(a), Y[0], log_softmax(b[0]), 0.2, 200)",
      },
    });
    const forEach = ({ shape, data }: typeof C) => tensor([3, ...shape], (i) => at(data, i % data.length));
    const X = noise([3, 3, 2], 21, 0.4);
    const a = noise([3, 3], 22, 0.3);
    const Y = noise([3, 3, 2], 23, 0.4);
    const b = noise([3, 3], 24, 0.3);

    test("is the Sinkhorn divergence of plain loops", () => {
      const cloud = (of: typeof X, index: number) => rows(of).slice(3 * index, 3 * index + 3);
      const cost = (p: readonly Row[], q: readonly Row[]) => p.map((u) => q.map((v) => sum(u.map((w, c) => (w - at(v, c)) ** 2))));
      /** <P, C> + eps KL(P | a bᵀ) of a converged plan. */
      const primal = (p: readonly Row[], u: Row, q: readonly Row[], v: Row) => {
        const C = cost(p, q);
        const P = plan(C, u, v, 0.2, 5000);
        return sum(P.flatMap((row, i) => row.map((mass, j) => mass * (at(C[i] as Row, j) + 0.2 * Math.log(mass / (at(u, i) * at(v, j)))))));
      };
      const expected = [0, 1, 2].flatMap((i) =>
        [0, 1, 2].map((k) => {
          const [p, u, q, v] = [cloud(X, i), softmax(rows(a)[i] as Row), cloud(Y, k), softmax(rows(b)[k] as Row)];
          return primal(p, u, q, v) - 0.5 * primal(p, u, p, u) - 0.5 * primal(q, v, q, v);
        }),
      );
      expect(distance(debiased.run({ X, a, Y: forEach(Y), b: forEach(b) }).S.data, expected)).toBeLessThan(1e-6);
    });

    test("is 0 between equal clouds and above 0 otherwise", () => {
      const S = rows(debiased.run({ X, a, Y: forEach(X), b: forEach(a) }).S);
      for (const [i, row] of S.entries()) for (const [k, v] of row.entries()) expect(i === k ? Math.abs(v) < 1e-7 : v > 1e-3).toBe(true);
    });

    test("has as many weights, and other outputs, as an option of the expert", () => {
      const other = buildLibrary({ imports, inputs: ["x: f32[B, 644]"], outputs: { y: "OptimalTransport(x, debias: true)" } });
      expect(other.count).toBe(99_560);
      const x = noise([2, 644], 9);
      const weights = expert.initial();
      expect(distance(other.run({ x }, weights).y.data, expert.run({ x }, weights).y.data)).toBeGreaterThan(1e-3);
    });
  });

  test("squared distances by the expansion are the differences squared, never negative", () => {
    const built = buildLibrary({
      imports,
      inputs: ["X: f32[B, 3, 2]", "Y: f32[B, 4, 2, 2]"],
      outputs: { D: "squared_distances(X, Y[0])", same: "squared_distances(X, reshape(X[0], [3, 1, 2]))" },
    });
    const X = noise([1, 3, 2], 1, 1e3);
    const Y = noise([1, 4, 2, 2], 2, 1e3);
    const expected = rows(X).flatMap((p) => rows(Y).map((q) => sum(p.map((v, c) => (v - at(q, c)) ** 2))));
    const out = built.run({ X, Y });
    expect(distance(scale([...out.D.data], 1e-6), scale(expected, 1e-6))).toBeLessThan(1e-9);
    expect([...out.same.data].every((v) => v >= 0)).toBe(true);
  });

  test("stays finite for zeros and huge values", () => {
    for (const value of [0, 1e6, -1e6]) expect(small.run({ x: tensor([2, 5], () => value) }).y.data.every(Number.isFinite)).toBe(true);
  });
});
