import { describe, expect, test } from "vitest";
import { applyFixes } from "../../cli/apply-fixes.ts";
import { checkSource } from "../../compiler/driver.ts";
import { formatFinding, lint } from "./expect.ts";

/** A model with an unread slice (7:30, a warning of the checker) and a group of one (6:9). */
const model = (slice = "", group = "", above = "") => `import { bce } from "std/losses"
model M {
  group g {}
  task a in g: binary { loss: bce }
  task b in g: binary { loss: bce }
  group h {} ${group}
  input x: f32[B, 3] { a: 2, b: 1 } ${slice}
  ${above}
  task c in h: binary { loss: bce }
  flow per task { return linear(x.a, task.width) }
}`;

const unused = "warning slice/unused 7:30";
const one = "warning lint/group-of-one 6:9";

function found(source: string): readonly string[] {
  return lint(source).map(
    ({ code, severity, ...rest }) => `${severity} ${code} ${formatFinding({ code, severity, ...rest }).split(" ")[0]}`,
  );
}

describe("what a comment allows", () => {
  test.each<[string, string, readonly string[]]>([
    ["nothing without one", model(), [one, unused]],
    ["a finding on its line", model("", "// plec-allow lint/group-of-one: more to come"), [unused]],
    ["rules without their family", model("", "// plec-allow group-of-one: more to come"), [unused]],
    ["a warning of the checker", model("// plec-allow slice/unused: read by the next version"), [one]],
    [
      "a finding on the next line",
      model().replace("  group h", "  // plec-allow group-of-one: more to come\n  group h"),
      ["warning slice/unused 8:30"],
    ],
    [
      "a finding behind further comments and blank lines",
      model().replace("  group h", "  // plec-allow group-of-one: more to come\n\n  /// The second.\n  group h"),
      ["warning slice/unused 10:30"],
    ],
    [
      "nothing of several rules for another line",
      model().replace("{}\n  task a", "{} // plec-allow group-of-one, slice/unused: none is here\n  task a"),
      [one, unused, "warning lint/unused-allow 3:28", "warning lint/unused-allow 3:42"],
    ],
    ["nothing without a reason", model("", "// plec-allow group-of-one"), [one, unused, "warning lint/allow-without-reason 6:14"]],
    ["nothing with an empty reason", model("", "// plec-allow group-of-one: "), [one, unused, "warning lint/allow-without-reason 6:14"]],
    ["nothing on another line", model("", "", "// plec-allow group-of-one: more to come"), [one, unused, "warning lint/unused-allow 8:17"]],
    [
      "nothing of a rule that is unknown",
      model("", "// plec-allow group-of-two: more to come"),
      [one, unused, "warning lint/unknown-allow 6:28"],
    ],
    ["nothing where no rule is named", model("", "// plec-allow: more to come"), [one, unused, "warning lint/unknown-allow 6:14"]],
    [
      "nothing in a doc comment",
      model().replace("  group h", "  /// plec-allow group-of-one: more to come\n  group h"),
      ["warning lint/group-of-one 7:9", "warning slice/unused 8:30"],
    ],
  ])("%s", (_, source, expected) => expect(found(source)).toEqual(expected));

  test("warnings, not errors, of plec check", () => {
    const codes = (source: string) => checkSource("case.ple", source).diagnostics.map(({ code }) => code);
    expect(codes(model())).toEqual(["slice/unused"]);
    expect(codes(model("// plec-allow slice/unused: read by the next version"))).toEqual([]);
    const broken = model("", "", "output o = x[:, 0:4] // plec-allow dim/slice-past-end: it is fine");
    expect(codes(broken)).toContain("dim/slice-past-end");
  });
});

describe("what is said of a comment", () => {
  test("a misspelt rule is suggested", () => {
    const [finding] = lint(model("", "// plec-allow group-of-on: more")).filter(({ code }) => code === "lint/unknown-allow");
    expect(finding).toMatchObject({ message: "there is no rule `lint/group-of-on`", help: "did you mean `lint/group-of-one`?" });
  });

  test("an error is no rule that could be allowed", () => {
    const [finding] = lint(model("// plec-allow dim/mismatch: no")).filter(({ code }) => code === "lint/unknown-allow");
    expect(finding?.message).toBe("`dim/mismatch` is an error of the checker, which no comment allows");
  });

  test.each([
    ["a line of its own", "  // plec-allow group-of-one: old\n  task c", "  task c"],
    ["behind code", "  task c in h: binary { loss: bce } // plec-allow group-of-one: old", "  task c in h: binary { loss: bce }"],
    ["the first of two", "  // plec-allow group-of-one, expert-unpreferred: why not\n  task c", "  task c"],
  ])("one that allows nothing is removed by --fix: %s", (_, before, after) => {
    const plain = model("// plec-allow slice/unused: read later", "// plec-allow group-of-one: more to come");
    let text = plain.replace(after, before);
    for (let round = 0; round < 3; round++) {
      const findings = lint(text);
      const source = findings[0]?.span?.source;
      if (source !== undefined) text = applyFixes(source, findings, ({ safe }) => safe).text;
    }
    expect(text).toBe(plain);
  });

  test("the other one of two stays", () => {
    const source = (codes: string) => model("// plec-allow slice/unused: read later", `// plec-allow ${codes}: more to come`);
    for (const both of ["group-of-one, expert-unpreferred", "expert-unpreferred, group-of-one"]) {
      const findings = lint(source(both));
      const at = findings[0]?.span?.source;
      expect(at === undefined ? null : applyFixes(at, findings, ({ safe }) => safe).text).toBe(source("group-of-one"));
    }
  });

  test("only for rules that have run", () => {
    const source = model("// plec-allow slice/unused: read later", "// plec-allow expert-unpreferred: old");
    const codes = (only: readonly string[]) => lint(source, new Set(only)).map(({ code }) => code);
    expect(codes(["lint/group-of-one", "lint/unused-allow"])).toEqual(["lint/group-of-one"]);
    expect(codes(["lint/expert-unpreferred", "lint/unused-allow"])).toEqual(["lint/unused-allow"]);
    expect(codes(["lint/expert-unpreferred"])).toEqual([]);
  });
});
