import { describe, expect, test } from "vitest";
import type { NdArray } from "../../compiler/ir/ndarray.ts";
import { buildLibrary, noise, randomWeights, rowOf, scaled, tensor, withRow } from "./build-library.ts";
import { add, at, distance, dot, layerNorm, linear, type Row, rmsNorm, rows, sigmoid, silu, softplus, sum } from "./reference.ts";

const imports = `
  import { TemporalEnsemble } from "std/experts/temporal"
  import { Mamba, Mamba2, state_space_duality } from "std/mamba"
  import { CfC, LtcDiag } from "std/liquid"
  import { Transformer } from "std/transformer"
`;
const [B, T, d] = [2, 6, 4];

const module = (call: string, steps = T) =>
  buildLibrary({ imports, inputs: [`x: f32[B, ${steps}, ${d}]`, `mask: f32[B, ${steps}]`, `dt: f32[B, ${steps}]`], outputs: { y: call } });
const x = noise([B, T, d], 1);
/** The second row has a hole and ends early. */
const mask = tensor([B, T], (i) => [1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 0][i] as number);
const dt = tensor([B, T], (i) => 0.3 + (i % 4));
const steps = (tensorOf: NdArray, batch: number): readonly Row[] => rows(tensorOf).slice(batch * T, batch * T + T);

