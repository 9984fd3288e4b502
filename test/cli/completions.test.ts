import { spawnSync } from "node:child_process";
import { beforeAll, describe, expect, it } from "vitest";
import { allCodes } from "../../cli/codes.ts";
import { architectureNames } from "../../cli/project/architectures.ts";
import { runCli, temporaryFolder } from "./run-cli.ts";

const folder = temporaryFolder({ "a spec.ple": "", "weights.safetensors": "" });
const scripts: Record<"bash" | "zsh" | "fish", string> = { bash: "", zsh: "", fish: "" };
/** Commands by name with the options that their help shows: what completions are compared with. */
const commands = new Map<string, readonly string[]>();

const help = async (...argv: readonly string[]) => (await runCli([...argv, "--help"])).stdout;

beforeAll(async () => {
  for (const shell of ["bash", "zsh", "fish"] as const) {
    const { code, stdout, stderr } = await runCli(["completions", shell]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    scripts[shell] = stdout;
  }
  const [, list = ""] = (await help()).split("\nCommands:\n");
  for (const [, name = ""] of list.matchAll(/^ {2}([a-z]+)/gm)) {
    const options = name === "help" ? "" : ((await help(name)).split("\nOptions:\n")[1]?.split("\nExamples:")[0] ?? "");
    commands.set(
      name,
      [...options.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, option]) => option as string),
    );
  }
  expect([...commands.keys()]).toEqual(expect.arrayContaining(["check", "types", "init", "completions", "help"]));
});

/** What bash offers for the last of some words. */
function offered(...words: readonly string[]): readonly string[] {
  const program = `source <(cat <<'SCRIPT'\n${scripts.bash}SCRIPT\n)
cd "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _plec; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync("bash", ["-c", program, "bash", folder.path(""), "plec", ...words], { encoding: "utf8" });
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  return stdout.split("\n").filter((line) => line !== "");
}

describe("bash completes", () => {
  it("the commands", () => expect(offered("")).toEqual([...commands.keys()]));
  it("every option of every command, as its help has them", () => {
    for (const [name, options] of commands) expect({ name, options: offered(name, "--") }).toEqual({ name, options });
  });
  it.each<readonly [readonly string[], readonly string[]]>([
    [["ch"], ["check"]],
    [
      ["compile", "--target", ""],
      ["onnx", "tfjs"],
    ],
    [["compile", "model.ple", "--target", "t"], ["tfjs"]],
    [
      ["compile", "--target", "="],
      ["onnx", "tfjs"],
    ],
    [["compile", "--target", "=", "o"], ["onnx"]],
    [
      ["run", "m.ple", "--engine", ""],
      ["ort", "tfjs", "interpreter"],
    ],
    [
      ["run", "m.ple", "--backend", "w"],
      ["webgpu", "wasm"],
    ],
    [["run", "m.ple", "--seed", ""], []],
    [["run", "m.ple", "--weights", "w"], ["weights.safetensors"]],
    [["check", "a"], ["a spec.ple"]],
    [
      ["completions", ""],
      ["bash", "zsh", "fish"],
    ],
    [["help", "ex"], ["explain"]],
    [["explain", "dim/mism"], ["dim/mismatch"]],
    [["--v"], ["--version"]],
  ])("%j", (words, expected) => expect(offered(...words)).toEqual(expected));
  it("every code", () => expect(offered("explain", "")).toEqual([...allCodes().keys()]));
  it("every architecture", () => expect(offered("init", "-a", "")).toEqual(architectureNames()));
});

// Whether zsh and fish take the scripts and complete with them is for `npm run test:shells`, as few machines have all three.
describe("the scripts for zsh and fish", () => {
  it("begin as their shells expect", () => {
    expect(scripts.zsh).toMatch(/^#compdef plec\n/);
    expect(scripts.fish).toContain("\ncomplete -c plec -f\n");
  });
  it("have every command and every option", () => {
    for (const [name, options] of commands) {
      const zshCase = new RegExp(`^ +${name}\\) _arguments [\\s\\S]*?;;$`, "m").exec(scripts.zsh)?.[0] ?? "";
      const fishLines = scripts.fish.split("\n").filter((line) => line.includes(`'__fish_seen_subcommand_from ${name}'`));
      expect(scripts.zsh).toContain(`\n    '${name}:`);
      expect(scripts.fish).toContain(`\ncomplete -c plec -n __fish_use_subcommand -a ${name} `);
      for (const option of options) {
        expect(zshCase).toMatch(new RegExp(`[,')]${option}[}']`));
        expect(fishLines.some((line) => line.includes(` -l ${option.slice(2)} `))).toBe(true);
      }
    }
  });
});
