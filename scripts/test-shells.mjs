// Takes the completions into a real zsh and a real fish, and completes with them. bash is tested by `npm test`.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import "./ensure-installed.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "plec-shells-"));

function run(command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: folder, encoding: "utf8", timeout: 60_000 });
  if (error?.code === "ENOENT") throw new Error(`test:shells needs ${command}. On Debian: apt-get install -y zsh fish`);
  if (status !== 0) throw new Error(`${command} failed (${status ?? error?.message})\n${stdout}${stderr}`);
  return stdout;
}

function expectEqual(found, expected, what) {
  if (found !== expected) throw new Error(`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`);
  console.log(`ok ${what}`);
}

/** What zsh makes of a line after the Tab key, in a terminal of its own. */
function zshLine(script, line, expected) {
  return `zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source ${script}; plec() { :; }; echo rea''dy"
zpty -r shell out '*ready*'
zpty -w -n shell ${JSON.stringify(line)}$'\\t'
zpty -r shell out '*${expected}*'
print found`;
}

try {
  const completions = {};
  for (const shell of ["bash", "zsh", "fish"]) {
    completions[shell] = join(folder, `plec.${shell}`);
    writeFileSync(completions[shell], run(process.execPath, join(root, "bin/plec.cjs"), "completions", shell));
    run(shell, "-n", completions[shell]);
    console.log(`ok ${shell} takes the script`);
  }
  const fish = (line) =>
    run("fish", "-c", `source ${completions.fish}; complete -C "${line}"`).replaceAll(/\t.*/g, "").trim().split("\n").join(" ");
  expectEqual(fish("plec com"), "compare compile completions", "fish completes commands");
  expectEqual(fish("plec compile --target "), "onnx tfjs", "fish completes choices");
  expectEqual(fish("plec run --eng"), "--engine", "fish completes options");
  expectEqual(fish("plec explain dim/mism"), "dim/mismatch", "fish completes codes");
  expectEqual(fish("plec check plec.z"), "plec.zsh", "fish completes files");
  for (const [line, expected] of [
    ["plec compi", "compile"],
    ["plec compile --target t", "tfjs"],
    ["plec run --eng", "--engine"],
    ["plec explain dim/mism", "dim/mismatch"],
    ["plec check plec.z", "plec.zsh"],
  ]) {
    expectEqual(run("zsh", "-f", "-c", zshLine(completions.zsh, line, expected)).trim(), "found", `zsh completes ${line} to ${expected}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log("test:shells: passed");
