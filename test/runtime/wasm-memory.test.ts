import { writeFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";

const folder = temporaryFolder({
  "wide.ple": `import { mse } from "std/losses"
model Wide {
  input x: f32[B, 1]
  task y: regression { loss: mse }
  flow per task { return linear(linear(x, 65536), 1) }
}
`,
});
afterAll(() => folder.remove());

test("a run that needs more memory than wasm has is an error that says so", { timeout: 60_000 }, async () => {
  // 20,000 rows of 65,536 numbers are 5 GB.
  writeFileSync(folder.path("rows.json"), JSON.stringify({ x: new Array(20_000).fill([1]) }));
  const args = ["run", folder.path("wide.ple"), "--engine", "tfjs", "--backend", "wasm", "--input", folder.path("rows.json")];
  const { code, stderr } = await runCli(args);
  expect(stderr).toMatch(
    /^plec: the wasm backend failed, as it does when it needs more than its 4 GB of memory: take fewer rows at once \(.+\)\n$/,
  );
  expect(code).toBe(1);
});
