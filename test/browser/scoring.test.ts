import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { customerInputs, type Form, type ModelInputs } from "../../examples/browser/customer.ts";
import type { Batch } from "../../runtime/engine.ts";
import { makeTensor } from "../../runtime/engine.ts";
import { type OpenModel, openCompiled } from "../../runtime/open-model.ts";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";
import { launchChromium } from "./chromium.ts";

/** As the page's own message tells to make the model, and the same weights for ONNX Runtime. */
const spec = "specs/ple_cluster_adatt.ple";
const outputs = "!representation/*,!sae_latents";
const folder = temporaryFolder({});
afterAll(() => folder.remove());

let browser: Browser;
let server: { readonly origin: string; readonly process: ChildProcess };
let inputs: ModelInputs;
let reference: OpenModel;

beforeAll(async () => {
  const model = folder.path("model");
  for (const [target, path] of [
    ["tfjs", model],
    ["onnx", folder.path("model.onnx")],
  ] as const) {
    const { code, stderr } = await runCli(["compile", spec, "--target", target, "--outputs", outputs, "-o", path]);
    expect(code, stderr).toBe(0);
  }
  reference = await openCompiled(folder.path("model.onnx"));
  const { plec } = JSON.parse(readFileSync(`${model}/model.json`, "utf8")).userDefinedMetadata;
  inputs = { inputs: JSON.parse(plec["plec.inputs"]), slices: JSON.parse(plec["plec.slices"]) };
  server = await serve(model);
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  server?.process.kill();
  await reference?.engine.close();
});

/** The command of the example's README, on a port that is free. */
async function serve(model: string): Promise<{ readonly origin: string; readonly process: ChildProcess }> {
  const child = spawn(process.execPath, ["examples/browser/serve.mjs", "--port", "0", "--model", model], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const text of child.stdout) {
    const [origin] = /http:\/\/localhost:\d+/.exec(String(text)) ?? [];
    if (origin !== undefined) return { origin, process: child };
  }
  throw new Error("the page's server ended");
}

const untouched: Form = { seed: 1, cluster: null, moved: {}, dropped: [] };

/** What ONNX Runtime makes of the customer that the form describes. */
async function expected(form: Form): Promise<ReadonlyMap<string, readonly number[]>> {
  const feeds: Batch = new Map(
    [...customerInputs(inputs, form)].map(([name, { dtype, shape, data }]) => [name, makeTensor(dtype, shape, data)]),
  );
  return new Map([...(await reference.engine.run(feeds))].map(([name, { data }]) => [name, [...data]]));
}

interface Shown {
  readonly task: string;
  readonly prediction: readonly number[];
  readonly gates: readonly number[];
  readonly uncertainty: readonly number[] | null;
}

/** The page's numbers as exact as it has them, and the first cell of each row as people read it. */
async function shown(page: Page): Promise<readonly Shown[]> {
  return page.$$eval("#predictions tr[data-task]", (rows) =>
    rows.map((row) => {
      const {
        task = "",
        prediction = "",
        gates = "",
        uncertainty,
      } = (row as unknown as { dataset: Record<string, string | undefined> }).dataset;
      return {
        task,
        prediction: JSON.parse(prediction),
        gates: JSON.parse(gates),
        uncertainty: uncertainty === undefined ? null : JSON.parse(uncertainty),
      };
    }),
  );
}

function expectNear(found: readonly number[], wanted: readonly number[] | undefined, what: string): void {
  expect(found.length, what).toBe(wanted?.length);
  const size = Math.max(...(wanted ?? []).map(Math.abs), 1e-3);
  for (const [i, value] of found.entries()) expect(Math.abs(value - (wanted?.[i] ?? Number.NaN)) / size, what).toBeLessThan(1e-3);
}

async function expectScores(page: Page, form: Form): Promise<void> {
  const [found, wanted] = [await shown(page), await expected(form)];
  expect(found.map(({ task }) => task).sort()).toEqual([...reference.description.tasks.map(({ name }) => name)].sort());
  for (const { task, prediction, gates, uncertainty } of found) {
    expectNear(prediction, wanted.get(task), `prediction of ${task}`);
    expectNear(gates, wanted.get(`gates/${task}`), `gates of ${task}`);
    if (uncertainty !== null) expectNear(uncertainty, wanted.get(`uncertainty/${task}`), `uncertainty of ${task}`);
  }
  expect(found.filter(({ uncertainty }) => uncertainty !== null).length).toBeGreaterThan(10);
}

