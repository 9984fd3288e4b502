import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../../cli/main.ts";
import { temporaryFolder } from "./run-cli.ts";
import { good, withError } from "./specs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const bin = `${root}bin/plec.cjs`;
const folder = temporaryFolder({ "good.ple": good, "error.ple": withError });
const spec = folder.path("good.ple");

function plec(...args: readonly string[]) {
  return spawnSync(process.execPath, [bin, ...args], { cwd: folder.path(""), encoding: "utf8" });
}

beforeAll(() => {
  const { status, stderr } = spawnSync(process.execPath, [`${root}scripts/build.mjs`], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
});
afterAll(() => folder.remove());

describe("the bundled command line", () => {
  it.each([
    [["check", "good.ple"], 0],
    [["check", "error.ple"], 1],
    [["check", "missing.ple"], 2],
    [["nonsense"], 2],
  ])("%j exits with %d and shows no stack", (args, code) => {
    const { status, stdout, stderr } = plec(...args);
    expect(status).toBe(code);
    expect(stdout + stderr).not.toMatch(/\n\s+at .+:\d+:\d+/);
  });

  it("compiles and runs", () => {
    expect(plec("compile", "good.ple", "-o", "good.onnx").stderr).toBe("");
    const { status, stdout, stderr } = plec("run", "good.onnx", "--generate", "2", "--json");
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(Object.keys(JSON.parse(stdout).predictions)).toEqual(["ctr", "stage"]);
  });

  it("formats standard input", () => {
    const { status, stdout } = spawnSync(process.execPath, [bin, "fmt", "-"], { input: good, encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 0, stdout: good });
  });

  it("is quiet when its reader leaves", async () => {
    const child = spawn(process.execPath, [bin, "ir", spec, "--raw"], { stdio: ["ignore", "pipe", "pipe"] });
    let stderr = "";
    child.stderr.on("data", (data) => {
      stderr += data;
    });
    child.stdout.destroy();
    const code = await new Promise((resolve) => child.once("close", resolve));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  it.each([
    ["a little", ["explain"]],
    ["a lot", ["ir", spec, "--raw"]],
  ])("says that it cannot print %s", (_, args) => {
    const full = openSync("/dev/full", "w");
    const { status, stderr } = spawnSync(process.execPath, [bin, ...args], { stdio: ["ignore", full, "pipe"], encoding: "utf8" });
    closeSync(full);
    expect({ status, stderr }).toEqual({ status: 2, stderr: "plec: cannot print: no space left on the device\n" });
  });

  it("prints all of a long text to a reader that begins late", () => {
    const long = `"${process.execPath}" "${bin}" ir "${join(root, "specs/ple_cluster_adatt.ple")}" --raw`;
    const lengthOf = (command: string) => Number(spawnSync("sh", ["-c", command], { encoding: "utf8" }).stdout);
    const written = lengthOf(`${long} | wc -c`);
    expect(written).toBeGreaterThan(200_000); // a pipe holds 64 kB
    expect(lengthOf(`${long} | (sleep 2; wc -c)`)).toBe(written);
  });

  it("waits for a reader of a pipe that another process has made not to wait", () => {
    // A stream of Node makes the pipe so for all who write to it.
    const other = `"${process.execPath}" -e 'process.stdout.write("x"); setTimeout(() => {}, 3000)'`;
    const long = `"${process.execPath}" "${bin}" ir "${join(root, "specs/ple_cluster_adatt.ple")}" --raw`;
    const written = Number(spawnSync("sh", ["-c", `${long} | wc -c`], { encoding: "utf8" }).stdout);
    const both = spawnSync("sh", ["-c", `(${other} & sleep 0.5; ${long}) | (sleep 2; wc -c)`], { encoding: "utf8" });
    expect({ stderr: both.stderr, length: Number(both.stdout) }).toEqual({ stderr: "", length: written + 1 });
  });

  /** Packages of those that should load lazily which a command has loaded by its end. */
  function heavyPackagesOf(args: readonly string[]): readonly string[] {
    const script = folder.path("tell-packages.cjs");
    writeFileSync(script, `process.on("exit", () => process._rawDebug(Object.keys(require.cache).join("\\n")));`);
    const { stderr } = spawnSync(process.execPath, ["--require", script, bin, ...args], { encoding: "utf8" });
    const packages = stderr.split("\n").map((path) => path.match(/node_modules.(onnx[^/\\]*|protobufjs|ts-morph)/)?.[1]);
    return [...new Set(packages.filter((name) => name !== undefined))].sort();
  }

  it.each([["check", spec], ["summary", spec], ["ir", spec], ["fmt", "--check", spec], ["explain"], ["completions", "bash"]])(
    "%s loads no heavy package",
    (...args) => {
      expect(heavyPackagesOf(args)).toEqual([]);
    },
  );

  it("loads them where they are needed", () => {
    expect(heavyPackagesOf(["run", spec, "--generate", "1"])).toEqual(
      expect.arrayContaining(["onnx-proto", "onnxruntime-node", "protobufjs"]),
    );
    expect(heavyPackagesOf(["types", spec])).toEqual(["ts-morph"]);
  });

  /** Modules of Node, of those that are required late, which a command has loaded by its end. */
  function lateModulesOf(...args: readonly string[]): readonly string[] {
    const script = folder.path("tell-modules.cjs");
    writeFileSync(script, `process.on("exit", () => process._rawDebug(process.moduleLoadList.join("\\n")));`);
    const { stderr } = spawnSync(process.execPath, ["--require", script, bin, ...args], { encoding: "utf8" });
    return ["child_process", "crypto", "fs/promises", "module"].filter((name) => stderr.split("\n").includes(`NativeModule ${name}`));
  }

  it("loads modules of Node where they are called", () => {
    expect(lateModulesOf("check", spec)).toEqual([]);
    expect(lateModulesOf("summary", spec)).toEqual(["crypto"]);
    expect(lateModulesOf("compile", spec, "-o", folder.path("late.onnx"))).toEqual(["crypto", "fs/promises"]);
  });
});

describe("code that V8 has compiled", () => {
  const installed = temporaryFolder();
  const dist = installed.path("dist");
  beforeAll(() => {
    for (const name of ["bin", "dist"]) mkdirSync(installed.path(name));
    for (const name of ["bin/plec.cjs", "dist/plec.cjs", "package.json"]) copyFileSync(join(root, name), installed.path(name));
    cpSync(join(root, "specs"), installed.path("specs"), { recursive: true });
    symlinkSync(join(root, "node_modules"), installed.path("node_modules"));
  });
  afterAll(() => installed.remove());

  it("checks the same without the library's trees, and with a part of them", () => {
    const check = () => spawnSync(process.execPath, [installed.path("bin/plec.cjs"), "check", spec], { encoding: "utf8" });
    const { status, stdout, stderr } = spawnSync(process.execPath, [bin, "check", spec], { encoding: "utf8" });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(check()).toMatchObject({ status, stdout, stderr });
    const trees = readFileSync(join(root, "dist/library.trees"), "latin1");
    writeFileSync(join(dist, "library.trees"), trees.slice(0, 100_000), "latin1");
    expect(check()).toMatchObject({ status, stdout, stderr });
    // That trees are read shows where one is of something else.
    writeFileSync(join(dist, "library.trees"), trees.replace('"WeightedSum"', '"WeightedSam"'), "latin1");
    expect(check().stdout).toContain("import/no-such-name: `std/gates` has no definition `WeightedSum`");
    for (const name of kept()) rmSync(join(dist, name));
  });

  const kept = () => readdirSync(dist).filter((name) => name.endsWith(".cache"));
  function explain(): string {
    const { stdout, stderr } = spawnSync(process.execPath, [installed.path("bin/plec.cjs"), "explain", "dim/mismatch"], {
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    return stdout;
  }

  it("is kept by the first run of a command, and once more by the second", () => {
    const said = explain();
    expect(said).toContain("dim/mismatch");
    expect(kept()).toEqual([expect.stringMatching(/\.explain\.first\.cache$/)]);
    const first = statSync(join(dist, kept()[0] as string)).size;
    expect(explain()).toBe(said);
    expect(kept()).toEqual([expect.stringMatching(/\d-\w+\.explain\.cache$/)]);
    const file = join(dist, kept()[0] as string);
    const { size, mtimeMs } = statSync(file);
    // What V8 writes of the same functions differs by a few bytes from run to run.
    expect(size).toBeGreaterThan(first / 2);
    expect(explain()).toBe(said);
    expect(statSync(file).mtimeMs).toBe(mtimeMs);
  });

  it.each([
    ["cut off", (data: Buffer) => data.subarray(0, data.length / 2)],
    ["empty", () => Buffer.alloc(0)],
    ["something else", () => Buffer.from("nothing that V8 has written")],
  ])("is made anew where it is %s", (_, spoil) => {
    const said = explain();
    const file = join(dist, kept()[0] as string);
    const whole = readFileSync(file);
    writeFileSync(file, spoil(whole));
    expect(explain()).toBe(said);
    expect(readFileSync(file).length).toBeGreaterThan(whole.length / 2);
  });
});

describe("a bug of plec", () => {
  it.each([
    [{}, "PLEC_DEBUG=1 shows where it happened."],
    [{ PLEC_DEBUG: "1" }, "    at "],
  ])("with environment %j", async (env, expected) => {
    let stderr = "";
    const broken = () => {
      throw new Error("boom");
    };
    const terminal = { isTerminal: false, columns: null };
    const code = await main(["check", spec], {
      stdout: { ...terminal, write: broken },
      stderr: {
        ...terminal,
        write: (text) => {
          stderr += text;
        },
      },
      readStdin: async () => "",
      env,
    });
    expect(code).toBe(70);
    expect(stderr).toContain("plec: internal error: boom\nThis is a bug in plec. Please report it");
    expect(stderr).toContain(expected);
    expect(stderr.includes("\n    at ")).toBe(expected.startsWith(" "));
  });
});
