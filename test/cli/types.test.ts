import { spawn } from "node:child_process";
import { existsSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { runCli, temporaryFolder } from "./run-cli.ts";
import { good, twoModels, withError } from "./specs.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const spec = folder.path("model.ple");
const output = folder.path("model.ts");
const types = (...options: readonly string[]) => runCli(["types", spec, ...options]);

beforeEach(() => {
  writeFileSync(folder.path("package.json"), "{}");
  writeFileSync(spec, good);
});

describe("plec types", () => {
  it("prints without -o", async () => {
    const { code, stdout, stderr } = await types();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain('export type Task = "ctr" | "stage";\n');
    expect(stdout).toContain("  readonly more?: Vector | null | undefined;\n");
  });

  it("prints with -o -", async () => {
    writeFileSync(spec, good);
    expect(await types("-o", "-")).toEqual(await types());
    expect(existsSync("-")).toBe(false);
  });

  it("writes the file, and does not touch it when the spec is unchanged", async () => {
    expect(await types("-o", output)).toEqual({ code: 0, stdout: `${output}: written\n`, stderr: "" });
    expect(readFileSync(output, "utf8")).toBe((await types()).stdout);
    const long = new Date(2001, 1, 1);
    utimesSync(output, long, long);
    expect(await types("-o", output)).toEqual({ code: 0, stdout: `${output}: up to date\n`, stderr: "" });
    expect(statSync(output).mtimeMs).toBe(long.getTime());
  });

  it("checks without writing", async () => {
    const missing = folder.path("missing.ts");
    expect(await types("-o", missing, "--check")).toEqual({
      code: 1,
      stdout: `${missing}: missing; write it with \`plec types ${spec} -o ${missing}\`\n`,
      stderr: "",
    });
    expect(statSync(missing, { throwIfNoEntry: false })).toBeUndefined();
    await types("-o", output);
    expect((await types("-o", output, "--check")).code).toBe(0);
    // As a checkout on Windows has it.
    writeFileSync(output, readFileSync(output, "utf8").replaceAll("\n", "\r\n"));
    expect((await types("-o", output, "--check")).code).toBe(0);
    writeFileSync(spec, good.replace("task ctr", "task click"));
    const before = readFileSync(output, "utf8");
    const { code, stdout } = await types("-o", output, "--check");
    expect(code).toBe(1);
    expect(stdout).toContain(`${output}: out of date; write it with`);
    expect(readFileSync(output, "utf8")).toBe(before);
  });

  it("says as JSON what it did", async () => {
    writeFileSync(output, "");
    const written = JSON.parse((await types("-o", output, "--json")).stdout);
    expect(written).toEqual({
      version: 1,
      spec,
      output,
      model: "Small",
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      outcome: "written",
    });
    expect(JSON.parse((await types("-o", output, "--json")).stdout).outcome).toBe("unchanged");
    writeFileSync(output, "");
    expect(JSON.parse((await types("-o", output, "--json", "--check")).stdout).outcome).toBe("outdated");
  });

  it("leaves the file as it is when the spec has errors", async () => {
    await types("-o", output);
    const before = readFileSync(output, "utf8");
    writeFileSync(spec, withError);
    const { code, stdout, stderr } = await types("-o", output);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("error dim/mismatch");
    expect(readFileSync(output, "utf8")).toBe(before);
  });

  it.each<readonly [string, string, readonly string[], number, string]>([
    ["several models", twoModels, [], 2, "has 2 models; choose one with --model: Small, Other"],
    ["a model that is not there", good, ["--model", "Big"], 2, "has no model Big; it has Small"],
    ["--check without a file", good, ["--check"], 2, "--check needs the file: name it with -o FILE"],
    ["--watch without a file", good, ["--watch"], 2, "--watch needs the file: name it with -o FILE"],
    ["--json and -o -", good, ["--json", "-o", "-"], 2, "--json needs the file: name it with -o FILE"],
    ["--json without a file", good, ["--json"], 2, "--json needs the file: name it with -o FILE"],
    ["--check and --watch", good, ["--check", "--watch"], 2, "cannot be used with option"],
  ])("refuses %s", async (_, text, options, code, message) => {
    writeFileSync(spec, text);
    const result = await types(...options);
    expect(result).toMatchObject({ code, stdout: "" });
    expect(result.stderr).toContain(message);
  });
});

describe("plec types --watch", () => {
  beforeAll(() => runCli(["--version"]));

  /** A watching plec, its lines of JSON one by one. */
  function watch() {
    const argv = [resolve("bin/plec.cjs"), "types", "model.ple", "-o", "model.ts", "--watch", "--json"];
    const child = spawn(process.execPath, argv, { cwd: folder.path("") });
    const lines: string[] = [];
    let stderr = "";
    let arrived = () => {};
    let rest = "";
    child.stdout.on("data", (data) => {
      const parts = (rest + data).split("\n");
      rest = parts.pop() ?? "";
      lines.push(...parts);
      arrived();
    });
    child.stderr.on("data", (data) => {
      stderr += data;
    });
    const closed = new Promise<number | null>((done) => child.once("close", done));
    const next = async (): Promise<{ readonly outcome: string; readonly message?: string }> => {
      while (lines.length === 0) {
        const line = new Promise<void>((done) => {
          arrived = done;
        });
        const early = await Promise.race([line, closed.then((code) => `plec ended with ${code}\n${stderr}`)]);
        if (typeof early === "string") throw new Error(early);
      }
      return JSON.parse(lines.shift() as string);
    };
    return { child, next, closed, stderr: () => stderr };
  }

  it("follows the spec and its imports through errors, until Ctrl-C", { timeout: 60_000 }, async () => {
    const importing = good.replace(
      'import { bce, nll } from "std/losses"',
      'import { bce, nll } from "std/losses"\nimport { size } from "./sizes"',
    );
    const read = () => readFileSync(output, "utf8");
    writeFileSync(output, "");
    const { child, next, closed, stderr } = watch();
    try {
      expect(await next()).toMatchObject({ outcome: "written" });
      writeFileSync(spec, good.replace("task ctr", "task click"));
      expect(await next()).toMatchObject({ outcome: "written" });
      expect(read()).toContain('export type Task = "click" | "stage";');
      // An import that is not there yet, then is, then changes.
      writeFileSync(spec, importing.replace("classes(3)", "classes(size)"));
      expect(await next()).toEqual({
        version: 1,
        spec: "model.ple",
        output: "model.ts",
        outcome: "failed",
        message: expect.stringContaining("error"),
      });
      expect(stderr()).toContain("import/not-found");
      writeFileSync(folder.path("sizes.ple"), "const size = 5\n");
      expect(await next()).toMatchObject({ outcome: "written" });
      expect(read()).toContain("width: 5");
      writeFileSync(folder.path("sizes.ple"), "const size = 6\n");
      expect(await next()).toMatchObject({ outcome: "written" });
      expect(read()).toContain("width: 6");
      writeFileSync(spec, good);
      expect(await next()).toMatchObject({ outcome: "written" });
    } finally {
      child.kill("SIGINT");
    }
    expect(await closed).toBe(0);
  });
});
