import type { EventRecord, RunRecord } from "../runtime/runs/records.ts";
import type { RunWatcher, StepView } from "../runtime/runs/train.ts";
import type { Output } from "./io.ts";
import { metricsTable } from "./metrics-table.ts";
import { formatCount, formatNumber, formatTable, plural } from "./table.ts";

/** Milliseconds between two pictures of the live part, and between two lines where there is none. */
const redrawEvery = 200;
const lineEvery = 10_000;
const barWidth = 24;

/** Shows a run: a live part that is drawn again and again below what stays, or plain lines where the output is no terminal. */
export class TrainDisplay implements RunWatcher {
  readonly #output: Output;
  readonly #epochs: number;
  readonly #speed = new Speed();
  /** The last that was told of each term: batches whose gradients wait for more tell of no update. */
  #terms: ReadonlyMap<string, number> = new Map();
  /** Of the epoch under way. */
  #rows = 0;
  #drawn = 0;
  #last = 0;

  /** @param epochs  of the whole plan */
  constructor(output: Output, epochs: number) {
    this.#output = output;
    this.#epochs = epochs;
  }

  step(at: StepView): void {
    const now = performance.now();
    this.#speed.add(at.rows, now);
    this.#rows += at.rows;
    this.#terms = new Map([...this.#terms, ...at.report]);
    if (now - this.#last < (this.#output.isTerminal ? redrawEvery : lineEvery)) return;
    const first = this.#last === 0;
    this.#last = now;
    if (this.#output.isTerminal) this.#draw(this.#picture(at));
    else if (!first) this.#output.write(`  ${this.#headline(at)}  loss ${this.#term("metric/total")}\n`);
  }

  record(record: RunRecord): void {
    if (record.kind === "steps") return;
    if (record.kind === "finding") this.#say([`! ${record.message}`, `  ${record.remedy}`]);
    else if (record.kind === "event") {
      if (!silent.has(record.event)) this.#say([`${formatEpoch(record.epoch)}: ${record.text}`]);
    } else {
      const loss = formatNumber(record.train["metric/total"] ?? Number.NaN);
      this.#say([
        `epoch ${record.epoch} of ${this.#epochs} (${record.phase}): loss ${loss}, ${formatTime(record.seconds)}, ${formatRate(this.#rows / record.seconds)}`,
        ...(Object.keys(record.splits).length === 0 ? [] : metricsTable(record.splits).map((line) => `  ${line}`)),
      ]);
      this.#rows = 0;
      this.#speed.restart();
    }
  }

  /** Lines that stay. */
  #say(lines: readonly string[]): void {
    this.#draw([]);
    for (const line of lines) this.#output.write(`${line}\n`);
  }

  #headline({ phase, epoch, batch, batches }: StepView): string {
    const left = (this.#epochs - epoch - batch / batches) * batches;
    const eta = this.#speed.seconds(left);
    return `epoch ${epoch + 1} of ${this.#epochs} (${phase.name})  ${formatCount(batch)}/${formatCount(batches)}  ${this.#speed.text}  ETA ${formatTime(eta)}`;
  }

  #picture(at: StepView): readonly string[] {
    const done = Math.round((at.batch / at.batches) * barWidth);
    const bar = "█".repeat(done) + "░".repeat(barWidth - done);
    const of = (name: string) => this.#term(name);
    const tasks = [...this.#terms.keys()].flatMap((name) => (name.startsWith("loss/") ? [name.slice(5)] : []));
    const rows = tasks.map((task) => [`  ${task}`, of(`loss/${task}`), of(`weight/${task}`)]);
    return [
      `${bar}  ${this.#headline(at)}`,
      `  loss ${of("metric/total")}  gradient ${of("metric/gradient_norm")}  learning rate ${of("metric/learning_rate")}`,
      ...formatTable([["  task", "loss", "weight"], ...rows], new Set([1, 2])),
    ];
  }

  #term(name: string): string {
    const value = this.#terms.get(name);
    return value === undefined ? "–" : formatNumber(value);
  }

  #draw(lines: readonly string[]): void {
    const width = this.#output.columns ?? 80;
    // What has left the screen at the top cannot be drawn over.
    const shown = lines.slice(0, Math.max(1, (this.#output.rows ?? 24) - 1));
    if (this.#drawn > 0) this.#output.write(`\u001b[${this.#drawn}A\u001b[J`);
    for (const line of shown) this.#output.write(`${line.slice(0, width - 1)}\n`);
    this.#drawn = shown.length;
  }
}

/** What the epochs' lines or the end of the command say anyway. */
const silent: ReadonlySet<EventRecord["event"]> = new Set(["checkpoint", "end", "interrupted", "not_finite"]);

/** Rows and batches per second over the last half minute. */
class Speed {
  readonly #marks: { readonly at: number; readonly rows: number }[] = [];
  #rows = 0;

  add(rows: number, now: number): void {
    this.#rows += rows;
    this.#marks.push({ at: now, rows: this.#rows });
    while (this.#marks.length > 2 && now - (this.#marks[0]?.at ?? now) > 30_000) this.#marks.shift();
  }

  /** Leaves out the time until the next rows. */
  restart(): void {
    this.#marks.length = 0;
  }

  get text(): string {
    const [first, last] = [this.#marks[0], this.#marks.at(-1)];
    if (first === undefined || last === undefined || first === last) return plural(this.#rows, "row");
    return formatRate(((last.rows - first.rows) * 1000) / (last.at - first.at));
  }

  /** How long some batches take. */
  seconds(batches: number): number {
    const [first, last] = [this.#marks[0], this.#marks.at(-1)];
    if (first === undefined || last === undefined || first === last) return Number.NaN;
    return (batches * (last.at - first.at)) / 1000 / (this.#marks.length - 1);
  }
}

function formatRate(rowsPerSecond: number): string {
  return `${formatCount(Math.round(rowsPerSecond))} rows/s`;
}

function formatEpoch(epoch: number): string {
  return `epoch ${Number.isInteger(epoch) ? epoch : epoch.toFixed(2)}`;
}

/** `0:42`, `1:02:03`. */
export function formatTime(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–";
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, i) => (i === 0 ? String(part) : String(part).padStart(2, "0"))).join(":");
}
