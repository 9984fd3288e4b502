import type { EpochRecord, EventRecord, Observation, TaskMetrics } from "../runs/records.ts";
import {
  alignLines,
  type Column,
  type Figure,
  type HeatFigure,
  type LineFigure,
  type Mark,
  type Page,
  type Section,
  thinned,
} from "./figures.ts";
import { type MetricName, metricsOf, metricTitles } from "./metric-titles.ts";
import type { RunHistory } from "./read-run.ts";

/** The page of one run. Parts that nothing was written down for are left out. */
export function runReport(run: RunHistory): Page {
  const marks = marksOf(run);
  const sections = [
    outcome(run),
    findings(run),
    losses(run, marks),
    metrics(run, marks),
    calibration(run),
    ...inside(run, marks),
    happened(run),
  ];
  const shown = sections.filter(({ title, figures }) => figures.length > 0 || title === findingsTitle);
  return { title: run.description.model, facts: facts(run), sections: shown };
}

/** How a run ended, by its last event. */
const endings: Partial<Record<EventRecord["event"], string>> = {
  end: "finished",
  interrupted: "interrupted",
  not_finite: "stopped: not a finite number",
};

export function facts({ description, steps, epochs, events }: RunHistory): Page["facts"] {
  const { engine, backend, batch, accumulate, parameters, rows, seed, started, plec } = description;
  const trained = steps.reduce((sum, record) => sum + record.rows, 0);
  const seconds = steps.reduce((sum, record) => sum + record.seconds, 0);
  return [
    ["engine", backend === null ? engine : `${engine}, ${backend}`],
    [
      "rows",
      Object.entries(rows)
        .map(([split, count]) => `${count.toLocaleString("en")} ${split}`)
        .join(", "),
    ],
    ["parameters", parameters.toLocaleString("en")],
    ["batch", accumulate > 1 ? `${batch} × ${accumulate}` : String(batch)],
    ["epochs", String(epochs.at(-1)?.epoch ?? 0)],
    ["speed", seconds > 0 ? `${Math.round(trained / seconds).toLocaleString("en")} rows/s` : "–"],
    ["state", endings[events.at(-1)?.event ?? "start"] ?? "not finished"],
    ["seed", String(seed)],
    ["began", started.replace("T", " ").replace(/\..*/, " UTC")],
    ["plec", plec],
  ];
}

/** When phases begin, gates freeze and the learning rate restarts. */
export function marksOf({ events }: RunHistory): readonly Mark[] {
  const names = new Map([
    ["phase", "phase"],
    ["freeze", "freeze"],
    ["restart", "restart"],
    ["adatt", "adaTT"],
    ["anneal", "annealed"],
    ["early_stop", "early stop"],
  ]);
  return events.flatMap(({ epoch, event, text }) => {
    const name = names.get(event);
    return name === undefined || epoch === 0
      ? []
      : [{ x: epoch, name: event === "phase" ? (/^phase ([^:]+)/.exec(text)?.[0] ?? name) : name }];
  });
}

function lines(
  title: string,
  columns: Parameters<typeof alignLines>[0],
  marks: readonly Mark[],
  rest: Partial<LineFigure> = {},
): LineFigure {
  return { kind: "lines", title, xName: "epoch", yName: null, marks, range: null, diagonal: false, ...alignLines(columns), ...rest };
}

// ── sections ────────────────────────────────────────────────────────────────

function outcome({ epochs }: RunHistory): Section {
  const last = epochs.at(-1);
  const tables = Object.entries(last?.splits ?? {}).map(([split, tasks]): Figure => {
    const shown = metricsOf(Object.values(tasks));
    return {
      kind: "table",
      title: Object.keys(last?.splits ?? {}).length > 1 ? split : null,
      columns: ["task", "rows", ...shown.map((name) => metricTitles[name])],
      rows: Object.entries(tasks).map(([task, found]) => [
        task,
        found.rows.toLocaleString("en"),
        ...shown.map((name) => shownNumber(found[name])),
      ]),
    };
  });
  return {
    title: `After epoch ${last?.epoch ?? 0}`,
    text: "On rows that are held out. (base) is what a predictor reaches that knows only the training rows' labels.",
    figures: tables,
  };
}

const findingsTitle = "Findings";

function findings({ findings: found }: RunHistory): Section {
  const table: Figure = {
    kind: "table",
    title: null,
    columns: ["epoch", "monitor", "what", "what to do"],
    rows: found.map(({ epoch, monitor, message, remedy }) => [shownNumber(epoch), monitor, message, remedy]),
  };
  if (found.length === 0) return { title: findingsTitle, text: "None: no monitor saw a fault.", figures: [] };
  return { title: findingsTitle, text: "Faults that monitors saw, each when it began.", figures: [table] };
}

