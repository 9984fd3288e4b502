import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, describe, expect, it } from "vitest";
import { main } from "../../cli/main.ts";
import { architectureNames, describeArchitecture } from "../../cli/project/architectures.ts";
import { developmentVersions } from "../../cli/project/files.ts";
import { checkFile } from "../../compiler/driver.ts";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { Source } from "../../dsl/source.ts";
import { readMapping } from "../../runtime/data/read-mapping.ts";
import { makeConsumer } from "../api/consumer.ts";
import { modelOf } from "../specs/checked-specs.ts";
import { runCli, temporaryFolder } from "./run-cli.ts";

const folder = temporaryFolder();
const consumer = makeConsumer();
afterAll(() => {
  folder.remove();
  consumer.remove();
});

const projectFiles = [
  "model.ple",
  "data.yaml",
  "src/model.ts",
  "test/model.test.ts",
  "package.json",
  "tsconfig.json",
  ".github/workflows/ci.yml",
  ".npmrc",
  ".gitignore",
  "README.md",
];

it("offers every spec that comes with plec, with what it is", () => {
  expect(architectureNames()).toEqual(
    readdirSync("specs")
      .filter((name) => name.endsWith(".ple"))
      .map((name) => name.replace(".ple", ""))
      .sort(),
  );
  for (const name of architectureNames()) expect(describeArchitecture(name)).toMatch(/^[A-Z].{10,300}\.$/);
});

it("asks for the versions that plec itself is built with", () => {
  const { devDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
  expect(devDependencies).toMatchObject(developmentVersions);
});

describe.each(architectureNames())("a project from %s", (architecture) => {
  const at = consumer.path(architecture);
  const plec = async (...argv: readonly string[]) => {
    const result = await runCli(argv);
    expect({ argv, code: result.code, stderr: result.stderr }).toEqual({ argv, code: 0, stderr: "" });
    return result.stdout;
  };

  it("is complete, checks, is formatted, compiles and runs", { timeout: 120_000 }, async () => {
    const made = JSON.parse(await plec("init", at, "--architecture", architecture, "--name", "churn-model", "--json"));
    expect(made).toEqual({ version: 1, folder: at, name: "churn-model", architecture, model: "ChurnModel", files: projectFiles });
    for (const file of projectFiles) expect(existsSync(join(at, file))).toBe(true);
    const model = join(at, "model.ple");
    await plec("check", model, "--max-warnings", "0");
    await plec("fmt", "--check", model);
    await plec("types", model, "-o", join(at, "src/model.ts"), "--check");
    await plec("compile", model, "-o", join(at, "model.onnx"));
    const { predictions } = JSON.parse(await plec("run", join(at, "model.onnx"), "--generate", "2", "--json"));
    expect(Object.keys(predictions)).toEqual(
      modelOf(checkFile(model))
        .tasks.filter((task) => task.enabled)
        .map((task) => task.name),
    );
  });

  it("maps every input and every label in the form that training reads", () => {
    const model = modelOf(checkFile(join(at, "model.ple")));
    const path = join(at, "data.yaml");
    const diagnostics: Diagnostic[] = [];
    const mapping = readMapping(new Source(path, readFileSync(path, "utf8")), diagnostics);
    expect(diagnostics).toEqual([]);
    expect(mapping?.source).toMatchObject({ kind: "files", patterns: ["data/train.parquet"] });
    const masks = mapping?.inputs.flatMap(({ mask }) => mask ?? []);
    expect([...(mapping?.inputs.map(({ target }) => target) ?? []), ...(masks ?? [])].sort()).toEqual(
      model.inputs.map(({ name }) => name).sort(),
    );
    expect(mapping?.labels.map(({ target }) => target)).toEqual(
      model.tasks.filter((task) => task.enabled && task.loss !== null).map((task) => task.name),
    );
    for (const { target, from, categories } of mapping?.inputs ?? []) {
      const input = model.inputs.find(({ name }) => name === target);
      if (from.kind === "columns") expect(from.names).toHaveLength(Number(input?.shape[1]));
      expect(categories).toEqual(input?.vocabulary === null ? null : { kind: "ids" });
    }
  });

  it("names no command and no script that does not exist", async () => {
    const { stdout } = await runCli(["--help"]);
    const known = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name);
    const { scripts } = JSON.parse(readFileSync(join(at, "package.json"), "utf8"));
    for (const file of projectFiles) {
      const text = readFileSync(join(at, file), "utf8");
      for (const [, name] of text.matchAll(/\bplec ([a-z]+) [^ ]*(?:model|--)/g)) expect(known).toContain(name);
      for (const [, name = ""] of text.matchAll(/\bnpm run ([a-z:]+)/g)) expect(Object.keys(scripts)).toContain(name);
    }
  });
});

