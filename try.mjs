import { chromium } from "playwright-core";
import { servePage } from "./examples/browser/serve.mjs";
const server = await servePage({ port: 0 });
const { port } = server.address();
const gpu = process.argv[2] === "webgpu";
const t0 = Date.now();
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, args: ["--no-sandbox","--disable-quic","--no-first-run","--disable-background-networking","--disable-component-update","--disable-sync", ...(gpu ? ["--enable-unsafe-webgpu","--use-webgpu-adapter=swiftshader"] : [])] });
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
page.on("console", (m) => console.log("console:", m.text())); page.on("pageerror", (e) => console.log("pageerror:", e.message));
await page.goto(`http://localhost:${port}/${process.argv[3] ?? ""}`);
for (const s of ["[data-backend]", "[data-state=scoring]", "[data-state=ready]"]) { await page.waitForSelector("body" + s, { timeout: 180000 }); console.log(s, Date.now() - t0); }
console.log(Date.now() - t0, await page.evaluate(() => [document.body.dataset.state, document.getElementById("backend").textContent, document.getElementById("timing").textContent, document.getElementById("message-text").textContent, crossOriginIsolated, navigator.gpu === undefined]));
await page.screenshot({ path: `/tmp/wg/page-${process.argv[2]}.png`, fullPage: true });
await browser.close(); server.close();
