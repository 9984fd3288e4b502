import { describe, expect, it } from "vitest";
import { constantLoss } from "../../compiler/training/constant-loss.ts";
import { modelOf } from "./run-steps.ts";

const model = modelOf(`import { Tower } from "std/layers"
import { bce, focal } from "std/losses"
model Small {
  input x: f32[B, 2]
  task plain: binary { loss: bce }
  task focused: binary { loss: focal(gamma: 2.0, alpha: 0.25) }
  flow per task { return x |> Tower(task.width, [4]) }
}
`);

/** Golden-section search over the logit. */
function smallest(cost: (z: number) => number): number {
  let [low, high] = [-15, 15];
  const share = (Math.sqrt(5) - 1) / 2;
  while (high - low > 1e-9) {
    const [a, b] = [high - share * (high - low), low + share * (high - low)];
    if (cost(a) < cost(b)) high = b;
    else low = a;
  }
  return cost((low + high) / 2);
}

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));

describe("constantLoss", () => {
  it.each([0.005, 0.04, 0.5, 0.86])("of a cross entropy is the entropy, at a rate of %d", (rate) => {
    const [zero, one] = constantLoss(model, "plain", rate) ?? [0, 0];
    expect((1 - rate) * zero + rate * one).toBeCloseTo(-(rate * Math.log(rate) + (1 - rate) * Math.log(1 - rate)), 5);
  });

  it.each([0.005, 0.04, 0.5, 0.86])("of a focal loss is its lowest value, at a rate of %d", (rate) => {
    const [zero, one] = constantLoss(model, "focused", rate) ?? [0, 0];
    const cost = (z: number) => {
      const p = sigmoid(z);
      return -rate * 0.25 * (1 - p) ** 2 * Math.log(p) - (1 - rate) * 0.75 * p ** 2 * Math.log(1 - p);
    };
    expect((1 - rate) * zero + rate * one).toBeCloseTo(smallest(cost), 5);
  });

  it("is known of tasks with a loss alone", () => expect(constantLoss(model, "nothing", 0.5)).toBeNull());
});
