import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { unfinishedWrites, writeFileAtomically } from "../../cli/atomic-write.ts";
import { CommandError } from "../../cli/io.ts";
import { temporaryFolder } from "./run-cli.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder({ "old.txt": "old" });
});
afterEach(() => folder.remove());

const entries = () => readdirSync(dirname(folder.path("x"))).sort();

describe("writeFileAtomically", () => {
  it("shows the old content until the new is complete", async () => {
    const seen: string[] = [];
    async function* chunks() {
      yield "new ";
      seen.push(readFileSync(folder.path("old.txt"), "utf8"), ...unfinishedWrites());
      yield new TextEncoder().encode("content");
    }
    await writeFileAtomically(folder.path("old.txt"), chunks());
    expect(seen).toEqual(["old", expect.stringContaining(".old.txt.")]);
    expect(readFileSync(folder.path("old.txt"), "utf8")).toBe("new content");
    expect(entries()).toEqual(["old.txt"]);
    expect(unfinishedWrites()).toEqual([]);
  });

  it("leaves everything as it was when the content cannot be made", async () => {
    async function* chunks() {
      yield "half";
      throw new Error("no more");
    }
    await expect(writeFileAtomically(folder.path("old.txt"), chunks())).rejects.toThrow("no more");
    expect(readFileSync(folder.path("old.txt"), "utf8")).toBe("old");
    expect(entries()).toEqual(["old.txt"]);
    expect(process.listenerCount("SIGINT")).toBe(0);
  });

  it("writes through symbolic links and keeps the mode", async () => {
    chmodSync(folder.path("old.txt"), 0o640);
    symlinkSync("old.txt", folder.path("link.txt"));
    await writeFileAtomically(folder.path("link.txt"), ["new"]);
    expect(lstatSync(folder.path("link.txt")).isSymbolicLink()).toBe(true);
    expect(readFileSync(folder.path("old.txt"), "utf8")).toBe("new");
    expect(statSync(folder.path("old.txt")).mode & 0o777).toBe(0o640);
  });

  it.each([
    ["missing/new.txt", "no such file or folder"],
    ["old.txt/new.txt", "a part of the path is not a folder"],
    ["folder", "it is a folder"],
  ])("says why %s cannot be written", async (name, reason) => {
    mkdirSync(folder.path("folder"));
    const path = folder.path(name);
    await expect(writeFileAtomically(path, ["new"])).rejects.toThrow(new CommandError(`cannot write ${path}: ${reason}`));
    expect(entries()).toEqual(["folder", "old.txt"]);
  });
});

describe("a process that is stopped while it writes", () => {
  const script = `
    import { writeFileAtomically } from ${JSON.stringify(new URL("../../cli/atomic-write.ts", import.meta.url).href)};
    async function* chunks() {
      yield "half";
      console.log("writing");
      await new Promise((resolve) => setTimeout(resolve, 20_000));
      yield "whole";
    }
    await writeFileAtomically(process.argv[2], chunks());
  `;

  it.each([
    ["SIGINT", 130, true],
    ["SIGTERM", 143, true],
    ["SIGKILL", null, false],
  ] as const)("%s", async (signal, expectedCode, cleans) => {
    writeFileSync(folder.path("script.mts"), script);
    const child = spawn(process.execPath, ["--import", "tsx", folder.path("script.mts"), folder.path("old.txt")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill(signal);
    expect(await exitOf(child)).toBe(expectedCode);
    expect(readFileSync(folder.path("old.txt"), "utf8")).toBe("old");
    if (cleans) expect(entries()).toEqual(["old.txt", "script.mts"]);
  });
});

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once("exit", resolve));
}
