import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { findConfig, readConfig } from "../../compiler/check/lint/engine/config.ts";
import { matchesGlob } from "../../compiler/check/lint/engine/globs.ts";
import { temporaryFolder } from "../cli/run-cli.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

function write(name: string, text: string): string {
  mkdirSync(dirname(folder.path(name)), { recursive: true });
  writeFileSync(folder.path(name), text);
  return folder.path(name);
}

const read = (text: string) => readConfig(write("plec.config.yaml", text));

describe("severities and thresholds", () => {
  test.each<[string, string, Record<string, string>, Record<string, Record<string, number>>]>([
    ["nothing", "", {}, {}],
    ["an empty section", "lint:\n", {}, {}],
    ["a severity", "lint:\n  rules:\n    lint/group-of-one: error\n", { "lint/group-of-one": "error" }, {}],
    ["a rule without its family", "lint:\n  rules:\n    group-of-one: off\n", { "lint/group-of-one": "off" }, {}],
    ["a warning of the checker", "lint:\n  rules: { slice/unused: info }\n", { "slice/unused": "info" }, {}],
    ["a threshold", "lint:\n  rules:\n    expert-outweighs: { ratio: 3 }\n", {}, { "lint/expert-outweighs": { ratio: 3 } }],
    [
      "both",
      "lint:\n  rules:\n    parameter-share: { severity: info, ratio: 4, least: 0 }\n",
      { "lint/parameter-share": "info" },
      { "lint/parameter-share": { ratio: 4, least: 0 } },
    ],
  ])("%s", (_, text, severities, options) => {
    const config = read(text);
    expect(config.diagnostics).toEqual([]);
    expect(Object.fromEntries(config.severities)).toEqual(severities);
    expect(Object.fromEntries(config.options)).toEqual(options);
  });
});

describe("errors point into the YAML", () => {
  test.each([
    [
      "an unknown rule",
      "lint:\n  rules:\n    group-of-on: off\n",
      "config/unknown-rule 3:5 there is no rule `group-of-on`",
      "did you mean `lint/group-of-one`?",
    ],
    [
      "an error of the checker",
      "lint:\n  rules:\n    dim/mismatch: off\n",
      "config/fixed-severity 3:5 `dim/mismatch` is an error of the checker and stays one",
      null,
    ],
    [
      "a misspelt severity",
      "lint:\n  rules:\n    group-of-one: warn\n",
      "config/value 3:19 the severity of `lint/group-of-one` must be error, warning, info, off",
      null,
    ],
    ["another misspelt severity", "lint:\n  rules:\n    group-of-one: eror\n", "config/value 3:19", "did you mean `error`?"],
    [
      "a severity that is a boolean",
      "lint:\n  rules:\n    group-of-one: false\n",
      "config/value 3:19 the severity of `lint/group-of-one` must be error, warning, info, off, not false",
      null,
    ],
    [
      "an unknown threshold",
      "lint:\n  rules:\n    expert-outweighs:\n      ration: 3\n",
      "yaml/unknown-key 4:7 `lint/expert-outweighs` has no key `ration`",
      "did you mean `ratio`?",
    ],
    [
      "a threshold below its least",
      "lint:\n  rules:\n    expert-outweighs: { ratio: 0.5 }\n",
      "config/value 3:32 `ratio` must be a number from 1 up, not 0.5",
      null,
    ],
    [
      "a threshold that is text",
      "lint:\n  rules:\n    expert-outweighs: { ratio: wide }\n",
      'config/value 3:32 `ratio` must be a number from 1 up, not the text "wide"',
      null,
    ],
    ["an unknown section", "lints:\n  rules: {}\n", "yaml/unknown-key 1:1 the configuration has no key `lints`", "did you mean `lint`?"],
    ["an unknown key", "lint:\n  exclud: [a]\n", "yaml/unknown-key 2:3 `lint` has no key `exclud`", "did you mean `exclude`?"],
    ["rules that are a list", "lint:\n  rules: [group-of-one]\n", "yaml/type 2:10 `rules` must be a mapping, not a list", null],
    ["a pattern that is a number", "lint:\n  exclude: [3]\n", "yaml/type 2:13 a pattern of `exclude` must be text, not 3", null],
    ["no YAML", "lint: [\n", "yaml/syntax", null],
  ])("%s", (_, text, expected, help) => {
    const [finding, ...more] = read(text).diagnostics;
    const place = finding?.span?.source.position(finding.span.start);
    expect(`${finding?.code} ${place?.line}:${place?.column} ${finding?.message}`.slice(0, expected.length)).toBe(expected);
    expect(finding?.span?.source.name).toBe(folder.path("plec.config.yaml"));
    if (help !== null) expect(finding?.help).toBe(help);
    expect(more).toEqual([]);
  });
});

describe("paths", () => {
  test.each([
    ["a.ple", "a.ple", true],
    ["a.ple", "b.ple", false],
    ["specs/a.ple", "*.ple", false],
    ["specs/a.ple", "**/*.ple", true],
    ["a.ple", "**/*.ple", true],
    ["specs/deep/a.ple", "specs/**", true],
    ["specs/deep/a.ple", "specs", true],
    ["specs/deep/a.ple", "specs/", true],
    ["specsmore/a.ple", "specs", false],
    ["specs/old/a.ple", "specs/*/a.ple", true],
    ["specs/very/old/a.ple", "specs/*/a.ple", false],
    ["specs/very/old/a.ple", "specs/**/a.ple", true],
    ["specs/a1.ple", "specs/a?.ple", true],
    ["specs/a.ple", "specs/{a,b}.ple", true],
    ["specs/c.ple", "specs/{a,b}.ple", false],
    ["specs/a+b.ple", "specs/a+b.ple", true],
    ["specs/axple", "specs/a.ple", false],
  ])("%s and %s: %s", (path, pattern, expected) => expect(matchesGlob(path, pattern)).toBe(expected));

  test("includes and excludes are relative to the file's folder", () => {
    const config = readConfig(write("inner/plec.config.yaml", "lint:\n  include: [specs]\n  exclude: ['**/generated']\n"));
    expect(config.includes(folder.path("inner/specs/a.ple"))).toBe(true);
    expect(config.includes(folder.path("specs/a.ple"))).toBe(false);
    expect(config.includes(folder.path("inner/specs/generated/a.ple"))).toBe(false);
    expect(config.includes(folder.path("inner/a.ple"))).toBe(false);
  });

  test("the nearest one counts, and none beyond the repository", () => {
    const outer = write("tree/plec.config.yaml", "");
    const inner = write("tree/a/plec.config.yaml", "");
    expect(findConfig(folder.path("tree/a/b/m.ple"))).toBe(inner);
    expect(findConfig(folder.path("tree/c/m.ple"))).toBe(outer);
    mkdirSync(folder.path("tree/c/.git"), { recursive: true });
    expect(findConfig(folder.path("tree/c/m.ple"))).toBeNull();
  });
});
