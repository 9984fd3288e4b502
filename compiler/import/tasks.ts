import { closest } from "../../dsl/suggest.ts";
import type { Report, Section, Word } from "./section.ts";

export interface ImportedTask {
  readonly name: string;
  readonly section: Section;
  readonly enabled: boolean;
  readonly group: string | null;
  readonly route: string | null;
  /** `binary`, `classes(3)`, `regression(12)`, `embedding(128)`. */
  readonly kind: string;
  /** As it stands in the spec, such as `focal(gamma: 2, alpha: 0.25)`. */
  readonly loss: string;
  readonly weight: number | null;
  readonly prefer: readonly string[];
}

export interface ImportedGroup {
  readonly name: string;
  readonly settings: readonly string[];
  readonly route: string | null;
}

export interface ImportedTransfer {
  readonly from: string;
  readonly to: string;
  readonly call: string;
}

const kinds = { binary: "binary", multiclass: "classes", regression: "regression", contrastive: "embedding" } as const;

/** Losses of the configuration: the definition, and the keys that set its parameters. */
const losses: Readonly<Record<string, { readonly definition: string; readonly settings: Readonly<Record<string, string>> }>> = {
  focal: { definition: "focal", settings: { focal_gamma: "gamma", focal_alpha: "alpha" } },
  bce: { definition: "bce", settings: {} },
  nll: { definition: "nll", settings: {} },
  huber: { definition: "huber", settings: { huber_delta: "delta" } },
  mse: { definition: "mse", settings: {} },
  infonce: { definition: "info_nce", settings: { temperature: "tau" } },
};

/** Names as the system compares them: `Life-stage` is `life_stage`. */
export const canonical = (text: string): string => text.toLowerCase().replace(/-/g, "_");

/** Tasks that a list of names means; an unknown one contradicts the tasks of the configuration. */
function tasksOf(words: readonly Word[], known: readonly string[], what: string, report: Report): readonly string[] {
  return words.flatMap(({ text, span }) => {
    const name = canonical(text);
    if (known.includes(name)) return [name];
    const near = closest(name, known);
    report.conflict(
      span,
      `${what} names \`${text}\`, which is no task of \`task_experts.tasks\``,
      near === null ? null : `did you mean \`${near}\`?`,
    );
    return [];
  });
}

/** Modes of `hmm_triple_mode` by task, and the modes that there are. */
export interface Routes {
  readonly modes: readonly string[];
  readonly ofTask: ReadonlyMap<string, string>;
}

const modeNames = ["journey", "lifecycle", "behavior"];

export function importRoutes(hmm: Section | null, known: readonly string[], report: Report): Routes {
  if (hmm === null || !hmm.enabled()) return { modes: [], ofTask: new Map() };
  const ofTask = new Map<string, string>();
  const modes = modeNames.filter((mode) => hmm.has(mode));
  for (const mode of modes) {
    const words = hmm.section(mode)?.words("target_tasks") ?? [];
    for (const task of tasksOf(words, known, `\`hmm_triple_mode.${mode}.target_tasks\``, report)) {
      const before = ofTask.get(task);
      if (before !== undefined) report.conflict(hmm.spanOf(mode), `task \`${task}\` is routed to ${before} and to ${mode}`);
      ofTask.set(task, mode);
    }
  }
  return { modes, ofTask };
}

/** `adatt.task_groups`: members and strengths. */
export function importGroups(
  adatt: Section | null,
  known: readonly string[],
  routes: Routes,
  report: Report,
): { readonly groups: readonly ImportedGroup[]; readonly ofTask: ReadonlyMap<string, string> } {
  const section = adatt?.section("task_groups") ?? null;
  const ofTask = new Map<string, string>();
  const groups = (section?.entries() ?? []).flatMap(({ key, keySpan }): readonly ImportedGroup[] => {
    const group = section?.section(key) ?? null;
    const name = nameOf(key, keySpan, "a group", report);
    if (group === null || name === null) return [];
    const words = group.words("members") ?? group.missing("members") ?? [];
    const members = tasksOf(words, known, `\`${group.path}.members\``, report);
    for (const task of members) {
      const before = ofTask.get(task);
      if (before !== undefined) report.conflict(keySpan, `task \`${task}\` is in the groups ${before} and ${name}`);
      ofTask.set(task, name);
    }
    const settings = (["intra", "inter"] as const).flatMap((which) => {
      const value = group.number(`${which}_strength`);
      return value === null ? [] : [`${which}: ${value}`];
    });
    const modes = new Set(members.map((task) => routes.ofTask.get(task) ?? null));
    return [{ name, settings, route: modes.size === 1 ? ([...modes][0] ?? null) : null }];
  });
  return { groups, ofTask };
}

/** Names of `task_experts.tasks` in the form of the language. */
export function taskNames(tasks: Section | null): readonly string[] {
  return (tasks?.entries() ?? []).map(({ key }) => canonical(key));
}

