import { mkdirSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";
import { writeMadeUpRun } from "../report/made-up-run.ts";
import { everything, mapping, type Row, rows, watched } from "../runs/monitors/watched.ts";
import { launchChromium } from "./chromium.ts";

const folder = temporaryFolder();
/** Three rows in five lack the input of the route. */
const withoutStates = (row: Row, i: number): Row => (Math.floor(i / 5) % 5 < 3 ? { ...row, s0: null, s1: null } : row);
let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  folder.remove();
});

/** Opens a page from its file, and fails for anything that it complains about or asks of a network. */
async function open(
  path: string,
  width: number,
  colorScheme: "light" | "dark",
): Promise<{ readonly page: Page; readonly problems: string[] }> {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    // What the test itself does.
    if (!message.text().includes("getImageData")) problems.push(message.text());
  });
  page.on("request", (request) => {
    if (!/^(file|data):/.test(request.url())) problems.push(`asks for ${request.url()}`);
  });
  await page.goto(pathToFileURL(path).href);
  await page.waitForSelector("section");
  return { page, problems };
}

/** For each plot, in order of the page, how many points of its canvas are not empty. */
async function inks(page: Page): Promise<readonly number[]> {
  return page.evaluate(`[...document.querySelectorAll("canvas")].map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let ink = 0;
    for (let i = 3; i < data.length; i += 4) if (data[i] > 0) ink += 1;
    return ink;
  })`);
}

describe.each([
  [1280, "light", 16, 23],
  [420, "dark", 2, 1],
] as const)("a report at %i points, %s, of %i tasks and %i epochs", (width, scheme, tasks, epochs) => {
  test("draws all that the run wrote down, from one file", async () => {
    const run = folder.path(`run-${tasks}`);
    mkdirSync(run);
    const made = writeMadeUpRun(run, { tasks, epochs });
    expect((await runCli(["report", run])).code).toBe(0);
    const { page, problems } = await open(`${run}/report.html`, width, scheme);
    const titles = await page.$$eval("h2", (headings) => headings.map(({ textContent }) => textContent));
    for (const title of [
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
    ])
      expect(titles).toContain(title);
    const ink = await inks(page);
    // A plot for each gate, and 16 of terms, metrics, calibration, experts, edges, affinities and weights.
    expect(ink).toHaveLength(16 + tasks);
    expect(Math.min(...ink)).toBeGreaterThan(300);
    expect(await page.$$("#gates figure")).toHaveLength(tasks);
    expect(await page.$$eval(".heat td", (cells) => cells.map(({ textContent }) => Number(textContent)))).toEqual(
      made.affinity.flat().map((value) => Number(value.toFixed(2))),
    );
    const cells = await page.$$eval("section:first-of-type tbody tr", (rows) =>
      rows.map((row) => [...row.children].map(({ textContent }) => textContent)),
    );
    expect(cells.map(([name]) => name)).toEqual(made.tasks);
    // Nothing hangs out of a narrow window.
    expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(0);
    if (process.env.PLEC_SCREENSHOTS !== undefined)
      await page.screenshot({ path: `${process.env.PLEC_SCREENSHOTS}/report-${width}-${scheme}.png`, fullPage: true });
    expect(problems).toEqual([]);
    await page.close();
  });
});

