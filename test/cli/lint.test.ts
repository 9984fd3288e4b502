import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { runCli, temporaryFolder } from "./run-cli.ts";
import { good, withError, withUnusedImport } from "./specs.ts";

const groups = `import { bce } from "std/losses"

model M {
  input x: f32[B, 8]

  group g {}
  group h {}
  task a in g: binary { loss: bce }
  task b in g: binary { loss: bce }
  task c in h: binary { loss: bce }

  flow per task {
    return linear(x, task.width)
  }
}
`;

const folder = temporaryFolder({ "good.ple": good, "error.ple": withError, "groups.ple": groups });
afterAll(() => folder.remove());

/** A folder with a configuration of its own. */
function configured(name: string, config: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(folder.path(name));
  writeFileSync(`${folder.path(name)}/plec.config.yaml`, config);
  for (const [file, text] of Object.entries(files)) writeFileSync(`${folder.path(name)}/${file}`, text);
  return folder.path(name);
}

describe("plec lint", () => {
  it("is silent about a good file but for a line that says so", async () => {
    expect(await runCli(["lint", folder.path("good.ple")])).toEqual({ code: 0, stdout: "1 file: no findings\n", stderr: "" });
  });

  it("prints a finding with its source, and lets warnings pass unless told otherwise", async () => {
    const { code, stdout, stderr } = await runCli(["lint", folder.path("groups.ple")]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/groups\.ple:7:9 warning lint\/group-of-one: group `h` has one enabled task, `c`\n +7 │ {3}group h \{\}\n/);
    expect(stdout).toMatch(/1 file: 1 warning\n$/);
    const strict = await runCli(["lint", folder.path("groups.ple"), "--max-warnings", "0"]);
    expect({ code: strict.code, stderr: strict.stderr }).toEqual({ code: 1, stderr: "plec: 1 warning, with 0 allowed\n" });
  });

  it("shows errors of the checker, fails, and runs no rule on them", async () => {
    const { code, stdout } = await runCli(["lint", folder.path("error.ple"), "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ errors: 1, warnings: 0, infos: 0, diagnostics: [{ code: "dim/mismatch" }] });
  });

  it("gives the findings as check does: JSON and SARIF, with the rule explained", async () => {
    const { stdout } = await runCli(["lint", folder.path("groups.ple"), "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      version: 1,
      warnings: 1,
      fixed: 0,
      diagnostics: [{ code: "lint/group-of-one", severity: "warning", range: { start: { line: 7, column: 9 } } }],
    });
    const sarif = JSON.parse((await runCli(["lint", folder.path("groups.ple"), "--sarif", "-"])).stdout);
    expect(sarif.runs[0].tool.driver.rules).toMatchObject([{ id: "lint/group-of-one", help: { text: expect.stringContaining("group") } }]);
    expect(sarif.runs[0].results).toMatchObject([{ ruleId: "lint/group-of-one", level: "warning" }]);
  });

  it("--rule runs some rules only, named with or without their family", async () => {
    const codes = async (...rules: string[]) => {
      const flags = rules.flatMap((rule) => ["--rule", rule]);
      const { stdout } = await runCli(["lint", folder.path("groups.ple"), "--json", ...flags]);
      return JSON.parse(stdout).diagnostics.map(({ code }: { code: string }) => code);
    };
    expect(await codes("large-constant")).toEqual([]);
    expect(await codes("large-constant", "lint/group-of-one")).toEqual(["lint/group-of-one"]);
  });

  it("--list-rules lists them with severities and thresholds", async () => {
    const { code, stdout } = await runCli(["lint", "--list-rules"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^lint\/activated-logit +warning +reach: 4 /m);
    const rules = JSON.parse((await runCli(["lint", "--list-rules", "--json"])).stdout);
    expect(rules).toContainEqual(expect.objectContaining({ code: "lint/parameter-share", options: { ratio: 8, least: 10_000 } }));
  });

  it("--fix applies the safe fixes: comments that allow nothing, and what check repairs", async () => {
    const file = folder.path("fix.ple");
    writeFileSync(file, `// plec-allow group-of-one: there is no group\n${withUnusedImport}`);
    const { code, stdout } = await runCli(["lint", "--fix", file]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "1 file: no findings; 2 fixed\n" });
    expect(readFileSync(file, "utf8")).toBe(good);
  });

  it("--fix leaves what changes training to --unsafe", async () => {
    const file = folder.path("decay.ple");
    const text = groups.replace("  group g", "  param shift: f32[1, 8] = 0\n  group g").replace("linear(x,", "linear(x + shift[0],");
    writeFileSync(file, text);
    const rule = ["--rule", "decay-exempt"];
    expect((await runCli(["lint", "--fix", file, ...rule])).stdout).toContain("1 file: 1 warning\n");
    expect(readFileSync(file, "utf8")).toBe(text);
    expect((await runCli(["lint", "--fix", "--unsafe", file, ...rule])).stdout).toBe("1 file: no findings; 1 fixed\n");
    expect(readFileSync(file, "utf8")).toBe(text.replace("= 0\n", "= 0 { decay: false }\n"));
  });

  it("counts a comment in an import as used where a model that imports it has the finding", async () => {
    const shift = `module Shift(x: f32[B, n]) -> f32[B, n] {
  // plec-allow decay-exempt: the paper decays it
  param b: f32[1, n] = 0
  return x + b[0]
}
`;
    const model = groups
      .replace("model M", 'import { Shift } from "./shift"\nmodel M')
      .replace("linear(x,", "linear(Shift(x),")
      .replace("  group h {}\n", "")
      .replace("in h", "in g");
    const sub = configured("imports", "", { "shift.ple": shift, "model.ple": model });
    expect((await runCli(["lint", sub])).stdout).toBe("2 files: no findings\n");
    expect((await runCli(["lint", `${sub}/shift.ple`])).stdout).toContain("lint/unused-allow");
  });
});

describe("the configuration of plec lint", () => {
  it.each([
    ["error", 1, "1 file: 1 error\n"],
    ["warning", 0, "1 file: 1 warning\n"],
    ["info", 0, "1 file: 1 info\n"],
    ["off", 0, "1 file: no findings\n"],
  ])("sets the severity %s", async (severity, code, tail) => {
    const sub = configured(`severity-${severity}`, `lint:\n  rules:\n    group-of-one: ${severity}\n`, { "a.ple": groups });
    const result = await runCli(["lint", sub]);
    expect(result.code).toBe(code);
    expect(result.stdout.endsWith(tail)).toBe(true);
    expect((await runCli(["lint", sub, "--max-warnings", "0"])).code).toBe(severity === "warning" || severity === "error" ? 1 : 0);
  });

  it("an info is a note in SARIF", async () => {
    const sub = configured("sarif-info", "lint:\n  rules:\n    group-of-one: info\n", { "a.ple": groups });
    const sarif = JSON.parse((await runCli(["lint", sub, "--sarif", "-"])).stdout);
    expect(sarif.runs[0].results).toMatchObject([{ level: "note" }]);
  });

  it("leaves files out, and says how many", async () => {
    const sub = configured("paths", "lint:\n  exclude: ['old*']\n", { "a.ple": good, "old.ple": groups });
    expect(await runCli(["lint", sub])).toEqual({
      code: 0,
      stdout: "1 file: no findings\n",
      stderr: "plec: 1 file left out by the configuration\n",
    });
  });

  it("must be text, and one that ends", async () => {
    writeFileSync(folder.path("bytes.yaml"), new Uint8Array([0x61, 0xff]));
    for (const [config, reason] of [
      [folder.path("bytes.yaml"), "it is not UTF-8 text"],
      ["/dev/zero", "it is larger than 4 MB"],
    ] as const) {
      const { code, stderr } = await runCli(["lint", "specs/mmoe.ple", "--config", config]);
      expect({ code, stderr }).toEqual({ code: 2, stderr: `plec: cannot read ${config}: ${reason}\n` });
    }
  });

  it("shows its own mistakes in its own text, and lints nothing then", async () => {
    const sub = configured("wrong", "lint:\n  rules:\n    group-of-on: off\n", { "a.ple": groups });
    const { code, stdout } = await runCli(["lint", sub]);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /plec\.config\.yaml:3:5 error config\/unknown-rule: there is no rule `group-of-on`\n +3 │ {5}group-of-on: off\n/,
    );
    expect(stdout).toContain("help: did you mean `lint/group-of-one`?");
    expect(stdout).not.toContain("lint/group-of-one:");
  });

  it("--config takes another one", async () => {
    const sub = configured("given", "lint:\n  rules:\n    group-of-one: error\n", { "a.ple": groups });
    writeFileSync(folder.path("other.yaml"), "lint:\n  rules:\n    group-of-one: off\n");
    expect((await runCli(["lint", sub, "--config", folder.path("other.yaml")])).stdout).toBe("1 file: no findings\n");
  });
});

describe("wrong use of plec lint", () => {
  it.each([
    [["--rule", "group-of-on", "x.ple"], "there is no rule group-of-on; did you mean lint/group-of-one?"],
    [["--unsafe", "x.ple"], "--unsafe goes with --fix"],
    [["no-such-file.ple"], "cannot read no-such-file.ple: no such file or folder"],
    [["--config", "no-such.yaml", "specs/mmoe.ple"], "cannot read no-such.yaml"],
  ])("%j", async (argv, message) => {
    const { code, stdout, stderr } = await runCli(["lint", ...argv]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(message);
  });
});

it("the shipped specs have no findings", { timeout: 60_000 }, async () => {
  expect(await runCli(["lint", "specs"])).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+ files: no findings\n$/), stderr: "" });
});