function losses({ steps, description, epochs }: RunHistory, marks: readonly Mark[]): Section {
  const names = [...new Set(steps.flatMap(({ terms }) => Object.keys(terms)))];
  const points = (name: string) => thinned(steps.map(({ epoch, terms }) => [epoch, terms[name] ?? null] as const));
  const family = (prefix: string) =>
    names.filter((name) => name.startsWith(prefix)).map((name) => ({ name: name.slice(prefix.length), points: points(name) }));
  const figure = (title: string, columns: readonly Column[]): readonly LineFigure[] =>
    columns.length === 0 ? [] : [lines(title, columns, marks)];
  const held = Object.keys(epochs[0]?.splits ?? {})[0];
  const heldOut = description.tasks.flatMap(({ name }) => {
    const values = epochs.map(({ epoch, splits }) => [epoch, splits[held ?? ""]?.[name]?.loss ?? null] as const);
    return values.some(([, value]) => value !== null) ? [{ name, points: values }] : [];
  });
  return {
    title: "Loss",
    text: "Means over a few batches. The total is what is minimised: the weighed losses of the tasks and the penalties.",
    figures: [
      ...figure("total", names.includes("metric/total") ? [{ name: "total", points: points("metric/total") }] : []),
      ...figure("tasks, training rows", family("loss/")),
      ...(heldOut.length > 0 ? [lines(`tasks, ${held}`, heldOut, marks)] : []),
      ...groupedPenalties(family("penalty/")).flatMap(({ title, columns }) => figure(title, columns)),
      ...(description.uncertaintyClamp !== null || description.adatt !== null ? figure("weights of the tasks", family("weight/")) : []),
      ...figure(
        "learning rate",
        names.includes("metric/learning_rate") ? [{ name: "learning rate", points: points("metric/learning_rate") }] : [],
      ),
      ...figure(
        "gradient norm",
        names.includes("metric/gradient_norm") ? [{ name: "gradient norm", points: points("metric/gradient_norm") }] : [],
      ),
    ],
  };
}

/** Penalties of one name at several places in one figure: `cgc/ctr/entropy` of all tasks as `cgc entropy`, with a line for each of them. */
function groupedPenalties(columns: readonly Column[]): readonly { readonly title: string; readonly columns: readonly Column[] }[] {
  const groups = new Map<string, Column[]>();
  for (const column of columns) {
    const [place = "", what = "", ...rest] = column.name.split("/");
    const key = what === "" || rest.length > 1 ? column.name : [place, ...rest].join(" ");
    groups.set(key, [...(groups.get(key) ?? []), { ...column, name: what === "" ? column.name : what }]);
  }
  return [...groups].map(([key, members]) => ({ title: `penalty ${key}`, columns: members }));
}

function metrics({ epochs, description }: RunHistory, marks: readonly Mark[]): Section {
  const splits = [...new Set(epochs.flatMap((record) => Object.keys(record.splits)))];
  const chosen: readonly MetricName[] = ["auc", "accuracy", "top3", "rmse", "recall_at_10", "ece"];
  const figures = splits.flatMap((split) =>
    chosen.flatMap((metric) => {
      const columns = description.tasks.flatMap(({ name }) => {
        const points = epochs.map((record) => [record.epoch, record.splits[split]?.[name]?.[metric] ?? null] as const);
        return points.some(([, value]) => value !== null) ? [{ name, points }] : [];
      });
      return columns.length === 0
        ? []
        : [lines(splits.length > 1 ? `${metricTitles[metric]}, ${split}` : metricTitles[metric], columns, marks)];
    }),
  );
  return { title: "Metrics", text: "At the end of each epoch, on rows that are held out.", figures };
}

function calibration({ epochs }: RunHistory): Section {
  const last = epochs.at(-1);
  const figures = Object.entries(last?.splits ?? {}).flatMap(([split, tasks]) => {
    const columns = Object.entries(tasks).flatMap(([name, { calibration: bins }]) => {
      const points = (bins ?? []).filter(({ rows }) => rows > 0).map(({ predicted, observed }) => [predicted, observed] as const);
      return points.length === 0 ? [] : [{ name, points }];
    });
    const rest = { xName: "predicted", yName: "observed", range: [0, 1] as const, diagonal: true };
    return columns.length === 0 ? [] : [lines(split, columns, [], rest)];
  });
  return { title: "Calibration", text: "Rows in bins of their prediction: on the diagonal, what is predicted is what happens.", figures };
}

