import { describe, expect, it } from "vitest";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { renderDiagnostic } from "../../dsl/render.ts";
import { Source, type Span } from "../../dsl/source.ts";

const base: Diagnostic = { code: "dim/mismatch", severity: "error", message: "no", span: null, notes: [], help: null, fixes: [] };

/** The span of the text between `«` and `»`, which are left out of the source. */
function marked(text: string, name = "my.ple"): Span {
  const start = text.indexOf("«");
  const end = text.indexOf("»") - 1;
  return { source: new Source(name, text.replace(/[«»]/g, "")), start, end };
}

const render = (diagnostic: Partial<Diagnostic>, width?: number): string =>
  renderDiagnostic({ ...base, ...diagnostic }, { colour: false, ...(width === undefined ? {} : { width }) });

const lines = (...texts: readonly string[]): string => texts.join("\n");

describe("renderDiagnostic", () => {
  it("shows the message, the frame, each note with its own frame, and the help", () => {
    const text = render({
      message: "`Causal` takes f32[B, 644] but `features` is f32[B, 734]",
      span: marked("model M {\n  experts e {\n    causal = Causal(«features»)\n  }\n}\n"),
      notes: [
        { message: "declared here", span: marked("expert Causal(«x»: f32[B, 644]) {}", "std/experts/causal.ple") },
        { message: "644 is 734 - 90", span: null },
      ],
      help: "features[base .. merchant] is 644 wide",
    });
    expect(text).toBe(
      lines(
        "my.ple:3:21 error dim/mismatch: `Causal` takes f32[B, 644] but `features` is f32[B, 734]",
        "    3 │     causal = Causal(features)",
        "      │                     ^^^^^^^^",
        "  note std/experts/causal.ple:1:15: declared here",
        "    1 │ expert Causal(x: f32[B, 644]) {}",
        "      │               ^",
        "  note: 644 is 734 - 90",
        "  help: features[base .. merchant] is 644 wide",
      ),
    );
  });

  it("needs no place", () => {
    expect(render({ severity: "warning", code: "import/unreadable", message: "there is no such file" })).toBe(
      "warning import/unreadable: there is no such file",
    );
  });

  it.each<[string, string, readonly string[]]>([
    ["one line", "a «bc» d", ["    1 │ a bc d", "      │   ^^"]],
    ["an empty span", "a «»bc", ["    1 │ a bc", "      │   ^"]],
    ["the end of the file", "a\nbc«»", ["    2 │ bc", "      │   ^"]],
    ["the end behind a last line end", "a\n«»", ["    2 │", "      │ ^"]],
    ["nothing of an empty file", "«»", []],
    ["a line end", "ab«\n»c", ["    1 │ ab", "      │   ^"]],
    ["two lines", "x = f(«a,\n  b»)", ["    1 │ x = f(a,", "      │       ^^", "    2 │   b)", "      │   ^"]],
    [
      "many lines",
      "«a {\n  b\n  c\n}» d",
      ["    1 │ a {", "      │ ^^^", "      · │", "    4 │ } d", "      │ ^"].map((line) => line.replace("      · │", "    · │")),
    ],
    ["tabs", "\ta\t«b»", ["    1 │   a b", "      │     ^"]],
    ["CRLF", "a\r\nb «c»\r\nd", ["    2 │ b c", "      │   ^"]],
    ["wide characters", "漢字 «x漢»", ["    1 │ 漢字 x漢", "      │      ^^^"]],
    ["combining characters", "e\u0301e\u0301 «x»", ["    1 │ e\u0301e\u0301 x", "      │    ^"]],
    ["pictures", "😀 «x»", ["    1 │ 😀 x", "      │    ^"]],
    ["control characters", "a\u0007 «x» \u001b[31m", ["    1 │ a\ufffd x \ufffd[31m", "      │    ^"]],
  ])("marks %s", (_, text, frame) => {
    expect(
      render({ span: marked(text) })
        .split("\n")
        .slice(1),
    ).toEqual(frame);
  });

  it("widens the gutter for long line numbers, the same in every frame", () => {
    const text = render({ span: marked(`${"\n".repeat(12_344)}«a»`), notes: [{ message: "here", span: marked("«b»") }] });
    expect(text.split("\n").slice(1)).toEqual(["  12345 │ a", "        │ ^", "  note my.ple:1:1: here", "      1 │ b", "        │ ^"]);
  });

  it.each([
    ["in the middle", `${"a".repeat(500)}«b»${"c".repeat(500)}`],
    ["at the start", `«b»${"c".repeat(5_000)}`],
    ["at the end", `${"a".repeat(5_000)}«b»`],
    ["itself too long", `${"a".repeat(500)}«b${"b".repeat(500)}»${"c".repeat(500)}`],
    ["wide", `${"漢".repeat(500)}«b»${"漢".repeat(500)}`],
    ["in megabytes", `${"a".repeat(2_000_000)}«b»${"c".repeat(2_000_000)}`],
  ])("cuts a long line around a span %s", (_, text) => {
    const span = marked(text);
    const started = performance.now();
    const [, shown, marks] = render({ span }, 80).split("\n") as [string, string, string];
    expect(performance.now() - started).toBeLessThan(500);
    for (const line of [shown, marks]) expect([...line].reduce((sum, c) => sum + (c === "漢" ? 2 : 1), 0)).toBeLessThanOrEqual(80);
    // the first caret stands under the b
    const before = marks.slice(0, marks.indexOf("^"));
    let column = 0;
    let under = "";
    for (const character of shown) {
      if (column === before.length) under = character;
      column += character === "漢" ? 2 : 1;
    }
    expect(under).toBe("b");
  });

  it("keeps messages and names on their line", () => {
    const text = render({ message: "a\n  b\u001b[31m", span: { ...marked("«x»", "evil\nname.ple") }, help: "c\nd" });
    expect(text.split("\n")).toHaveLength(4);
    expect(text).not.toContain("\u001b");
  });

  it("paints only where asked", () => {
    const span = marked("a «b»");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is looked for
    const codes = /\u001b\[\d+m/g;
    const painted = renderDiagnostic({ ...base, span, help: "h" }, { colour: true });
    expect(painted).toMatch(codes);
    expect(painted.replace(codes, "")).toBe(renderDiagnostic({ ...base, span, help: "h" }, { colour: false }));
  });
});
