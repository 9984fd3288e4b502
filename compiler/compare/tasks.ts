import { formatShape } from "../ir/dim.ts";
import type { CheckedModel, ModelBank, ModelTask } from "../model.ts";
import { added, type Change, changed, formatPlain, formatSettings, pair, removed } from "./change.ts";
import { lossOf } from "./losses.ts";

/** Tasks but for their losses, and the groups that they are in. */
export function compareTasks(a: CheckedModel, b: CheckedModel): readonly Change[] {
  const tasks = pair(a.tasks, b.tasks, ({ name }) => name).flatMap(({ name, before, after }) => {
    if (before === null && after !== null) return [added("tasks", name, describeTask(after))];
    if (before === null) return [];
    if (after === null) return [removed("tasks", name, describeTask(before), before.enabled ? "its prediction is gone" : null)];
    return compareTask(before, after);
  });
  const groups = pair(a.groups, b.groups, ({ name }) => name).flatMap(({ name, before, after }) => {
    const text = (group: typeof before) =>
      group === null ? "" : formatSettings({ ...(group.route === null ? {} : { route: group.route }), ...group.settings });
    if (before === null) return [added("groups", name, text(after))];
    return after === null ? [removed("groups", name, text(before))] : changed("groups", name, text(before), text(after));
  });
  return [...groups, ...tasks];
}

function compareTask(before: ModelTask, after: ModelTask): readonly Change[] {
  const { name } = after;
  const used = before.enabled && after.enabled;
  const breaks = (why: string) => (used ? why : null);
  return [
    ...changed("tasks", `${name} enabled`, String(before.enabled), String(after.enabled), after.enabled ? null : "its prediction is gone"),
    ...changed("tasks", `${name} kind`, kindOf(before), kindOf(after), breaks("its prediction has another shape or meaning")),
    ...changed("tasks", `${name} group`, before.group ?? "none", after.group ?? "none"),
    ...changed("tasks", `${name} weight`, String(before.weight), String(after.weight)),
    ...changed(
      "tasks",
      `${name} activation`,
      before.activation ?? "default",
      after.activation ?? "default",
      breaks("its prediction is on another scale"),
    ),
    ...changed("tasks", `${name} prefers`, formatPlain(before.prefer), formatPlain(after.prefer)),
    ...changed("tasks", `${name} route`, before.route ?? "none", after.route ?? "none"),
  ];
}

const kindOf = ({ kind, width }: ModelTask): string =>
  kind === "binary" || (kind === "regression" && width === 1) ? kind : `${kind}(${width})`;

const describeTask = (task: ModelTask): string => `${kindOf(task)}, ${lossOf(task)}${task.enabled ? "" : ", disabled"}`;

/** Banks and their entries. Names of modules count only where something is computed differently: a definition may be renamed. */
export function compareBanks(a: CheckedModel, b: CheckedModel, modulesCount: boolean): readonly Change[] {
  const title = ({ role, per }: ModelBank) => `${role}${per === null ? "" : ` per ${per}`}`;
  return pair(a.banks, b.banks, ({ name }) => name).flatMap(({ name, before, after }) => {
    if (before === null && after !== null)
      return [added("experts", name, `${title(after)} { ${after.entries.map((entry) => entry.name).join(", ")} }`)];
    if (before === null) return [];
    if (after === null) return [removed("experts", name, `${title(before)} { ${before.entries.map((entry) => entry.name).join(", ")} }`)];
    const entries = pair(before.entries, after.entries, (entry) => entry.name).flatMap(({ name: entry, before: old, after: now }) => {
      const full = `${name}.${entry}`;
      const text = ({ module, shape }: ModelBank["entries"][number]) => `${module ?? "expression"} ${formatShape(shape)}`;
      if (old === null && now !== null) return [added("experts", full, text(now))];
      if (old === null) return [];
      if (now === null) return [removed("experts", full, text(old))];
      const module = modulesCount ? changed("experts", `${full} module`, old.module ?? "expression", now.module ?? "expression") : [];
      return [...module, ...changed("experts", full, formatShape(old.shape), formatShape(now.shape))];
    });
    return [...changed("experts", name, title(before), title(after)), ...orderChange(name, before, after), ...entries];
  });
}

/** The order of a bank is the order of its gate's weights. */
function orderChange(name: string, before: ModelBank, after: ModelBank): readonly Change[] {
  const [old, now] = [before, after].map((bank) => bank.entries.map((entry) => entry.name)) as [string[], string[]];
  const common = (names: readonly string[], others: readonly string[]) => names.filter((entry) => others.includes(entry)).join(", ");
  return changed("experts", `${name} order`, common(old, now), common(now, old));
}
