import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { allCodes, lintable, lintPage } from "../../cli/codes.ts";
import { configName, readConfig } from "../../compiler/check/lint/engine/config.ts";
import { lintRules } from "../../compiler/check/lint/engine/table.ts";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";
import { lint } from "./expect.ts";

const codes = [...allCodes().keys()].filter(lintable);
const nameOf = (code: string) => lintPage(code).slice("docs/lint/".length, -".md".length);
const index = readFileSync("docs/lint/README.md", "utf8");

describe.each(codes)("the page of %s", (code) => {
  const page = readFileSync(lintPage(code), "utf8");
  const example = (title: string) => new RegExp(`^## ${title}\n\n\`\`\`ple\n([\\s\\S]*?)^\`\`\`$`, "m").exec(page)?.[1] ?? "";
  const found = (source: string) => lint(source).map((diagnostic) => diagnostic.code);

  test("says what and why", () => {
    expect(page).toMatch(new RegExp(`^# ${code}\n\n[^\n]{20,}\n\n\\*\\*Why\\.\\*\\* [^\n]{20,}\n`));
    expect(index).toContain(`](${nameOf(code)}.md)`);
  });

  test("has a wrong example that gets the finding", () => expect(found(example("Wrong"))).toContain(code));
  test("has a right example that gets none at all", () => expect(found(example("Right"))).toEqual([]));

  test("lists the options with their defaults", () => {
    const rows = [...page.matchAll(/^\| `(\w+)` \| ([\d.]+) \|/gm)].map(([, name, value]) => [name, Number(value)]);
    const options = lintRules.get(code)?.options ?? {};
    expect(rows).toEqual(Object.entries(options).map(([name, option]) => [name, option.default]));
  });

  test("plec explain knows it", async () => {
    const { code: exit, stdout } = await runCli(["explain", code]);
    expect(exit).toBe(0);
    expect(stdout).toContain(allCodes().get(code)?.why);
    expect(stdout).toContain(lintPage(code));
  });
});

test("a rule is one file, registered, with one test and one page", () => {
  const names = (folder: string, extension: string) =>
    readdirSync(folder).flatMap((name) => (name.endsWith(extension) && name !== "README.md" ? [name.slice(0, -extension.length)] : []));
  const rules = names("compiler/check/lint", ".ts");
  expect([...lintRules.keys()].map(nameOf).sort()).toEqual(rules.sort());
  for (const rule of rules) expect(existsSync(`test/lint/${rule}.test.ts`), `test/lint/${rule}.test.ts`).toBe(true);
  expect(names("docs/lint", ".md").sort()).toEqual(codes.map(nameOf).sort());
});

test("the configuration of the index is one", () => {
  const text = /^```yaml\n([\s\S]*?)^```$/m.exec(index)?.[1] ?? "";
  const folder = temporaryFolder({ [configName]: text });
  const config = readConfig(folder.path(configName));
  folder.remove();
  expect(config.diagnostics).toEqual([]);
  expect(config.severities.size).toBeGreaterThan(2);
});
