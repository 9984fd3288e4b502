import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { runCli, temporaryFolder } from "./run-cli.ts";
import { good, twoModels, withError } from "./specs.ts";

const wider = good.replace("[8]", "[12]");
const folder = temporaryFolder({
  "a.ple": good,
  "same.ple": good.replace("let joined", "// why\n  let joined"),
  "wider.ple": wider,
  "breaking.ple": good.replace("input more: f32[B, 2]?", "input more: f32[B, 2]"),
  "error.ple": withError,
  "two.ple": twoModels,
});
afterAll(() => folder.remove());
const diff = (a: string, b: string, ...options: readonly string[]) => runCli(["diff", folder.path(a), folder.path(b), ...options]);

describe("plec diff", () => {
  it("exits 0 without changes and 1 with some", async () => {
    expect(await diff("a.ple", "same.ple")).toMatchObject({ code: 0, stdout: expect.stringContaining("no change; weights load") });
    const { code, stdout } = await diff("a.ple", "wider.ple");
    expect(code).toBe(1);
    for (const text of [
      "~ shared.dense_0  [B, 8] → [B, 12]",
      "do not load as they are",
      "its shape is another",
      "none of which breaks callers",
    ])
      expect(stdout).toContain(text);
  });

  it("with --breaking fails only for what breaks callers, and shows everything", async () => {
    expect((await diff("a.ple", "wider.ple", "--breaking")).code).toBe(0);
    const { code, stdout } = await diff("a.ple", "breaking.ple", "--breaking");
    expect(code).toBe(1);
    expect(stdout).toContain("~ more  f32[B, 2]? → f32[B, 2]  breaks callers: it is required now");
    expect(stdout).toContain("1 change, 1 of which breaks callers");
    expect((await diff("breaking.ple", "a.ple", "--breaking")).code).toBe(0);
  });

  it("prints JSON", async () => {
    const { code, stdout } = await diff("a.ple", "wider.ple", "--json");
    const report = JSON.parse(stdout);
    expect({ code, ...report }).toMatchObject({ code: 1, version: 1, equal: false, breaking: false, weights: { loads: false } });
    expect(report.changes.every((change: object) => "area" in change && "kind" in change && "breaking" in change)).toBe(true);
    expect(report.weights.tensors.filter((tensor: { status: string }) => tensor.status === "shape").length).toBeGreaterThan(0);
    expect(JSON.parse((await diff("a.ple", "same.ple", "--json")).stdout)).toMatchObject({ equal: true, changes: [] });
  });

  it("colours on terminals alone", async () => {
    const paint = String.fromCharCode(27);
    expect((await diff("a.ple", "wider.ple")).stdout).not.toContain(paint);
    const { stdout } = await runCli(["diff", folder.path("a.ple"), folder.path("wider.ple")], { terminal: true });
    expect(stdout).toContain(paint);
  });

  it("exits 2 with the findings of a spec that does not check", async () => {
    const { code, stdout, stderr } = await diff("a.ple", "error.ple");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("dim/mismatch");
  });

  it("says which model is meant where there are several", async () => {
    expect(await diff("a.ple", "two.ple")).toMatchObject({ code: 2, stderr: expect.stringContaining("--model") });
    expect((await diff("two.ple", "two.ple", "--model", "Small")).code).toBe(0);
    expect((await diff("a.ple", "none.ple")).stderr).toContain("cannot read");
  });
});

describe("plec diff with a revision", () => {
  const repository = temporaryFolder();
  afterAll(() => repository.remove());
  const run = (...args: readonly string[]) => {
    const done = spawnSync("git", ["-c", "user.name=a", "-c", "user.email=a@b.c", ...args], {
      cwd: repository.path("."),
      encoding: "utf8",
    });
    if (done.status !== 0) throw new Error(done.stderr);
  };
  const plec = (...args: readonly string[]) =>
    spawnSync(process.execPath, [resolve("bin/plec.cjs"), "diff", ...args], { cwd: repository.path("specs"), encoding: "utf8" });

  it("takes the imports and schemas of the revision as well", { timeout: 60_000 }, () => {
    mkdirSync(repository.path("specs"));
    const spec = (width: number) =>
      `import { bce } from "std/losses"\nimport { Head } from "./head"\nmodel M {\n  input x: f32[B, ${width}] from "schema.yaml"\n  task a: binary { loss: bce }\n  flow per task { return Head(x) }\n}\n`;
    const write = (width: number, hidden: number) => {
      writeFileSync(repository.path("specs/m.ple"), spec(width));
      writeFileSync(
        repository.path("specs/head.ple"),
        `tower Head(x: f32[B, _]) -> f32[B, 1] {\n  return x |> linear(${hidden}) |> linear(1)\n}\n`,
      );
      writeFileSync(repository.path("specs/schema.yaml"), `x: { groups: [{ name: a, width: ${width} }] }\n`);
    };
    write(4, 8);
    run("init", "-q");
    run("add", ".");
    run("commit", "-qm", "first");
    expect(plec("HEAD:specs/m.ple", "m.ple")).toMatchObject({ status: 0, stderr: "" });
    write(5, 9);
    const { status, stdout, stderr } = plec("HEAD:./m.ple", "m.ple");
    expect({ status, stderr }).toEqual({ status: 1, stderr: "" });
    expect(stdout).toContain("f32[B, 4] → f32[B, 5]");
    expect(stdout).toContain("parameters  49 → 64");
    expect(plec("HEAD:m.ple", "m.ple")).toMatchObject({ status: 2, stderr: expect.stringContaining("HEAD:./m.ple") });
    expect(plec("nowhere:specs/m.ple", "m.ple")).toMatchObject({ status: 2, stderr: expect.stringContaining("nowhere") });
    expect(plec("--", "-x:specs/m.ple", "m.ple").status).toBe(2);
  });
});
