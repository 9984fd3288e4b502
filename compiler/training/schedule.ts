import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";
import type { Phase, Schedule } from "./plan.ts";

/** Restarts beyond this many would begin after a million epochs, with a factor of 2. */
const mostRestarts = 20;

/**
 * f32[]: the learning rate at an epoch, which may be a fraction. With restarts it falls along half a cosine over t0 epochs of the phase, then over
 * t0 · t_mult, and so on.
 *
 * @see Loshchilov & Hutter, SGDR, ICLR 2017
 */
export function learningRate(schedule: Schedule, phase: Phase, epoch: Value, f: Formula): Value {
  if (schedule.form === "constant") return f.scalar(phase.lr);
  const { t0, tMult, lrMin } = schedule;
  const within = f.max(f.sub(epoch, phase.start), 0);
  const share = tMult === 1 ? fraction(f, f.div(within, t0)) : cycleShare(f, within, t0, tMult);
  return f.add(f.mul(f.add(f.cos(f.mul(share, Math.PI)), 1), 0.5 * (phase.lr - lrMin)), lrMin);
}

function fraction(f: Formula, x: Value): Value {
  return f.sub(x, f.floor(x));
}

/** How much of its cycle is over, where cycles grow by a factor. */
function cycleShare(f: Formula, epoch: Value, t0: number, tMult: number): Value {
  const lengths = Array.from({ length: mostRestarts }, (_, i) => t0 * tMult ** i);
  const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((total, length) => total + length, 0));
  const begun = f.ge(epoch, f.vector(starts));
  const start = f.largest(f.where(begun, f.vector(starts), 0));
  const length = f.largest(f.where(begun, f.vector(lengths), 0));
  return f.div(f.sub(epoch, start), length);
}
