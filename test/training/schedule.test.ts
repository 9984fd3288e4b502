import { describe, expect, test } from "vitest";
import { learningRate } from "../../compiler/training/schedule.ts";
import { evaluate } from "./evaluate.ts";

const phase = { name: "refine", epochs: 80, start: 15, freeze: [], lr: 0.01 };

function rateAt(epoch: number, tMult: number, lrMin = 0.001): number {
  const schedule = { form: "cosine_restarts", t0: 10, tMult, lrMin } as const;
  return evaluate({ epoch }, (f, inputs) => ({ rate: learningRate(schedule, phase, inputs.epoch, f) })).rate?.[0] ?? Number.NaN;
}

/** The definition: walk through the cycles until the epoch lies in one. */
function expectedAt(epoch: number, tMult: number, lrMin = 0.001): number {
  let [start, length] = [phase.start, 10];
  while (epoch >= start + length) {
    start += length;
    length *= tMult;
  }
  return lrMin + 0.5 * (phase.lr - lrMin) * (1 + Math.cos((Math.PI * (epoch - start)) / length));
}

describe("cosine annealing with warm restarts", () => {
  test.each(
    [1, 2, 3].flatMap((tMult) => [15, 15.5, 20, 24.999, 25, 26.25, 34.9, 35, 44.5, 45, 85, 300].map((epoch) => [tMult, epoch] as const)),
  )("with a factor of %d, at epoch %d", (tMult, epoch) => expect(rateAt(epoch, tMult)).toBeCloseTo(expectedAt(epoch, tMult), 12));

  test("restarts at epochs 10, 30 and 70 of the phase", () => {
    for (const restart of [0, 10, 30, 70]) {
      expect(rateAt(15 + restart, 2)).toBeCloseTo(0.01, 12);
      if (restart > 0) expect(rateAt(15 + restart - 1e-6, 2)).toBeCloseTo(0.001, 12);
    }
  });
});

test("a constant rate is the phase's", () => {
  const { rate } = evaluate({ epoch: 20 }, (f, { epoch }) => ({ rate: learningRate({ form: "constant" }, phase, epoch, f) }));
  expect(rate).toEqual([0.01]);
});