test("a real run has all that it should show, from one file", async () => {
  const files = { "watched.ple": watched({ plan: everything }), "data.yaml": mapping, "rows.csv": rows(withoutStates) };
  for (const [name, text] of Object.entries(files)) writeFileSync(folder.path(name), text);
  const run = folder.path("real");
  const trained = await runCli(["train", folder.path("watched.ple"), "--data", folder.path("data.yaml"), "--out", run]);
  expect(trained.code, trained.stderr).toBe(0);
  const { page, problems } = await open(`${run}/report.html`, 1280, "light");
  const figures = (id: string) => page.$$eval(`#${id} figcaption`, (captions) => captions.map(({ textContent }) => textContent));
  const chips = (id: string) =>
    page.$$eval(`#${id} .chips`, (lists) =>
      lists.map((list) => [...list.querySelectorAll("button")].map(({ textContent }) => textContent)),
    );
  const terms = [
    "total",
    "tasks, training rows",
    "tasks, test",
    "penalty gate entropy",
    "penalty size",
    "weights of the tasks",
    "learning rate",
  ];
  expect(await figures("loss")).toEqual([...terms, "gradient norm"]);
  expect(await figures("metrics")).toEqual(["AUC", "accuracy", "RMSE", "ECE"]);
  // A figure of one line says what the line is.
  expect(await chips("metrics")).toEqual([["click"], ["click"], ["amount"], ["click"]]);
  expect(await figures("calibration")).toEqual(["test"]);
  expect(await figures("gates")).toEqual(["gate/click", "gate/amount"]);
  expect(await chips("gates")).toEqual([
    ["first", "second"],
    ["first", "second"],
  ]);
  expect(await chips("transfers")).toEqual([["click->amount"]]);
  expect(await page.$$eval(".heat tbody th", (names) => names.map(({ textContent }) => textContent))).toEqual(["click", "amount"]);
  expect(await chips("uncertainty-weights")).toEqual([["click", "amount"]]);
  const cells = (id: string, column: number) =>
    page.$$eval(`#${id} tbody tr td:nth-child(${column})`, (found) => found.map(({ textContent }) => textContent));
  expect(await cells("findings", 2)).toEqual(["route-defaults"]);
  expect(await cells("findings", 3)).toEqual(["route states gives its default to 60 % of the rows"]);
  expect(await cells("what-happened", 3)).toEqual([
    "start",
    "phase",
    "adaTT",
    "restart",
    "annealing",
    "restart",
    "freeze",
    "phase",
    "freeze",
    "end",
  ]);
  expect(await cells("what-happened", 4)).toEqual(
    expect.arrayContaining(["shared stand still", "adaTT's affinities and weights stand still, and with them gates"]),
  );
  const ink = await inks(page);
  expect(Math.min(...ink)).toBeGreaterThan(300);
  if (process.env.PLEC_SCREENSHOTS !== undefined)
    await page.screenshot({ path: `${process.env.PLEC_SCREENSHOTS}/report-real.png`, fullPage: true });
  expect(problems).toEqual([]);
  await page.close();
});

test("a line is hidden by its name, and the value under the pointer is told", async () => {
  const run = folder.path("run-2");
  const { page, problems } = await open(`${run}/report.html`, 1280, "light");
  const figure = page.locator("#loss figure", { hasText: "tasks, training rows" });
  const before = (await inks(page)).reduce((sum, ink) => sum + ink, 0);
  const [chip] = await figure.locator(".chips button").all();
  await chip?.click();
  expect(await chip?.getAttribute("aria-pressed")).toBe("false");
  await page.waitForTimeout(100);
  expect((await inks(page)).reduce((sum, ink) => sum + ink, 0)).toBeLessThan(before);
  await figure.locator(".u-over").hover();
  expect(Number(await figure.locator("output").last().textContent())).toBeGreaterThan(0);
  expect(problems).toEqual([]);
  await page.close();
});

test("several runs are drawn over each other", async () => {
  const path = folder.path("compare.html");
  const runs = ["run-16", "run-2"].map((name) => folder.path(name));
  expect((await runCli(["compare", ...runs, "--html", path])).code).toBe(0);
  const { page, problems } = await open(path, 1280, "light");
  const chips = await page.$$eval(".chips", (lists) =>
    lists.map((list) => [...list.querySelectorAll("button")].map(({ textContent }) => textContent)),
  );
  expect(chips.length).toBeGreaterThan(0);
  expect(chips).toContainEqual(["run-16", "run-2"]);
  // Tasks that one of the runs lacks.
  for (const names of chips) expect([["run-16", "run-2"], ["run-16"]]).toContainEqual(names);
  if (process.env.PLEC_SCREENSHOTS !== undefined)
    await page.screenshot({ path: `${process.env.PLEC_SCREENSHOTS}/compare.png`, fullPage: true });
  expect(problems).toEqual([]);
  await page.close();
});