describe("recurrent modules equal their loops", () => {
  test("Mamba", () => {
    const model = module("Mamba(x, mask, state: 3, rank: 2)");
    const weights = randomWeights(model);
    const [gamma, Win, K, kb, Wx, Wdt, bdt, Alog, D, Wout] = weights.inOrder(10);
    const expected = [0, 1].flatMap((batch) => {
      const valid = rowOf(mask, batch);
      const projected = steps(x, batch).map((row) => linear(rmsNorm(row, gamma), Win));
      const entry = projected.map((row, t) => row.slice(0, 8).map((v) => v * at(valid, t)));
      const u = entry.map((_, t) =>
        Array.from({ length: 8 }, (_, c) =>
          silu(at(kb.data, c) + sum([0, 1, 2, 3].map((j) => at(K.data, j * 8 + c) * (entry[t - 3 + j]?.[c] ?? 0)))),
        ),
      );
      const h = Array.from({ length: 8 }, () => [0, 0, 0]);
      return u.flatMap((ut, t) => {
        const made = linear(ut, Wx);
        const step = linear(made.slice(0, 2), Wdt, bdt).map((v) => softplus(v) * at(valid, t));
        const y = ut.map((v, c) => {
          const state = h[c] as number[];
          for (let n = 0; n < 3; n++) {
            const A = -Math.exp(at(Alog.data, c * 3 + n));
            state[n] = Math.exp(at(step, c) * A) * at(state, n) + at(step, c) * at(made, 2 + n) * v;
          }
          return (dot(state, made.slice(5, 8)) + at(D.data, c) * v) * silu(at(projected[t] as Row, 8 + c));
        });
        return add(steps(x, batch)[t] as Row, linear(y, Wout));
      });
    });
    expect(distance(model.run({ x, mask, dt }, weights).y.data, expected)).toBeLessThan(1e-9);
  });

  test("state space duality, over chunks, equals its step recursion", () => {
    const model = buildLibrary({
      imports,
      inputs: ["x: f32[B, 6, 2, 3]", "decay: f32[B, 6, 2]", "w: f32[B, 6, 4]", "r: f32[B, 6, 4]"],
      outputs: {
        two: "state_space_duality(x, -abs(decay), w, r, 2)",
        three: "state_space_duality(x, -abs(decay), w, r, 3)",
        whole: "state_space_duality(x, -abs(decay), w, r, 6)",
      },
    });
    const inputs = { x: noise([2, 6, 2, 3], 1), decay: noise([2, 6, 2], 2, 3), w: noise([2, 6, 4], 3), r: noise([2, 6, 4], 4) };
    const expected: number[] = [];
    for (let b = 0; b < 2; b++) {
      const state = Array.from({ length: 2 }, () => Array.from({ length: 4 }, () => [0, 0, 0]));
      for (let t = 0; t < 6; t++) {
        for (let head = 0; head < 2; head++) {
          const a = Math.exp(-Math.abs(at(inputs.decay.data, (b * 6 + t) * 2 + head)));
          for (let p = 0; p < 3; p++) {
            let y = 0;
            for (let n = 0; n < 4; n++) {
              const cell = (state[head] as number[][])[n] as number[];
              cell[p] = a * at(cell, p) + at(inputs.w.data, (b * 6 + t) * 4 + n) * at(inputs.x.data, ((b * 6 + t) * 2 + head) * 3 + p);
              y += at(inputs.r.data, (b * 6 + t) * 4 + n) * at(cell, p);
            }
            expected.push(y);
          }
        }
      }
    }
    const out = model.run(inputs);
    for (const name of ["two", "three", "whole"]) expect(distance(out[name]?.data ?? [], expected), name).toBeLessThan(1e-9);
  });

  test("state space duality survives decays that overflow the ratio form", () => {
    const model = buildLibrary({
      imports,
      inputs: ["x: f32[B, 60, 1, 2]", "decay: f32[B, 60, 1]", "w: f32[B, 60, 2]"],
      outputs: { y: "state_space_duality(x, decay, w, w, 30)" },
    });
    const y = model.run({ x: noise([1, 60, 1, 2], 1), decay: tensor([1, 60, 1], () => -60), w: noise([1, 60, 2], 2) }).y;
    expect(y.data.every(Number.isFinite)).toBe(true);
  });

  test("CfC, with elapsed time, and no state leaves [-1, 1]", () => {
    const model = module("CfC(x, mask, elapsed: dt, hidden: 3, backbone: 5)");
    const weights = randomWeights(model, 2);
    const [Wb, bb, W, b] = weights.inOrder(4);
    const expected = [0, 1].flatMap((batch) => {
      let h: Row = [0, 0, 0];
      return steps(x, batch).flatMap((row, t) => {
        const q = linear([...row, ...h], Wb, bb).map((v) => 1.7159 * Math.tanh(0.666 * v));
        const heads = linear(q, W, b);
        const next = h.map((_, c) => {
          const s = sigmoid(at(heads, 6 + c) * at(dt.data, batch * T + t) + at(heads, 9 + c));
          return Math.tanh(at(heads, c)) * (1 - s) + s * Math.tanh(at(heads, 3 + c));
        });
        h = at(mask.data, batch * T + t) === 1 ? next : h;
        return h;
      });
    });
    const y = model.run({ x, mask, dt }, weights).y;
    expect(distance(y.data, expected)).toBeLessThan(1e-9);
    const huge = model.run({ x: scaled(x, 1e6), mask, dt }, weights).y;
    expect([...y.data, ...huge.data].every((v) => Math.abs(v) <= 1)).toBe(true);
  });

  test("LtcDiag", () => {
    const model = module("LtcDiag(x, mask, dt)");
    const weights = randomWeights(model);
    const [tau, A, Wf, bf, Wg, bg, Wo, bo, W, b, gamma, beta] = weights.inOrder(12);
    const expected = [0, 1].flatMap((batch) => {
      let h: Row = Array.from({ length: d }, () => 0);
      return steps(x, batch).flatMap((row, t) => {
        const f = linear(row, Wf, bf);
        const g = linear(row, Wg, bg);
        const o = linear(row, Wo, bo);
        if (at(mask.data, batch * T + t) === 1) {
          h = h.map((v, c) => {
            const k = Math.exp(-at(dt.data, batch * T + t) * (softplus(at(tau.data, c)) + softplus(at(f, c))));
            return k * v + (1 - k) * (at(A.data, c) + Math.tanh(at(g, c)));
          });
        }
        return layerNorm(
          linear(
            h.map((v, c) => sigmoid(at(o, c)) * v),
            W,
            b,
          ),
          gamma,
          beta,
        );
      });
    });
    expect(distance(model.run({ x, mask, dt }, weights).y.data, expected)).toBeLessThan(1e-9);
  });
});

