import type { Annealing } from "../../compiler/training/annealings.ts";
import type { TrainingPlan } from "../../compiler/training/plan.ts";
import type { EventRecord } from "./records.ts";

/** Something that the plan says will happen. */
export interface Moment {
  readonly epoch: number;
  /** The phase that it belongs to, and is left out with; null for any. */
  readonly phase: number | null;
  readonly event: EventRecord["event"];
  readonly text: string;
}

/** More are not told of: with a factor below 1 there would be no end of them. */
const mostRestarts = 1000;

/** What happens when, by epoch. @param annealed  what the model's losses and penalties anneal within the plan's epochs */
export function timeline(plan: TrainingPlan, annealed: readonly Annealing[]): readonly Moment[] {
  const moments: Moment[] = [];
  for (const [phase, { name, start, epochs, freeze, lr }] of plan.phases.entries()) {
    moments.push({
      epoch: start,
      phase,
      event: "phase",
      text: `phase ${name}: ${epochs} ${epochs === 1 ? "epoch" : "epochs"}, learning rate ${lr}`,
    });
    if (freeze.length > 0) moments.push({ epoch: start, phase, event: "freeze", text: `${freeze.join(", ")} stand still` });
    for (const epoch of restarts(plan, epochs))
      moments.push({ epoch: start + epoch, phase, event: "restart", text: `the learning rate starts again at ${lr}` });
  }
  for (const { end: epoch, terms } of annealed)
    moments.push({ epoch, phase: null, event: "anneal", text: `the annealing of ${shownTerms(terms)} ends` });
  const end = epochsOf(plan);
  const { adatt } = plan;
  if (adatt !== null && adatt.warmup < end)
    moments.push({ epoch: adatt.warmup, phase: null, event: "adatt", text: "adaTT weighs the tasks by their affinities from here on" });
  if (adatt !== null && adatt.freeze < end) {
    const what = adatt.freezeWith === null ? "gates" : adatt.freezeWith.join(", ");
    moments.push({
      epoch: adatt.freeze,
      phase: null,
      event: "freeze",
      text: `adaTT's affinities and weights stand still, and with them ${what}`,
    });
  }
  return moments.sort((a, b) => a.epoch - b.epoch);
}

/** Epochs of all phases. */
export function epochsOf({ phases }: TrainingPlan): number {
  return phases.reduce((total, { epochs }) => total + epochs, 0);
}

function shownTerms(terms: readonly string[]): string {
  const names = terms.map((name) => name.replace(/^penalty\//, ""));
  return names.length > 3 ? `${names.slice(0, 2).join(", ")} and ${names.length - 2} more` : names.join(", ");
}

/** Epochs after the begin of a phase at which the learning rate starts again. */
function restarts({ schedule }: TrainingPlan, epochs: number): readonly number[] {
  if (schedule.form !== "cosine_restarts") return [];
  const found: number[] = [];
  let length = schedule.t0;
  for (let at = length; at < epochs && length > 0 && found.length < mostRestarts; at += length) {
    found.push(at);
    length *= schedule.tMult;
  }
  return found;
}