it("makes up fewer rows where a row is long, so that a first training stays small", () => {
  const rowsOf = (architecture: string) =>
    /--rows (\d+)/.exec(JSON.parse(readFileSync(consumer.path(`${architecture}/package.json`), "utf8")).scripts.synth)?.[1];
  expect([rowsOf("mmoe"), rowsOf("ple_cluster_adatt")]).toEqual(["5000", "300"]);
});

it("a project trains on made-up rows", { timeout: 60_000 }, async () => {
  const at = (path: string) => consumer.path(join("mmoe", path));
  const made = await runCli(["synth", at("model.ple"), "--rows", "200", "-o", at("data/train.parquet")]);
  expect({ code: made.code, stderr: made.stderr }).toEqual({ code: 0, stderr: "" });
  const trained = await runCli(["train", at("model.ple"), "--data", at("data.yaml"), "--out", at("runs/1"), "--epochs", "1"]);
  expect({ code: trained.code, stderr: trained.stderr }).toEqual({ code: 0, stderr: "" });
  expect(trained.stdout).toContain("train 160, test 40");
});

it.each(["mmoe", "ple_cluster_adatt"])("the tests of a project from %s pass", { timeout: 120_000 }, (architecture) => {
  const cwd = consumer.path(architecture);
  const compiled = spawnSync(process.execPath, [resolve("node_modules/typescript/bin/tsc")], { cwd, encoding: "utf8" });
  expect({ status: compiled.status, stdout: compiled.stdout }).toEqual({ status: 0, stdout: "" });
  const tested = spawnSync(process.execPath, ["--test", "--test-reporter", "tap", "build/test/model.test.js"], { cwd, encoding: "utf8" });
  expect(tested.stdout).toMatch(/^# pass [1-9]/m);
  expect(tested.stdout).toMatch(/^# fail 0$/m);
  expect(tested.status).toBe(0);
});

it("the sources of every project compile", { timeout: 60_000 }, () => {
  const { compilerOptions } = JSON.parse(readFileSync(consumer.path("mmoe/tsconfig.json"), "utf8"));
  const include = architectureNames().flatMap((name) => [`${name}/src`, `${name}/test`]);
  consumer.write("tsconfig.json", JSON.stringify({ compilerOptions: { ...compilerOptions, noEmit: true }, include }));
  const compiler = resolve("node_modules/typescript/bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [compiler, "--listFilesOnly"], { cwd: consumer.path(""), encoding: "utf8" });
  expect(stdout.match(/model\.test\.ts$/gm)).toHaveLength(architectureNames().length);
  expect(status).toBe(0);
  const compiled = spawnSync(process.execPath, [compiler], { cwd: consumer.path(""), encoding: "utf8" });
  expect({ status: compiled.status, stdout: compiled.stdout }).toEqual({ status: 0, stdout: "" });
});

describe("plec init", () => {
  it("takes the name of the folder, and MMoE, with --yes", async () => {
    const { code, stdout } = await runCli(["init", folder.path("My_First Model 2"), "--yes"]);
    expect(code).toBe(0);
    expect(stdout).toContain("A mmoe model, MyFirstModel2. Next:\n");
    expect(JSON.parse(readFileSync(folder.path("My_First Model 2/package.json"), "utf8")).name).toBe("my-first-model-2");
  });

  it("may be called after a module that it imports", async () => {
    await runCli(["init", folder.path("tower"), "--yes"]);
    expect(modelOf(checkFile(folder.path("tower/model.ple"))).name).toBe("Tower");
  });

  it("overwrites nothing without --force, and what it writes with it", async () => {
    const at = folder.path("kept");
    mkdirSync(at);
    writeFileSync(join(at, "README.md"), "mine");
    writeFileSync(join(at, "notes.md"), "mine too");
    const { code, stdout, stderr } = await runCli(["init", at, "--yes"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(`${join(at, "README.md")} exists already; name another folder, or overwrite with --force`);
    expect(readdirSync(at).sort()).toEqual(["README.md", "notes.md"]);
    expect((await runCli(["init", at, "--yes", "--force"])).code).toBe(0);
    expect(readFileSync(join(at, "README.md"), "utf8")).toMatch(/^# kept\n/);
    expect(readFileSync(join(at, "notes.md"), "utf8")).toBe("mine too");
  });

  it("does not write through a file that is in the way of a folder", async () => {
    writeFileSync(folder.path("file"), "");
    const { code, stderr } = await runCli(["init", folder.path("file/project"), "--yes"]);
    expect(code).toBe(2);
    expect(stderr).toContain("cannot make");
  });

  it.each<readonly [readonly string[], string]>([
    [[], "name an architecture with --architecture, or accept mmoe with --yes; there are adatt_sp,"],
    [["--name", "Wrong Name", "--yes"], "--name Wrong Name: a name starts with a small letter"],
    [["--architecture", "mmo"], "Allowed choices are adatt_sp,"],
  ])("refuses %j", async (options, message) => {
    const { code, stdout, stderr } = await runCli(["init", folder.path("never"), ...options]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(message);
    expect(existsSync(folder.path("never"))).toBe(false);
  });
});

describe("at a terminal", () => {
  /** Runs plec with keys typed whenever a question has been shown. */
  async function converse(argv: readonly string[], keysByQuestion: readonly (readonly [question: string, ...keys: readonly string[]])[]) {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const pending = [...keysByQuestion];
    let shown = "";
    output.on("data", (data) => {
      shown += data;
      const [next] = pending;
      if (next === undefined || !shown.includes(next[0])) return;
      pending.shift();
      const [, ...keys] = next;
      // After the prompt has finished drawing: only then does it listen.
      setImmediate(() => {
        for (const key of keys) input.write(key);
      });
    });
    const collected = { stdout: "", stderr: "" };
    const stream = (name: "stdout" | "stderr") => ({
      write: (text: string) => {
        collected[name] += text;
      },
      isTerminal: true,
      columns: 100,
    });
    const code = await main(argv, {
      stdout: stream("stdout"),
      stderr: stream("stderr"),
      readStdin: async () => "",
      env: {},
      openTerminal: () => ({ input, output }),
    });
    return { code, shown, ...collected };
  }
  const enter = "\r";
  const down = "\u001b[B";

  it("asks for the architecture and the name", async () => {
    const at = folder.path("asked");
    const { code, shown } = await converse(
      ["init", at],
      [
        ["Which architecture?", down, enter],
        ["called?", "my-own", enter],
      ],
    );
    expect(code).toBe(0);
    expect(shown).toContain("MMoE: experts shared by all tasks");
    // One below mmoe.
    expect(readFileSync(join(at, "README.md"), "utf8")).toMatch(/^# my-own\n\nA pepnet model/);
  });

  it("suggests the folder's name, and does not ask what options say", async () => {
    const at = folder.path("suggested");
    const { code, shown } = await converse(["init", at, "-a", "ple"], [["called?", enter]]);
    expect(code).toBe(0);
    expect(shown).not.toContain("Which architecture?");
    expect(readFileSync(join(at, "README.md"), "utf8")).toMatch(/^# suggested\n\nA ple model/);
  });

  it("writes nothing after Ctrl-C", async () => {
    const at = folder.path("cancelled");
    const { code, stderr } = await converse(["init", at], [["Which architecture?", "\u0003"]]);
    expect({ code, stderr }).toEqual({ code: 130, stderr: "plec: cancelled; nothing was written\n" });
    expect(existsSync(at)).toBe(false);
  });
});