describe("padding", () => {
  const calls = [
    "Mamba(x, mask, state: 3, rank: 2)",
    "Mamba2(x, mask, state: 3, head: 4, chunk: 3)",
    "CfC(x, mask, hidden: 4, backbone: 5)",
    "LtcDiag(x, mask)",
  ];
  const full = tensor([B, T], () => 1);
  for (const call of calls) {
    test(`in front changes nothing after it: ${call}`, () => {
      const short = module(call);
      const long = module(call, T + 3);
      const weights = randomWeights(short);
      const before = short.run({ x, mask: full, dt }, weights).y;
      const padded = tensor([B, T + 3, d], (i) =>
        Math.floor(i / d) % (T + 3) < 3 ? 5 : at(x.data, Math.floor(i / (d * (T + 3))) * T * d + (i % (d * (T + 3))) - 3 * d),
      );
      const after = long.run(
        { x: padded, mask: tensor([B, T + 3], (i) => Number(i % (T + 3) >= 3)), dt: tensor([B, T + 3], () => 1) },
        weights,
      ).y;
      const kept = rows(after).filter((_, i) => i % (T + 3) >= 3);
      expect(distance(kept.flat(), before.data)).toBeLessThan(1e-12);
    });
  }

  test("is not attended to", () => {
    const model = module("Transformer(x, mask, heads: 2, hidden: 8)");
    const weights = randomWeights(model);
    const other = tensor(x.shape, (i) => (at(mask.data, Math.floor(i / d)) === 1 ? at(x.data, i) : 9));
    const [a, b] = [model.run({ x, mask, dt }, weights).y, model.run({ x: other, mask, dt }, weights).y];
    rows(a).forEach((row, i) => {
      if (at(mask.data, i) === 1) expect(distance(row, rows(b)[i] as Row)).toBe(0);
    });
    expect(model.run({ x, mask: tensor([B, T], () => 0), dt }, weights).y.data.every(Number.isFinite)).toBe(true);
  });
});

describe("TemporalEnsemble", () => {
  const inputs = ["txn: f32[B, 180, 16]", "ses: f32[B, 90, 8]"];
  for (const [settings, count] of [
    ["", 491_779],
    [', ssm: "mamba2"', 467_679],
    [', ssm: "mamba2", lnn: "ltc_diag"', 402_399],
  ] as const) {
    test(`has ${count} weights${settings}`, () =>
      expect(buildLibrary({ imports, inputs, outputs: { y: `TemporalEnsemble([txn, ses]${settings})` } }).count).toBe(count));
  }

  const small = (settings = "") =>
    buildLibrary({
      imports,
      inputs: ["a: f32[B, 4, 3]", "b: f32[B, 3, 2]"],
      outputs: { y: `TemporalEnsemble([a, b], blocks: [1, 1], d: 8, out: 5${settings})` },
    });
  const sequences = { a: noise([3, 4, 3], 1, 30), b: noise([3, 3, 2], 2, 30) };

  for (const settings of ["", ', lnn: "ltc_diag"']) {
    test(`missing sequences contribute nothing, and a row without any gives exactly zero${settings}`, () => {
      const model = small(settings);
      const weights = randomWeights(model);
      const all = model.run(sequences, weights).y;
      const one = model.run({ ...sequences, b: withRow(sequences.b, 1, 0) }, weights).y;
      const none = model.run({ a: withRow(sequences.a, 1, 0), b: withRow(sequences.b, 1, 0) }, weights).y;
      expect(distance(rowOf(one, 1), rowOf(all, 1))).toBeGreaterThan(1e-6);
      expect(rowOf(none, 1).every((v) => v === 0)).toBe(true);
      for (const row of [0, 2]) {
        expect(distance(rowOf(one, row), rowOf(all, row))).toBe(0);
        expect(distance(rowOf(none, row), rowOf(all, row))).toBe(0);
      }
      expect(
        model
          .run(Object.fromEntries(Object.entries(sequences).map(([name, s]) => [name, scaled(s, 1e6)])), weights)
          .y.data.every(Number.isFinite),
      ).toBe(true);
    });
  }

  test("steps after the last valid one do not matter beyond being zero", () => {
    const model = small();
    const weights = randomWeights(model);
    const early = tensor([3, 4, 3], (i) => (Math.floor(i / 3) % 4 === 3 ? 0 : at(sequences.a.data, i)));
    expect(distance(model.run({ ...sequences, a: early }, weights).y.data, model.run(sequences, weights).y.data)).toBeGreaterThan(1e-6);
  });
});
