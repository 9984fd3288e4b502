import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { allMonitors } from "../../runtime/runs/monitors/monitors.ts";
import { monitorSection } from "./monitor-section.ts";

const page = readFileSync("docs/monitors.md", "utf8");
const sections = [...page.matchAll(/^### (.*)\n[\s\S]*?(?=\n##|$(?![\s\S]))/gm)].map(([text, name = ""]) => ({ name, text }));

it("docs/monitors.md has every monitor, in order", () => {
  expect(sections.map(({ name }) => name)).toEqual(allMonitors.map(({ name }) => name));
});

it.each(allMonitors)("docs/monitors.md says of $name what the monitor says", (monitor) => {
  const text = sections.find(({ name }) => name === monitor.name)?.text ?? "";
  const measured = /^\*Threshold:\*.*? told (?:at once|after \d+ epochs in a row)\. (.*)$/m.exec(text)?.[1] ?? "";
  expect(measured.length).toBeGreaterThan(40);
  expect(`${text.trimEnd()}\n`).toBe(monitorSection(monitor, measured));
});