export function importTasks(
  tasks: Section | null,
  experts: readonly string[],
  grouping: ReturnType<typeof importGroups>,
  routes: Routes,
  report: Report,
): readonly ImportedTask[] {
  return (tasks?.entries() ?? []).flatMap(({ key, keySpan }): readonly ImportedTask[] => {
    const section = tasks?.section(key) ?? null;
    const name = nameOf(canonical(key), keySpan, "a task", report);
    if (section === null || name === null) return [];
    const enabled = section.flag("enabled") ?? true;
    const kind = readKind(section, report);
    const loss = readLoss(section, report);
    const prefer = (section.words("domain_experts") ?? []).flatMap(({ text, span }) => {
      if (experts.includes(text)) return [text];
      const near = closest(text, experts);
      report.notCarried(
        span,
        `${section.path}.domain_experts`,
        `there is no expert \`${text}\` in the bank`,
        near === null ? null : `did you mean \`${near}\`?`,
      );
      return [];
    });
    const group = grouping.ofTask.get(name) ?? null;
    if (group === null && grouping.groups.length > 0 && enabled)
      report.conflict(keySpan, `task \`${name}\` is in no group of \`adatt.task_groups\`, and the others are`);
    const weight = section.number("weight");
    if (weight === null && !section.has("weight")) report.assumed(keySpan, `task \`${name}\` has no \`weight\`: it counts once`);
    if (kind === null || loss === null) return [];
    return [
      {
        name,
        section,
        enabled,
        group,
        route: routeOf(name, group, enabled, grouping.groups, routes, keySpan, report),
        kind,
        loss,
        weight,
        prefer,
      },
    ];
  });
}

/** The route of a task where its group does not give it. */
function routeOf(
  name: string,
  group: string | null,
  enabled: boolean,
  groups: readonly ImportedGroup[],
  routes: Routes,
  span: Word["span"],
  report: Report,
): string | null {
  if (routes.modes.length === 0) return null;
  const own = routes.ofTask.get(name);
  const ofGroup = groups.find((candidate) => candidate.name === group)?.route ?? null;
  if (own !== undefined) return own === ofGroup ? null : own;
  if (!enabled || ofGroup !== null) return null;
  const fallback = routes.modes.includes("behavior") ? "behavior" : (routes.modes[0] ?? null);
  report.assumed(span, `task \`${name}\` is in no \`target_tasks\` of \`hmm_triple_mode\`: it takes ${fallback}, as the system does`);
  return fallback;
}

function readKind(section: Section, report: Report): string | null {
  const type =
    section.choice("type", Object.keys(kinds) as (keyof typeof kinds)[]) ?? (section.has("type") ? null : section.missing("type"));
  if (type === null) {
    section.whole("output_dim");
    return null;
  }
  const width = section.whole("output_dim");
  if (type === "binary") {
    if (width !== null && width !== 1) report.conflict(section.spanOf("output_dim"), `a binary task has one output, not ${width}`);
    return "binary";
  }
  if (type === "regression" && (width ?? 1) === 1) return "regression";
  if (width !== null) return `${kinds[type]}(${width})`;
  return section.has("output_dim") ? null : section.missing("output_dim");
}

function readLoss(section: Section, report: Report): string | null {
  const given = section.text("loss");
  if (given === null) return section.has("loss") ? null : section.missing("loss");
  const loss = losses[canonical(given).replace(/_/g, "")];
  if (loss === undefined) {
    const near = closest(canonical(given), Object.keys(losses));
    report.notCarried(
      section.spanOf("loss"),
      `${section.path}.loss`,
      `plec imports no loss \`${given}\`, and the task is written without one`,
      near === null ? `it knows ${Object.keys(losses).join(", ")}` : `did you mean \`${near}\`?`,
    );
    return "none";
  }
  const settings = Object.entries(loss.settings).flatMap(([key, parameter]) => {
    const value = section.number(key);
    if (value === null && !section.has(key))
      report.assumed(section.span, `\`${section.path}\` leaves \`${key}\` to the default of \`${loss.definition}\``);
    return value === null ? [] : [`${parameter}: ${value}`];
  });
  return settings.length === 0 ? loss.definition : `${loss.definition}(${settings.join(", ")})`;
}

function nameOf(key: string, span: Word["span"], what: string, report: Report): string | null {
  if (/^[A-Za-z_]\w*$/.test(key)) return key;
  return report.conflict(span, `"${key}" cannot name ${what}: names are made of letters, digits and \`_\``);
}

/** `task_relationships`: edges between enabled tasks. */
export function importTransfers(edges: readonly Section[], tasks: readonly ImportedTask[], report: Report): readonly ImportedTransfer[] {
  return edges.flatMap((edge): readonly ImportedTransfer[] => {
    const [source, target] = [edge.text("source") ?? edge.missing("source"), edge.text("target") ?? edge.missing("target")];
    const type = edge.choice("type", ["sequential", "inverse", "feature"]);
    const strength = edge.number("transfer_strength");
    if (source === null || target === null) return [];
    const ends = (
      [
        ["source", source],
        ["target", target],
      ] as const
    ).map(([key, text]) => {
      const task = tasks.find(({ name }) => name === canonical(text));
      if (task === undefined) {
        const near = closest(
          canonical(text),
          tasks.map(({ name }) => name),
        );
        return report.conflict(edge.spanOf(key), `there is no task \`${text}\``, near === null ? null : `did you mean \`${near}\`?`);
      }
      return task.enabled ? task : report.notCarried(edge.spanOf(key), edge.path, `task \`${task.name}\` is not enabled`);
    });
    const [from, to] = ends;
    if (from === null || from === undefined || to === null || to === undefined) return [];
    if (type === null && !edge.has("type"))
      report.assumed(edge.span, `\`${edge.path}\` has no \`type\`: the prediction of ${from.name} is handed on as it is`);
    if (strength === null && !edge.has("transfer_strength"))
      report.assumed(edge.span, `\`${edge.path}\` leaves \`transfer_strength\` to the library's 0.5`);
    const settings = [...(type === null ? [] : [`type: "${type}"`]), ...(strength === null ? [] : [`strength: ${strength}`])];
    return [{ from: from.name, to: to.name, call: `Residual(${settings.join(", ")})` }];
  });
}
