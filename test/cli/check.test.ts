import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { runCli, temporaryFolder } from "./run-cli.ts";
import { good, withError, withSyntaxError, withUnusedImport } from "./specs.ts";

const folder = temporaryFolder({
  "good.ple": good,
  "error.ple": withError,
  "warning.ple": withUnusedImport,
  "syntax.ple": withSyntaxError,
});
afterAll(() => folder.remove());

describe("plec check", () => {
  it("is silent about a good file but for a line that says so", async () => {
    expect(await runCli(["check", folder.path("good.ple")])).toEqual({ code: 0, stdout: "1 file: no findings\n", stderr: "" });
  });

  it("prints an error with its place and exits with 1", async () => {
    const { code, stdout } = await runCli(["check", folder.path("error.ple")]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/error\.ple:\d+:\d+/);
    expect(stdout).toMatch(/1 file: 1 error\n$/);
    expect(stdout).not.toContain("\u001b[");
  });

  it.each([
    ["a terminal", { terminal: true }, true],
    ["no terminal", {}, false],
    ["NO_COLOR on a terminal", { terminal: true, env: { NO_COLOR: "1" } }, false],
    ["FORCE_COLOR without terminal", { env: { FORCE_COLOR: "1" } }, true],
    ["NO_COLOR beats FORCE_COLOR", { terminal: true, env: { NO_COLOR: "1", FORCE_COLOR: "1" } }, false],
    ["a dumb terminal", { terminal: true, env: { TERM: "dumb" } }, false],
  ])("colours: %s", async (_, options, coloured) => {
    const { stdout } = await runCli(["check", folder.path("error.ple")], options);
    expect(stdout.includes("\u001b[")).toBe(coloured);
  });

  it("gives JSON with ranges that point into the text", async () => {
    const { code, stdout } = await runCli(["check", "--json", folder.path("error.ple"), folder.path("good.ple")]);
    const report = JSON.parse(stdout);
    expect(code).toBe(1);
    expect(report).toMatchObject({
      version: 1,
      files: [folder.path("error.ple"), folder.path("good.ple")],
      errors: 1,
      warnings: 0,
      fixed: 0,
    });
    const [diagnostic] = report.diagnostics;
    expect(diagnostic).toMatchObject({ code: expect.stringMatching(/^\w+\/[\w-]+$/), severity: "error", file: folder.path("error.ple") });
    const { start, end } = diagnostic.range;
    const line = withError.split("\n")[start.line - 1] ?? "";
    expect(withError.slice(start.offset, end.offset)).toBe(line.slice(start.column - 1, end.column - 1));
    expect(line).toContain("wrong");
  });

  it.each(["check", "lint"])("%s names the file that it cannot read, for machines too", async (command) => {
    const file = folder.path("bytes.ple");
    writeFileSync(file, new Uint8Array([0x6d, 0xff, 0xfe]));
    const { code, stdout } = await runCli([command, "--json", file]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout).diagnostics).toMatchObject([{ code: "import/unreadable", file, range: { start: { line: 1, column: 1 } } }]);
    const { stdout: sarif } = await runCli([command, "--sarif", "-", file]);
    expect(JSON.parse(sarif).runs[0].results[0].locations).toHaveLength(1);
  });

  it("reads a device without an end no further than a spec may reach", async () => {
    const { code, stdout } = await runCli(["check", "/dev/zero"]);
    expect(code).toBe(1);
    expect(stdout).toContain("cannot read `/dev/zero`: it is larger than 4 MB");
  });

  it("lets warnings pass unless told otherwise", async () => {
    expect((await runCli(["check", folder.path("warning.ple")])).code).toBe(0);
    expect((await runCli(["check", folder.path("warning.ple"), "--max-warnings", "1"])).code).toBe(0);
    const { code, stderr } = await runCli(["check", folder.path("warning.ple"), "--max-warnings", "0"]);
    expect(code).toBe(1);
    expect(stderr).toBe("plec: 1 warning, with 0 allowed\n");
  });

  it("checks the specs below a folder, in order of name", async () => {
    const sub = temporaryFolder({ "b.ple": good, "a.ple": good, "notes.txt": "" });
    mkdirSync(sub.path(".hidden"));
    writeFileSync(sub.path(".hidden/c.ple"), withError);
    const { code, stdout } = await runCli(["check", sub.path(""), "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).files).toEqual([sub.path("a.ple"), sub.path("b.ple")]);
    sub.remove();
  });

  it("--fix applies safe fixes and leaves the rest of the file alone", async () => {
    const file = folder.path("fix.ple");
    writeFileSync(file, withUnusedImport);
    const { code, stdout } = await runCli(["check", "--fix", file]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "1 file: no findings; 1 fixed\n" });
    expect(readFileSync(file, "utf8")).toBe(good);
  });
});

describe("plec check --sarif", () => {
  it("has what SARIF 2.1.0 requires", async () => {
    const { code, stdout } = await runCli([
      "check",
      "--sarif",
      "-",
      folder.path("error.ple"),
      folder.path("warning.ple"),
      folder.path("syntax.ple"),
    ]);
    expect(code).toBe(1);
    const log = JSON.parse(stdout);
    expect(log.version).toBe("2.1.0");
    expect(log.$schema).toContain("sarif-2.1.0");
    const [run] = log.runs;
    expect(run.tool.driver.name).toBe("plec");
    expect(run.results.length).toBeGreaterThanOrEqual(3);
    for (const result of run.results) {
      expect(result.message.text).not.toBe("");
      expect(["error", "warning"]).toContain(result.level);
      expect(run.tool.driver.rules[result.ruleIndex].id).toBe(result.ruleId);
      const { artifactLocation, region } = result.locations[0].physicalLocation;
      expect(new URL(artifactLocation.uri, "file:///").protocol).toBe("file:");
      for (const key of ["startLine", "startColumn", "endLine", "endColumn"]) expect(region[key]).toBeGreaterThanOrEqual(1);
    }
    for (const rule of run.tool.driver.rules) {
      expect(rule.shortDescription.text).not.toBe("{message}");
      expect(rule).toMatchObject({
        shortDescription: { text: expect.any(String) },
        fullDescription: { text: expect.any(String) },
        help: { text: expect.any(String) },
      });
    }
    const fix = run.results.flatMap((result: { fixes?: unknown[] }) => result.fixes ?? [])[0];
    expect(fix).toMatchObject({
      description: { text: expect.any(String) },
      artifactChanges: [{ replacements: [{ deletedRegion: expect.any(Object) }] }],
    });
  });

  it("goes to a file beside the usual text", async () => {
    const { stdout } = await runCli(["check", "--sarif", folder.path("log.sarif"), folder.path("good.ple")]);
    expect(stdout).toBe("1 file: no findings\n");
    expect(JSON.parse(readFileSync(folder.path("log.sarif"), "utf8")).runs[0].results).toEqual([]);
  });
});
