import { describe, expect, it } from "vitest";
import { reportBug } from "../../cli/main.ts";
import { runCli } from "./run-cli.ts";

const commands =
  "check lint fmt compile run train eval predict report compare synth summary ir diff import types init explain completions".split(" ");

describe("help", () => {
  it("lists every command", async () => {
    const { code, stdout, stderr } = await runCli(["--help"]);
    expect(code).toBe(0);
    expect(stderr).toBe("");
    for (const command of commands) expect(stdout).toContain(`\n  ${command} `);
  });

  it.each(commands)("of %s teaches by example", async (command) => {
    for (const argv of [
      [command, "--help"],
      ["help", command],
    ]) {
      const { code, stdout, stderr } = await runCli(argv);
      expect(code).toBe(0);
      expect(stderr).toBe("");
      expect(stdout).toContain(`Usage: plec ${command}`);
      expect(stdout).toContain(`\nExamples:\n  $ plec ${command}`);
    }
  });

  it("prints the version", async () => {
    expect(await runCli(["--version"])).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: "" });
  });
});

describe("wrong use exits with 2, says why on standard error and prints nothing else", () => {
  it.each([
    [[], "Usage: plec"],
    [["chek"], "Did you mean check?"],
    [["check"], "missing required argument 'files'"],
    [["check", "--maxwarnings", "1", "x.ple"], "unknown option '--maxwarnings'"],
    [["check", "--max-warnings", "few", "x.ple"], "A whole number is expected."],
    [["check", "no-such-file.ple"], "cannot read no-such-file.ple: no such file or folder"],
    [["check", "test/runtime"], "there is no .ple file in test/runtime"],
    [["fmt"], "name files or folders to format, or --stdin"],
    [["fmt", "-", "x.ple"], "either files or standard input, not both"],
    [["compile", "x.ple"], "required option '-o, --output <path>' not specified"],
    [["compile", "no-such-file.ple", "-o", "x.onnx"], "cannot read no-such-file.ple"],
    [["compile", "specs", "-o", "x.onnx"], "specs is a folder"],
    [["run", "x.ple"], "name the rows with --input FILE, or make some up with --generate N"],
    [["run", "x.ple", "--generate", "0"], "--generate needs at least one row"],
    [["run", "specs/mmoe.ple", "--generate", "99999999999"], "--generate 99999999999: a batch of MMoE has up to 3,050,402 rows"],
    [["run", "x.ple", "--generate", "1", "--input", "x.csv"], "cannot be used with option"],
    [["run", "x.ple", "--generate", "1", "--engine", "gpu"], "Allowed choices are ort, tfjs, interpreter."],
    [["run", "x.onnx", "--generate", "1", "--engine", "interpreter"], "the interpreter runs specs, not compiled models"],
    [["run", "package.json", "--generate", "1", "--model", "A", "--weights", "w", "--seed", "1"], "cannot be used with option"],
    [["types", "no-such-file.ple"], "cannot read no-such-file.ple"],
    [["types", "specs"], "specs is a folder; name a .ple file"],
    [["completions"], "missing required argument 'shell'"],
    [["completions", "tcsh"], "Allowed choices are bash, zsh, fish."],
    [["explain", "dim/mismach"], "there is no diagnostic dim/mismach; did you mean dim/mismatch?"],
  ])("%j", async (argv, message) => {
    const { code, stdout, stderr } = await runCli(argv);
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });
});

it.each([
  ["an array longer than any may be", () => new Float64Array(2 ** 40)],
  ["a list longer than any may be", () => new Array(2 ** 33)],
  ["a text longer than any may be", () => "a".repeat(2 ** 30)],
])("%s is said to be too much memory, not a bug", (_, make) => {
  let stderr = "";
  const write = (text: string): void => {
    stderr += text;
  };
  const stream = { write, isTerminal: false, columns: null };
  const io = { stdout: stream, stderr: stream, readStdin: async () => "", env: {} };
  try {
    make();
  } catch (error) {
    expect(reportBug(error, io)).toBe(1);
  }
  expect(stderr).toMatch(/^plec: this takes more memory than there is: Invalid .+\n$/);
});
