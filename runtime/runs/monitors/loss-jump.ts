import type { EventRecord, RunDescription, StepsRecord, Terms } from "../records.ts";
import { type Alarm, formatFactor, type Monitor } from "./monitor.ts";

/** Records of steps that are compared: up to so many before the moment, and exactly so many behind it. */
const before = 5;
const behind = 3;
/** A jump stands out of the noise by so many standard deviations of the records before. */
const deviations = 4;

const moments: Partial<Record<EventRecord["event"], string>> = {
  adatt: "the end of adaTT's warm-up",
  restart: "the restart of the learning rate",
  freeze: "a freeze",
  phase: "the begin of a phase",
};

export const lossJump: Monitor = {
  name: "loss-jump",
  what: "The loss is much larger behind a moment of the plan (the end of warm-up, a restart of the learning rate, a freeze, a new phase) than before it.",
  threshold: 1.5,
  unit: "number",
  patience: 1,
  remedy:
    "Behind a restart or a new phase: lower its learning rate, or `clip` the gradient. Behind warm-up: narrow `clamp_low` and `clamp_high` of adaTT. Behind a freeze: freeze later, once what is frozen has settled.",
  watch: (run) => {
    const watch = new JumpWatch(run);
    return (record) => {
      if (record.kind === "event") watch.moment(record);
      return record.kind === "steps" ? watch.steps(record) : null;
    };
  },
};

class JumpWatch {
  readonly #run: RunDescription;
  readonly #losses: number[] = [];
  #pending: { readonly event: EventRecord; readonly at: number }[] = [];

  constructor(run: RunDescription) {
    this.#run = run;
  }

  moment(event: EventRecord): void {
    // What the plan does in one moment is one thing to look at.
    const known = this.#pending.some(({ at }) => at === this.#losses.length);
    if (moments[event.event] !== undefined && this.#losses.length > 0 && !known) this.#pending.push({ event, at: this.#losses.length });
  }

  steps({ terms }: StepsRecord): readonly Alarm[] {
    this.#losses.push(lossOf(this.#run, terms));
    const due = this.#pending.filter(({ at }) => this.#losses.length >= at + behind);
    this.#pending = this.#pending.filter((moment) => !due.includes(moment));
    return due.flatMap(({ event, at }) => this.#compare(event, at));
  }

  #compare({ event, epoch, text }: EventRecord, at: number): readonly Alarm[] {
    const old = this.#losses.slice(Math.max(0, at - before), at);
    const recent = this.#losses.slice(at, at + behind);
    const [was, is] = [mean(old), mean(recent)];
    const noise = Math.sqrt(mean(old.map((loss) => (loss - was) ** 2)));
    const value = was > 0 ? is / was : Number.NaN;
    if (!(value > lossJump.threshold) || is - was < deviations * noise) return [];
    const when = `epoch ${Number(epoch.toFixed(2))}`;
    const message = `the loss is ${formatFactor(value)} times as large behind ${moments[event]} at ${when} (${text})`;
    return [{ subject: `${event} at ${when}`, value, message }];
  }
}

/** The tasks' losses by the weights of the spec, and the penalties: what is minimised without the weights that adapt. */
function lossOf({ tasks }: RunDescription, terms: Terms): number {
  const losses = tasks.reduce((sum, { name, weight }) => sum + weight * (terms[`loss/${name}`] ?? 0), 0);
  return Object.entries(terms).reduce((sum, [name, value]) => (name.startsWith("penalty/") ? sum + value : sum), losses);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
