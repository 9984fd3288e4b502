import { readFileSync, statSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { runCli, temporaryFolder } from "./run-cli.ts";
import { good, withSyntaxError } from "./specs.ts";

const untidy = good.replace("  input cluster: id[B] of 3", "      input   cluster :id[ B ]   of 3");
const folder = temporaryFolder({ "good.ple": good, "untidy.ple": untidy, "broken.ple": withSyntaxError });
afterAll(() => folder.remove());

describe("plec fmt", () => {
  it("leaves a formatted file untouched", async () => {
    const before = statSync(folder.path("good.ple")).mtimeMs;
    expect(await runCli(["fmt", folder.path("good.ple")])).toEqual({ code: 0, stdout: "1 file: 0 formatted\n", stderr: "" });
    expect(statSync(folder.path("good.ple")).mtimeMs).toBe(before);
  });

  it("--check lists what is not formatted and changes nothing", async () => {
    const { code, stdout } = await runCli(["fmt", "--check", folder.path("good.ple"), folder.path("untidy.ple")]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: `not formatted: ${folder.path("untidy.ple")}\n2 files: 1 not formatted\n` });
    expect(readFileSync(folder.path("untidy.ple"), "utf8")).toBe(untidy);
  });

  it("formats in place", async () => {
    const file = folder.path("again.ple");
    writeFileSync(file, untidy);
    expect(await runCli(["fmt", file])).toEqual({ code: 0, stdout: `formatted ${file}\n1 file: 1 formatted\n`, stderr: "" });
    expect(readFileSync(file, "utf8")).toBe(good);
  });

  it.each([[["--stdin"]], [["-"]]])("formats standard input: %j", async (argv) => {
    expect(await runCli(["fmt", ...argv], { stdin: untidy })).toEqual({ code: 0, stdout: good, stderr: "" });
  });

  it("leaves what is not UTF-8 as it is, byte for byte", async () => {
    const file = folder.path("latin.ple");
    const bytes = Buffer.from(`// caf\u00e9\n${untidy}`, "latin1");
    writeFileSync(file, bytes);
    const { code, stdout, stderr } = await runCli(["fmt", file, folder.path("good.ple")]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "2 files: 0 formatted, 1 with errors left as they are\n" });
    expect(stderr).toBe(`${file}:1:1 error import/unreadable: cannot read \`${file}\`: it is not UTF-8 text\n`);
    expect(readFileSync(file)).toEqual(bytes);
  });

  it("refuses a broken file", async () => {
    const { code, stdout, stderr } = await runCli(["fmt", folder.path("broken.ple")]);
    expect(code).toBe(1);
    expect(stdout).toBe("1 file: 0 formatted, 1 with errors left as they are\n");
    expect(stderr).toContain("broken.ple:");
    expect(readFileSync(folder.path("broken.ple"), "utf8")).toBe(withSyntaxError);
    const piped = await runCli(["fmt", "--stdin"], { stdin: withSyntaxError });
    expect(piped).toMatchObject({ code: 1, stdout: "" });
  });
});
