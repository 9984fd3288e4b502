import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { runCli, temporaryFolder } from "./run-cli.ts";

const folder = temporaryFolder({
  "package.json": "{}",
  "wrong.yaml": "global: { input_dim: many }\ntask_experts: { tasks: { a: { type: binary, loss: bce } } }\n",
  "binary.yaml": "",
});
copyFileSync("examples/import/model_config.yaml", folder.path("model_config.yaml"));
copyFileSync("examples/import/feature_schema.yaml", folder.path("feature_schema.yaml"));
afterAll(() => folder.remove());
const features = ["--features", folder.path("feature_schema.yaml")];

describe("plec import", () => {
  it("writes a spec that checks, is formatted and compiles, and says what it left out", { timeout: 60_000 }, async () => {
    const output = folder.path("model.ple");
    const { code, stdout, stderr } = await runCli(["import", folder.path("model_config.yaml"), ...features, "-o", output]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${output}: written, 2 warnings\n` });
    expect(stderr).toContain("model_config.yaml:282:3 warning config/not-carried");
    expect(stderr).toContain("  282 │   max_epochs: 100\n      │   ^^^^^^^^^^");
    expect(await runCli(["check", output, "--max-warnings", "0"])).toMatchObject({ code: 0 });
    expect(await runCli(["fmt", "--check", output])).toMatchObject({ code: 0 });
    expect(await runCli(["compile", output, "-o", folder.path("model.onnx")])).toMatchObject({ code: 0 });
  });

  it("prints a spec, or a report as JSON", async () => {
    const printed = await runCli(["import", folder.path("model_config.yaml"), "-o", "-", "--name", "Shop"]);
    expect(printed).toMatchObject({ code: 0, stdout: expect.stringContaining("\nmodel Shop {\n") });
    const output = folder.path("again.ple");
    const { code, stdout, stderr } = await runCli(["import", folder.path("model_config.yaml"), ...features, "-o", output, "--json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({
      version: 1,
      written: true,
      notCarried: 2,
      assumed: 0,
      diagnostics: [{ range: { start: { line: 282 } } }, {}],
    });
    expect(readFileSync(output, "utf8")).toContain('from "feature_schema.yaml"');
  });

  it("writes nothing where there are errors, or more warnings than allowed", async () => {
    const output = folder.path("none.ple");
    const strict = await runCli(["import", folder.path("model_config.yaml"), ...features, "-o", output, "--max-warnings", "1"]);
    expect(strict).toMatchObject({ code: 1, stdout: `${output}: not written, 2 warnings\n` });
    const wrong = await runCli(["import", folder.path("wrong.yaml"), "-o", output]);
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining("wrong.yaml:1:22 error yaml/type") });
    expect(existsSync(output)).toBe(false);
  });

  it.each([
    [["import", "nowhere.yaml", "-o", "-"], "cannot read nowhere.yaml"],
    [["import", folder.path("wrong.yaml")], "--output"],
    [["import", folder.path("wrong.yaml"), "-o", "-", "--name", "a-b"], "is no name"],
    [["import", folder.path("wrong.yaml"), "-o", folder.path("no/where.ple")], "there is no folder"],
    [["import", folder.path("wrong.yaml"), "-o", "-", "--json"], "name a file"],
  ])("%j is wrong use", async (argv, message) => {
    expect(await runCli(argv)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  });
});
