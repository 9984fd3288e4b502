import type { EventRecord, RunDescription, StepsRecord, Terms } from "../records.ts";
import type { Alarm, Monitor } from "./monitor.ts";

/** Records of steps that are compared: up to so many before the moment, and exactly so many behind it, after the first one. */
const before = 5;
const behind = 3;
/** A jump stands out of the noise by so many standard deviations of the records before. */
const deviations = 4;

const moments: Partial<Record<EventRecord["event"], string>> = {
  adatt: "the end of adaTT's warm-up",
  restart: "the restart of the learning rate",
  freeze: "a freeze",
  phase: "the begin of a phase",
  anneal: "the end of an annealing",
};

export const lossJump: Monitor = {
  name: "loss-jump",
  what: "The loss is much larger behind a moment of the plan (the end of warm-up or of an annealing, a restart of the learning rate, a freeze, a new phase) than before it.",
  threshold: 1.5,
  unit: "number",
  patience: 1,
  remedy:
    "Behind a restart or a new phase: lower its learning rate, or `clip` the gradient. Behind warm-up: narrow `clamp_low` and `clamp_high` of adaTT. Behind an annealing: lower the strength of what is annealed, or anneal it for longer. Behind a freeze: freeze later, once what is frozen has settled.",
  watch: (run) => {
    const watch = new JumpWatch(run);
    return (record) => (record.kind === "event" ? watch.moment(record) : record.kind === "steps" ? watch.steps(record) : null);
  },
};

class JumpWatch {
  readonly #run: RunDescription;
  readonly #losses: number[] = [];
  /** What the plan did at moments that too few records are behind, and how many were before them. */
  #pending: { readonly events: EventRecord[]; readonly at: number }[] = [];

  constructor(run: RunDescription) {
    this.#run = run;
  }

  moment(event: EventRecord): readonly Alarm[] {
    const at = this.#losses.length;
    if (moments[event.event] === undefined || at === 0) return [];
    const now = this.#pending.find((other) => other.at === at);
    if (now === undefined) this.#pending.push({ events: [event], at });
    else now.events.push(event);
    // What is annealed comes on slowly: by the end of it the loss may have risen from its lowest without a jump.
    if (event.event !== "anneal" || at < before + behind) return [];
    return compare([event], this.#lowest(), this.#losses.slice(-behind), "its lowest of ");
  }

  steps({ terms }: StepsRecord): readonly Alarm[] {
    this.#losses.push(lossOf(this.#run, terms));
    // The first record begins with the loss of what was before the moment's first update.
    const due = this.#pending.filter(({ at }) => this.#losses.length > at + behind);
    this.#pending = this.#pending.filter((moment) => !due.includes(moment));
    return due.flatMap(({ events, at }) =>
      compare(events, this.#losses.slice(Math.max(0, at - before), at), this.#losses.slice(at + 1, at + 1 + behind), ""),
    );
  }

  /** The records in a row whose mean is lowest. */
  #lowest(): readonly number[] {
    const windows = this.#losses.slice(before - 1).map((_, start) => this.#losses.slice(start, start + before));
    return windows.reduce((best, next) => (mean(next) < mean(best) ? next : best));
  }
}

function compare(events: readonly EventRecord[], old: readonly number[], recent: readonly number[], which: string): readonly Alarm[] {
  const [was, is] = [mean(old), mean(recent)];
  const noise = Math.sqrt(mean(old.map((loss) => (loss - was) ** 2)));
  // is / was for losses above 0; those of likelihoods and entropies can be below.
  const value = 1 + (is - was) / Math.abs(was);
  if (!(value > lossJump.threshold) || is - was < deviations * noise) return [];
  const when = `epoch ${Number((events[0]?.epoch ?? 0).toFixed(2))}`;
  const kinds = [...new Set(events.map(({ event }) => event))];
  const names = kinds.map((kind) => moments[kind]).join(" and ");
  const rise = `the loss rises from ${which}${formatLoss(was)} to ${formatLoss(is)} ${which === "" ? "behind" : "by"}`;
  const message = `${rise} ${names} at ${when} (${events.map(({ text }) => text).join("; ")})`;
  return [{ subject: `${kinds.join(", ")} at ${when}`, value, message }];
}

/** The tasks' losses by the weights of the spec, and the penalties: what is minimised without the weights that adapt. */
function lossOf({ tasks }: RunDescription, terms: Terms): number {
  const losses = tasks.reduce((sum, { name, weight }) => sum + weight * (terms[`loss/${name}`] ?? 0), 0);
  return Object.entries(terms).reduce((sum, [name, value]) => (name.startsWith("penalty/") ? sum + value : sum), losses);
}

function formatLoss(loss: number): string {
  return String(Number(loss.toPrecision(3)));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
