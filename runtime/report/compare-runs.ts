import { basename } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { EpochRecord, TaskMetrics } from "../runs/records.ts";
import { selectionLoss } from "../runs/selection.ts";
import { alignLines, type Column, type LineFigure, type Page, thinned } from "./figures.ts";
import { type MetricName, metricsOf, metricTitles } from "./metric-titles.ts";
import type { RunHistory } from "./read-run.ts";
import { facts, shownNumber } from "./run-report.ts";

/** Runs side by side. */
export interface RunComparison {
  /** In the order given; a name is as much of the end of a path as tells it from the others. */
  readonly runs: readonly { readonly name: string; readonly path: string; readonly epoch: number }[];
  /** What is not the same for all: one value for each run, null where it has none. */
  readonly settings: readonly { readonly name: string; readonly values: readonly (string | null)[] }[];
  /** Of the epoch that each run kept as its best one. */
  readonly metrics: readonly ComparedMetric[];
}

export interface ComparedMetric {
  readonly split: string;
  readonly task: string;
  readonly metric: MetricName;
  readonly values: readonly (number | null)[];
  /** Positions of the best values; empty where all are equal, and for what has no better. */
  readonly best: readonly number[];
}

/** Whether more of it is better. */
const rising: ReadonlySet<MetricName> = new Set(["auc", "accuracy", "top3", "recall_at_10"]);

export function compareRuns(runs: readonly RunHistory[]): RunComparison {
  const chosen = runs.map(bestEpoch);
  const names = shortNames(runs.map(({ folder }) => folder));
  return {
    runs: runs.map(({ folder }, i) => ({ name: names[i] ?? folder, path: folder, epoch: chosen[i]?.epoch ?? 0 })),
    settings: differingSettings(runs),
    metrics: comparedMetrics(chosen),
  };
}

/** The epoch that training kept as the best one. */
function bestEpoch({ epochs, description }: RunHistory): EpochRecord | null {
  const lossOf = (record: EpochRecord) => selectionLoss(description, record);
  return epochs.reduce<EpochRecord | null>((best, record) => (best === null || lossOf(record) < lossOf(best) ? record : best), null);
}

function shortNames(paths: readonly string[]): readonly string[] {
  const parts = paths.map((path) => path.split(/[/\\]/).filter((part) => part !== "" && part !== "."));
  const longest = Math.max(...parts.map(({ length }) => length), 1);
  for (let count = 1; count <= longest; count++) {
    const names = parts.map((of) => of.slice(-count).join("/"));
    if (new Set(names).size === names.length) return names;
  }
  return paths.map((path) => basename(path));
}

function differingSettings(runs: readonly RunHistory[]): RunComparison["settings"] {
  const described = runs.map((run) => {
    const { model, hash, schedule, adatt, uncertaintyClamp, phases, tasks } = run.description;
    const plan = { ...flatten(schedule, "schedule"), ...flatten(adatt, "adatt"), "uncertainty clamp": uncertaintyClamp };
    const ofPhases = Object.fromEntries(
      phases.map(({ name, epochs, lr, freeze }) => [
        `phase ${name}`,
        `${epochs} epochs, lr ${lr}${freeze.length > 0 ? `, freezes ${freeze.join(", ")}` : ""}`,
      ]),
    );
    const ofTasks = Object.fromEntries(tasks.map(({ name, loss, weight }) => [`task ${name}`, `${loss ?? "no loss"}, weight ${weight}`]));
    const found = [...new Set(run.findings.map(({ monitor }) => monitor))].join(", ");
    return {
      model,
      spec: hash.slice(0, 12),
      ...Object.fromEntries(facts(run)),
      findings: found === "" ? "none" : found,
      ...plan,
      ...ofPhases,
      ...ofTasks,
    } as Readonly<Record<string, unknown>>;
  });
  const told = new Set(["began", "epochs"]);
  const names = [...new Set(described.flatMap((settings) => Object.keys(settings)))];
  return names.flatMap((name) => {
    const values = described.map((settings) => settings[name]);
    if (told.has(name) || values.every((value) => isDeepStrictEqual(value, values[0]))) return [];
    return [{ name, values: values.map((value) => (value === undefined || value === null ? null : String(value))) }];
  });
}

function flatten(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return { [path]: value };
  return Object.assign({}, ...Object.entries(value).map(([key, inner]) => flatten(inner, `${path} ${key}`)));
}

