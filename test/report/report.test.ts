import { appendFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import type { Figure, Page } from "../../runtime/report/figures.ts";
import { readRun } from "../../runtime/report/read-run.ts";
import { runReport } from "../../runtime/report/run-report.ts";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";
import { writeMadeUpRun } from "./made-up-run.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** A run of two tasks and ten epochs, the seventh of which begins with a phase of its own. */
function makeRun(name: string): string {
  writeMadeUpRun(folder.path(name), { tasks: 2, epochs: 10 });
  return folder.path(name);
}

function figure(page: Page, section: string, title: string | null): Figure {
  const found = page.sections.find((each) => each.title === section)?.figures.find((each) => each.title === title);
  if (found === undefined) throw new Error(`${section} has no figure ${title}`);
  return found;
}

describe("a page", () => {
  const page = runReport(readRun(makeRun("page")));
  const linesOf = (section: string, title: string) => {
    const found = figure(page, section, title);
    if (found.kind !== "lines") throw new Error(`${title} is ${found.kind}`);
    return { ...found, byName: new Map(found.lines.map(({ name, values }) => [name, values])) };
  };

  it("has a section for all that was written down", () => {
    expect(page.sections.map(({ title }) => title)).toEqual([
      "After epoch 10",
      "Findings",
      "Loss",
      "Metrics",
      "Calibration",
      "Gates",
      "Experts",
      "Transfers",
      "Task affinity",
      "Uncertainty weights",
      "What happened",
    ]);
    expect(page.facts).toContainEqual(["state", "finished"]);
  });

  it("shows the numbers of the records, each at its epoch", () => {
    const loss = linesOf("Loss", "tasks, training rows");
    expect(loss.x).toEqual(Array.from({ length: 40 }, (_, i) => (i + 1) / 4));
    expect(loss.byName.get("task_1")?.[7]).toBeCloseTo(0.35 * (1 + Math.exp(-2 / 5)), 12);
    const gate = linesOf("Gates", "cgc/task_0");
    expect([...gate.byName.keys()]).toEqual(["graph", "diagram", "cross", "sequence", "causal"]);
    for (const [i] of gate.x.entries()) expect(gate.lines.reduce((sum, { values }) => sum + (values[i] ?? 0), 0)).toBeCloseTo(1, 12);
    expect(linesOf("Uncertainty weights", "log variance").byName.get("task_1")?.at(-1)).toBeCloseTo(-0.48, 12);
    expect(linesOf("Transfers", "share of the target").byName.get("task_0->task_1")?.at(-1)).toBeCloseTo(0.6, 12);
    expect(linesOf("Metrics", "AUC").byName.get("task_0")?.at(-1)).toBeCloseTo(0.9 - 0.2 * Math.exp(-10 / 4), 12);
    const calibration = linesOf("Calibration", "test");
    expect(calibration).toMatchObject({ range: [0, 1], diagonal: true });
    expect(figure(page, "Task affinity", "after epoch 10")).toMatchObject({ kind: "heat", rows: ["task_0", "task_1"], low: -1, high: 1 });
  });

  it("marks phases and freezes in every plot over epochs, and tells of them at the end", () => {
    for (const [section, title] of [
      ["Loss", "total"],
      ["Gates", "cgc/task_1"],
      ["Metrics", "AUC"],
      ["Uncertainty weights", "log variance"],
    ] as const)
      expect(linesOf(section, title).marks).toEqual([
        { x: 5, name: "freeze" },
        { x: 6, name: "phase refine" },
      ]);
    const table = figure(page, "What happened", null);
    expect(table.kind === "table" ? table.rows.map(([epoch, , event, text]) => [epoch, event, text]) : []).toContainEqual([
      "5",
      "freeze",
      "gates and affinities stay as they are",
    ]);
  });

  it("says that monitors found nothing where they did not", () => {
    const run = readRun(makeRun("clean"));
    const findings = (of: typeof run) => runReport(of).sections.find(({ title }) => title === "Findings");
    expect(findings(run)?.figures).toHaveLength(1);
    expect(findings({ ...run, findings: [] })).toEqual({ title: "Findings", text: "None: no monitor saw a fault.", figures: [] });
  });

  it("of a run that has only begun has what there is", () => {
    const path = makeRun("begun");
    writeFileSync(`${path}/metrics.jsonl`, "");
    const begun = runReport(readRun(path));
    expect(begun.sections.map(({ title }) => title)).toEqual(["Findings"]);
    expect(begun.facts).toContainEqual(["state", "not finished"]);
  });
});

describe("plec report", () => {
  it("writes the page anew, with what users named escaped", async () => {
    const path = makeRun("anew");
    const description = readFileSync(`${path}/run.json`, "utf8");
    writeFileSync(`${path}/run.json`, description.replace('"MadeUp"', '"</script><b>"'));
    const { code, stdout } = await runCli(["report", path]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${path}/report.html: written\n` });
    const html = readFileSync(`${path}/report.html`, "utf8");
    expect(html).not.toContain("</script><b>");
    expect(html).toContain("\\u003c/script>\\u003cb>");
    expect(html).not.toMatch(/(src|href)="https?:/);
  });

  it("leaves out a line that is being written", async () => {
    const path = makeRun("half");
    const { length } = readFileSync(`${path}/metrics.jsonl`);
    truncateSync(`${path}/metrics.jsonl`, length - 20);
    expect(readRun(path).events.map(({ event }) => event)).not.toContain("end");
    expect((await runCli(["report", path])).code).toBe(0);
  });

  it.each<readonly [string, (path: string) => void, RegExp]>([
    ["nothing", (path) => rmSync(path, { recursive: true }), /is no run: it has no run\.json; `plec train --out \S+` makes one/],
    ["a folder that is none", (path) => rmSync(`${path}/run.json`), /is no run: it has no run\.json/],
    ["a cut description", (path) => truncateSync(`${path}/run.json`, 100), /cannot read \S+run\.json: .*JSON/],
    ["an empty description", (path) => writeFileSync(`${path}/run.json`, "{}"), /cannot read \S+run\.json: its `version` is no number/],
    ["a description that is none", (path) => writeFileSync(`${path}/run.json`, "null"), /cannot read \S+run\.json: it holds no object/],
    ["no records", (path) => rmSync(`${path}/metrics.jsonl`), /cannot read \S+metrics\.jsonl: it is missing/],
    ["a line that is no JSON", (path) => writeFileSync(`${path}/metrics.jsonl`, "what\n"), /cannot read \S+metrics\.jsonl:1: .*JSON/],
    ["a line that is no record", (path) => writeFileSync(`${path}/metrics.jsonl`, "null\n"), /metrics\.jsonl:1: it holds no object/],
    ["a kind that is none", (path) => writeFileSync(`${path}/metrics.jsonl`, '{"kind":"toString"}\n'), /:1: it is of no kind .* toString/],
    ["half a record", (path) => appendFileSync(`${path}/metrics.jsonl`, '{"kind":"epoch"}\n'), /jsonl:\d+: its `epoch` is no number/],
    ["a folder in the way", (path) => mkdirSync(`${path}/report.html`), /it is a folder/],
  ])("says what is wrong with %s", async (name, spoil, message) => {
    const path = makeRun(name.replaceAll(" ", "-"));
    spoil(path);
    const { code, stderr } = await runCli(["report", path]);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain("internal error");
    expect(code).toBeGreaterThan(0);
  });
});
