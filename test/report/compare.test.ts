import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareRuns, comparisonPage } from "../../runtime/report/compare-runs.ts";
import { readRun } from "../../runtime/report/read-run.ts";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";
import { writeMadeUpRun } from "./made-up-run.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());
const [a, b] = [folder.path("a"), folder.path("b")];

beforeAll(() => {
  writeMadeUpRun(a, { tasks: 2, epochs: 6 });
  writeMadeUpRun(b, { tasks: 2, epochs: 4, lr: 1e-3, better: 0.05 });
});

describe("a comparison", () => {
  it("has the metrics of each run's best epoch, and which are best", () => {
    const { runs, metrics } = compareRuns([readRun(a), readRun(b)]);
    expect(runs).toEqual([
      { name: "a", path: a, epoch: 6 },
      { name: "b", path: b, epoch: 4 },
    ]);
    const of = (metric: string) => metrics.find((found) => found.task === "task_1" && found.metric === metric);
    const [ofA, ofB] = [0.89 - 0.2 * Math.exp(-6 / 4), 0.89 - 0.2 * Math.exp(-4 / 4) + 0.05];
    expect(of("auc")?.values).toEqual([expect.closeTo(ofA, 12), expect.closeTo(ofB, 12)]);
    // More AUC and less loss are better; what is equal has no best.
    expect([of("auc")?.best, of("loss")?.best, of("log_loss")?.best]).toEqual([[1], [1], []]);
  });

  it("chooses the epoch as training does: rows called test choose nothing", () => {
    const run = readRun(a);
    const epochOf = (split: string, train: readonly number[]) => {
      const rows = { train: 10, [split]: 10 };
      const epochs = run.epochs.map((record, i) => ({
        ...record,
        train: { "loss/task_0": train[i] ?? 9 },
        splits: { [split]: record.splits.test ?? {} },
      }));
      return compareRuns([{ ...run, description: { ...run.description, rows }, epochs }]).runs[0]?.epoch;
    };
    // The held-out loss falls to the last epoch; that of the training rows is lowest in the third.
    expect(epochOf("test", [3, 2, 1, 2, 3, 4])).toBe(3);
    expect(epochOf("valid", [3, 2, 1, 2, 3, 4])).toBe(6);
  });

  it("tells what differs and nothing else", () => {
    const { settings } = compareRuns([readRun(a), readRun(b)]);
    expect(settings).toEqual([
      { name: "adatt freeze", values: ["4", "3"] },
      { name: "phase joint", values: ["4 epochs, lr 0.0005", "3 epochs, lr 0.001"] },
      { name: "phase refine", values: ["2 epochs, lr 0.0005, freezes cgc", "1 epochs, lr 0.001, freezes cgc"] },
    ]);
    expect(compareRuns([readRun(a), readRun(a)]).settings).toEqual([]);
  });

  it("has a line for each run in each plot", () => {
    const page = comparisonPage([readRun(a), readRun(b)]);
    expect(page.sections.map(({ title }) => title)).toEqual([
      "Metrics",
      "What differs",
      "Metrics over epochs",
      "Loss of the training rows",
    ]);
    const plots = page.sections.flatMap(({ figures }) => figures.flatMap((figure) => (figure.kind === "lines" ? [figure] : [])));
    expect(plots.length).toBeGreaterThan(6);
    for (const { lines } of plots) expect(lines.map(({ name }) => name)).toEqual(["a", "b"]);
  });
});

describe("plec compare", () => {
  it("prints a table, with a star at the best", async () => {
    const { code, stdout, stderr } = await runCli(["compare", a, b]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^task +metric +a +b\n +best epoch +6 +4\n/);
    expect(stdout).toMatch(/^task_0 +AUC +0\.\d+ +0\.\d+ \*$/m);
    expect(stdout).toContain("What differs:\n");
    expect(stdout).not.toMatch(/ $/m);
  });

  it("prints one object for machines, and writes a page", async () => {
    const page = folder.path("page.html");
    const { code, stdout } = await runCli(["compare", a, b, "--json", "--html", page]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ version: 1, ...compareRuns([readRun(a), readRun(b)]) });
    expect(readFileSync(page, "utf8")).toContain("What differs");
  });

  it("takes runs of other models and runs that have only begun", async () => {
    const other = folder.path("other");
    writeMadeUpRun(other, { tasks: 3, epochs: 2 });
    const begun = folder.path("begun");
    writeMadeUpRun(begun, { tasks: 2, epochs: 2 });
    writeFileSync(`${begun}/metrics.jsonl`, "");
    const { code, stdout } = await runCli(["compare", a, other, begun]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ +best epoch +6 +2 +0\n/m);
    expect(stdout).toMatch(/^task_2 +AUC +– +0\.\d+( \*)? +–$/m);
  });

  it.each([
    ["one run", ["a"], 2, /name two runs or more; `plec report RUN` shows one/],
    ["a folder that is no run", ["a", "nothing"], 2, /nothing is no run: it has no run\.json/],
    ["a page that cannot be written", ["a", "b", "--html", "none/page.html"], 2, /cannot write .*page\.html: no such file or folder/],
  ])("says what is wrong with %s", async (_, args, code, message) => {
    const given = args.map((arg) => (arg.startsWith("--") ? arg : folder.path(arg)));
    const result = await runCli(["compare", ...given]);
    expect(result.stderr).toMatch(message);
    expect(result.code).toBe(code);
    expect(existsSync(folder.path("none"))).toBe(false);
  });
});