function comparedMetrics(chosen: readonly (EpochRecord | null)[]): readonly ComparedMetric[] {
  const splits = [...new Set(chosen.flatMap((record) => Object.keys(record?.splits ?? {})))];
  return splits.flatMap((split) => {
    const tasks = [...new Set(chosen.flatMap((record) => Object.keys(record?.splits[split] ?? {})))];
    return tasks.flatMap((task) => {
      const found = chosen.map((record): TaskMetrics | null => record?.splits[split]?.[task] ?? null);
      const shown = metricsOf(found.flatMap((metrics) => (metrics === null ? [] : [metrics]))).filter((name) => !name.startsWith("base_"));
      return shown.map((metric) => {
        const values = found.map((metrics) => metrics?.[metric] ?? null);
        return { split, task, metric, values, best: bestOf(metric, values) };
      });
    });
  });
}

function bestOf(metric: MetricName, values: readonly (number | null)[]): readonly number[] {
  const known = values.filter((value): value is number => value !== null);
  const best = rising.has(metric) ? Math.max(...known) : Math.min(...known);
  if (known.length < 2 || known.every((value) => value === best)) return [];
  return values.flatMap((value, i) => (value === best ? [i] : []));
}

// ── the page ────────────────────────────────────────────────────────────────

export function comparisonPage(runs: readonly RunHistory[]): Page {
  const { runs: named, settings, metrics } = compareRuns(runs);
  const names = named.map(({ name }) => name);
  const byRun = (of: (run: RunHistory) => Column["points"]): readonly Column[] => {
    const columns = runs.map((run, i) => ({ name: names[i] ?? "", points: thinned(of(run)) }));
    return columns.filter(({ points }) => points.some(([, value]) => value !== null));
  };
  const figure = (title: string, columns: readonly Column[]): readonly LineFigure[] =>
    columns.length === 0
      ? []
      : [{ kind: "lines", title, xName: "epoch", yName: null, marks: [], range: null, diagonal: false, ...alignLines(columns) }];
  const terms = [...new Set(runs.flatMap(({ steps }) => steps.flatMap((record) => Object.keys(record.terms))))].filter((name) =>
    /^(metric\/total|loss\/.*)$/.test(name),
  );
  const curves = new Map(
    metrics
      .filter(({ metric }) => metric !== "mae" && metric !== "top3")
      .map(({ split, task, metric }) => [`${split} ${task} ${metric}`, { split, task, metric }]),
  );
  return {
    title: names.join(" · "),
    facts: named.map(({ name, epoch }) => [name, epoch === 0 ? "no epoch yet" : `best after epoch ${epoch}`]),
    sections: [
      {
        title: "Metrics",
        text: "On rows that are held out, after each run's best epoch. A dot marks the best value of a row.",
        figures: [
          {
            kind: "table" as const,
            title: null,
            columns: ["task", "metric", ...names],
            rows: metrics.map(({ split, task, metric, values, best }) => [
              new Set(metrics.map((entry) => entry.split)).size > 1 ? `${split} ${task}` : task,
              metricTitles[metric],
              ...values.map((value, i) => `${shownNumber(value ?? undefined)}${best.includes(i) ? " ●" : ""}`),
            ]),
          },
        ],
      },
      {
        title: "What differs",
        text: null,
        figures:
          settings.length === 0
            ? []
            : [
                {
                  kind: "table" as const,
                  title: null,
                  columns: ["", ...names],
                  rows: settings.map(({ name, values }) => [name, ...values.map((value) => value ?? "–")]),
                },
              ],
      },
      {
        title: "Metrics over epochs",
        text: null,
        figures: [...curves.values()].flatMap(({ split, task, metric }) =>
          figure(
            `${task}, ${metricTitles[metric]}`,
            byRun(({ epochs }) => epochs.map((record) => [record.epoch, record.splits[split]?.[task]?.[metric] ?? null] as const)),
          ),
        ),
      },
      {
        title: "Loss of the training rows",
        text: null,
        figures: terms.flatMap((name) =>
          figure(
            name.replace(/^(metric|loss)\//, ""),
            byRun(({ steps }) => steps.map(({ epoch, terms: at }) => [epoch, at[name] ?? null] as const)),
          ),
        ),
      },
    ].filter(({ figures }) => figures.length > 0),
  };
}
