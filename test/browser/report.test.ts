import { mkdirSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";
import { writeMadeUpRun } from "../report/made-up-run.ts";
import { launchChromium } from "./chromium.ts";

const folder = temporaryFolder();
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
  for (const names of chips) expect(names).toEqual(["run-16", "run-2"]);
  if (process.env.PLEC_SCREENSHOTS !== undefined)
    await page.screenshot({ path: `${process.env.PLEC_SCREENSHOTS}/compare.png`, fullPage: true });
  expect(problems).toEqual([]);
  await page.close();
});