async function scored(page: Page, runs: number): Promise<void> {
  await page.waitForFunction(
    `document.body.dataset.state === "failed" || (document.body.dataset.state === "ready" && Number(document.body.dataset.runs) >= ${runs})`,
    null,
    {
      timeout: 240_000,
      polling: 200,
    },
  );
  expect(await page.textContent("#message-text")).toBe("");
}

async function openPage(query: string, origin = server.origin): Promise<{ readonly page: Page; readonly problems: readonly string[] }> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  // On a busy machine the page takes longer than Playwright's 30 s to load the model.
  page.setDefaultTimeout(120_000);
  await page.goto(`${origin}/${query}`);
  return { page, problems };
}

describe("scores on WebAssembly", () => {
  test("are ONNX Runtime's, follow the form, and say where they were made", async () => {
    const { page, problems } = await openPage("?backend=wasm");
    await scored(page, 1);
    await expectScores(page, untouched);
    expect(await page.textContent("#backend")).toBe("Running on WebAssembly");

    await page.fill("#seed", "4");
    await page.selectOption("#cluster", "3");
    await page.uncheck('#sources input[name="txn_seq"]');
    await page.evaluate(`(() => {
      const slider = document.querySelector('#sliders input[name="multi_source.deposit"]');
      slider.value = "1.5";
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    })()`);
    const form = { seed: 4, cluster: 3, moved: { "multi_source.deposit": 1.5 }, dropped: ["180 days of transactions"] };
    const wanted = (await expected(form)).get("ctr")?.[0] ?? Number.NaN;
    await page.waitForFunction(
      `document.body.dataset.state === "ready" && Math.abs(JSON.parse(document.querySelector("[data-task=ctr]").dataset.prediction)[0] - ${wanted}) < 1e-4`,
      null,
      { timeout: 120_000, polling: 200 },
    );
    await expectScores(page, form);
    // What people read is what the row has.
    const row = await page.$eval('[data-task="ctr"]', (element) => element.textContent ?? "");
    expect(row).toContain(`${(100 * wanted).toFixed(1)} %`);

    if (process.env.PLEC_SCREENSHOTS !== undefined)
      await page.screenshot({ path: `${process.env.PLEC_SCREENSHOTS}/scoring.png`, fullPage: true });
    expect(problems).toEqual([]);
    await page.close();
  });
});

describe("scores on WebGPU", () => {
  test("are left for WebAssembly where there is only a software driver, and the page says so", async () => {
    const { page } = await openPage("");
    await scored(page, 1);
    expect(await page.textContent("#backend")).toBe("Running on WebAssembly: WebGPU has only a software driver here");
    await page.close();
  });

  test("are ONNX Runtime's; when the GPU is lost the page says so and offers a way on", async () => {
    // A software driver takes minutes for TensorFlow.js's kernel for products of few values; this flag chooses the one for large products.
    const { page } = await openPage("?backend=webgpu&tfjsflags=WEBGPU_MATMUL_PROGRAM_TYPE:3");
    await scored(page, 1);
    expect(await page.textContent("#backend")).toMatch(/^Running on WebGPU \(.*software driver\)$/);
    await expectScores(page, untouched);
    await (await browser.newBrowserCDPSession()).send("Browser.crashGpuProcess");
    await page.waitForSelector("body[data-state=failed]");
    expect(await page.textContent("#message-text")).toMatch(/^The GPU was lost/);
    expect(await page.isVisible("#message-link")).toBe(true);
    await page.close();
  });
});

test("without a model the page says how to make one", async () => {
  const empty = await serve(folder.path("nothing"));
  const { page } = await openPage("", empty.origin);
  await page.waitForSelector("body[data-state=failed]");
  expect(await page.textContent("#message-text")).toContain("There is no model");
  expect(await page.textContent("#message-command")).toContain("plec compile");
  await page.close();
  empty.process.kill();
});
