import { type Browser, chromium } from "playwright-core";

/** Headless, with WebGPU on Chromium's own software driver. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = process.env.PLEC_CHROMIUM;
  if (executablePath === undefined)
    throw new Error("run this suite by `npm run test:browser`, which finds Chromium or says how to install it");
  const args = ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"];
  return chromium.launch({ executablePath, args });
}