type Observed = EpochRecord & { readonly observed: Observation };

function inside({ epochs, description }: RunHistory, marks: readonly Mark[]): readonly Section[] {
  const seen = epochs.filter((record): record is Observed => (record.observed ?? null) !== null);
  const last = seen.at(-1)?.observed;
  if (last === undefined) return [];
  const over = (of: (observed: Observation) => number | undefined) =>
    seen.map(({ epoch, observed }) => [epoch, of(observed) ?? null] as const);
  const gates = Object.entries(last.gates).map(([gate, { entries }]) =>
    lines(
      gate,
      entries.map((name, i) => ({ name, points: over(({ gates: at }) => at[gate]?.weights[i]) })),
      marks,
    ),
  );
  const byName = (names: readonly string[], of: (observed: Observation, name: string) => number | undefined) =>
    names.map((name) => ({ name, points: over((observed) => of(observed, name)) }));
  const experts = Object.keys(last.experts);
  const edges = Object.keys(last.transfers);
  const certain = Object.keys(last.uncertainty);
  const clamp = description.uncertaintyClamp;
  return [
    { title: "Gates", text: "The mean weight of each expert over rows that are held out, for each gate.", figures: gates },
    {
      title: "Experts",
      text: "How large what an expert gives is, the gradient that reaches it, and the share of rows without any of its inputs.",
      figures:
        experts.length === 0
          ? []
          : [
              lines(
                "output (root mean square)",
                byName(experts, (observed, name) => observed.experts[name]?.output),
                marks,
              ),
              lines(
                "gradient norm",
                byName(experts, (observed, name) => observed.experts[name]?.gradient),
                marks,
              ),
              lines(
                "share of rows without inputs",
                byName(experts, (observed, name) => observed.experts[name]?.missing),
                marks,
                { range: [0, 1] },
              ),
            ],
    },
    {
      title: "Transfers",
      text: "What an edge adds, as a share of what it is added to.",
      figures:
        edges.length === 0
          ? []
          : [
              lines(
                "share of the target",
                byName(edges, (observed, name) => observed.transfers[name]?.share),
                marks,
              ),
            ],
    },
    {
      title: "Task affinity",
      text: "Moving averages of the cosines between the tasks' gradients: blue tasks pull together, red ones against each other.",
      figures: last.affinity === null ? [] : [affinity(last.affinity, seen.at(-1)?.epoch ?? 0), affinityLines(seen, marks)],
    },
    {
      title: "Uncertainty weights",
      text: `Learned log variances: a task with a higher one counts less.${clamp === null ? "" : ` They are kept between -${clamp} and ${clamp}.`}`,
      figures:
        certain.length === 0
          ? []
          : [
              lines(
                "log variance",
                byName(certain, (observed, name) => observed.uncertainty[name]),
                marks,
              ),
            ],
    },
  ];
}

function affinity({ tasks, values }: NonNullable<Observation["affinity"]>, epoch: number): HeatFigure {
  return { kind: "heat", title: `after epoch ${epoch}`, rows: tasks, columns: tasks, values, low: -1, high: 1 };
}

function affinityLines(seen: readonly Observed[], marks: readonly Mark[]): LineFigure {
  const mean = (row: readonly number[] | undefined, i: number) => {
    const others = (row ?? []).filter((_, j) => j !== i);
    return others.length === 0 ? undefined : others.reduce((sum, value) => sum + value, 0) / others.length;
  };
  const tasks = seen.at(-1)?.observed.affinity?.tasks ?? [];
  const columns = tasks.map((name, i) => ({
    name,
    points: seen.map(({ epoch, observed }) => [epoch, mean(observed.affinity?.values[i], i) ?? null] as const),
  }));
  return lines("mean affinity with the other tasks", columns, marks);
}

const eventTitles: Partial<Record<EventRecord["event"], string>> = { adatt: "adaTT", anneal: "annealing" };

function happened({ events }: RunHistory): Section {
  const told = events.filter(({ event }) => event !== "checkpoint");
  const table: Figure = {
    kind: "table",
    title: null,
    columns: ["epoch", "step", "event", ""],
    rows: told.map(({ epoch, step, event, text }) => [
      shownNumber(epoch),
      step.toLocaleString("en"),
      eventTitles[event] ?? event.replace("_", " "),
      text,
    ]),
  };
  return { title: "What happened", text: null, figures: told.length === 0 ? [] : [table] };
}

export function shownNumber(value: TaskMetrics[MetricName] | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4)));
}
