import { defineRule } from "./engine/rule.ts";

export const groupOfOne = defineRule({
  code: "lint/group-of-one",
  severity: "warning",
  message: "group `{group}` has one enabled task, `{task}`",
  why: "Tasks of a group share what is called `per group`, and their losses strengthen each other by `intra`. A group of one shares with nobody: it is a task with another name, and its settings have no effect.",
  help: "Put the task into the group that it is closest to, or enable the others.",
  options: {},
  check({ models }, report) {
    for (const { declarations } of models) {
      if (declarations.groups.size < 2) continue;
      for (const [name, group] of declarations.groups) {
        const members = [...declarations.tasks.values()].filter((task) => task.group?.text === name);
        const enabled = members.filter((task) => declarations.enabled.includes(task));
        const [only] = enabled;
        if (enabled.length !== 1 || only === undefined) continue;
        const disabled = members.filter((task) => task !== only);
        const notes = disabled.map((task) => ({ message: `\`${task.name.text}\` is disabled`, span: task.name.span }));
        report(group.name.span, { group: name, task: only.name.text }, { notes });
      }
    }
  },
});
