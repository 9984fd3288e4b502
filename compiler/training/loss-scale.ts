import type { Value } from "../ir/graph.ts";
import type { StepGraph } from "./step-graph.ts";

/** Steps without an overflow after which the factor doubles. */
const growEvery = 2000;
const largestFactor = 2 ** 24;

/**
 * The factor that lifts small gradients into the range of float16: halved where a step overflowed, doubled after 2,000 that did not.
 *
 * @see Micikevicius et al., Mixed Precision Training, ICLR 2018
 */
export function nextLossScale(name: string, factor: Value, taken: Value, graph: StepGraph): void {
  const f = graph.formula("loss_scale");
  const steps = graph.state({ name: "loss_scale/steps", shape: [], initial: 0 });
  const good = f.mul(f.add(steps, 1), taken);
  const grows = f.ge(good, growEvery);
  const grown = f.min(f.where(grows, f.mul(factor, 2), factor), largestFactor);
  graph.next(name, f.where(f.gt(taken, 0), grown, f.max(f.mul(factor, 0.5), 1)));
  graph.next("loss_scale/steps", f.where(grows, 0, good));
}
