// Runs a command with Chromium's path in PLEC_CHROMIUM and its software GPU as the Vulkan driver: node scripts/with-chromium.mjs vitest run ...
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import "./ensure-installed.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The first of these files that is there, named by the variable or where Debian puts it. */
function locate(what, variable, candidates) {
  const named = process.env[variable];
  const found = (named === undefined ? candidates : [named]).find((path) => existsSync(path));
  if (found !== undefined) return found;
  console.error(
    `${what} is missing${named === undefined ? "" : ` at ${named}`}. On Debian: apt-get install -y chromium (or set ${variable})`,
  );
  process.exit(1);
}

const chromium = locate("Chromium", "PLEC_CHROMIUM", ["/usr/bin/chromium"]);
const driver = locate("SwiftShader, Chromium's software GPU,", "PLEC_VULKAN_DRIVER", ["/usr/lib/chromium/vk_swiftshader_icd.json"]);

const [command, ...args] = process.argv.slice(2);
const { status } = spawnSync(command, args, {
  cwd: root,
  stdio: "inherit",
  env: {
    ...process.env,
    PATH: `${join(root, "node_modules/.bin")}${delimiter}${process.env.PATH}`,
    PLEC_CHROMIUM: chromium,
    VK_ICD_FILENAMES: driver,
    // Chromium brings a Vulkan loader too, for machines that have none of their own.
    LD_LIBRARY_PATH: [process.env.LD_LIBRARY_PATH, dirname(driver)].filter(Boolean).join(delimiter),
  },
});
process.exit(status ?? 1);
