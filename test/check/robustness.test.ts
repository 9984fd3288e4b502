import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkSource, libraryFolder } from "../../compiler/driver.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import { modelCases } from "./cases/models.ts";
import { taskCases } from "./cases/tasks.ts";
import { transferCases } from "./cases/transfers.ts";

const specs = join(libraryFolder(), "..");
const seeds = [
  ...["cgc", "esmm", "aitm", "adatt_sp"].map((name) => readFileSync(join(specs, `${name}.ple`), "utf8")),
  ...[...modelCases, ...taskCases, ...transferCases].map(([, source]) => source),
];

const tokens = /\s+|[A-Za-z_]\w*|\d+(?:\.\d+)?(?:e-?\d+)?|"[^"]*"|[-+*/<>=!|.]{2}|./gs;

const numbers = [
  "0",
  "-1",
  "1",
  "2.5",
  "1e15",
  "9007199254740993",
  "1e400",
  "1e-320",
  "none",
  "true",
  "B",
  '"a"',
  "[]",
  "{}",
  "x",
  "linear",
];

type Mutation = readonly [kind: "delete" | "double" | "swap" | "rename" | "number", at: number, other: number];

const mutation: fc.Arbitrary<Mutation> = fc.tuple(fc.constantFrom("delete", "double", "swap", "rename", "number"), fc.nat(), fc.nat());

function mutate(source: string, mutations: readonly Mutation[]): string {
  const parts = source.match(tokens) ?? [];
  const places = (fits: RegExp) => parts.flatMap((part, i) => (fits.test(part) ? [i] : []));
  for (const [kind, at, other] of mutations) {
    const own = places(kind === "number" ? /^\d/ : kind === "rename" ? /^[A-Za-z_]/ : /\S/);
    const i = own[at % Math.max(own.length, 1)];
    const j = own[other % Math.max(own.length, 1)];
    if (i === undefined || j === undefined) continue;
    const [first, second] = [parts[i] ?? "", parts[j] ?? ""];
    if (kind === "delete") parts[i] = "";
    else if (kind === "double") parts[i] = `${first} ${first}`;
    else if (kind === "rename") parts[i] = second;
    else if (kind === "number") parts[i] = numbers[other % numbers.length] ?? first;
    else [parts[i], parts[j]] = [second, first];
  }
  return parts.join("");
}

/** Checks a text and what must hold of every answer; gives the milliseconds that it took. */
function checkAnswer(text: string): number {
  const started = performance.now();
  const { diagnostics, models } = checkSource("mutated.ple", text);
  const took = performance.now() - started;
  if (diagnostics.some(({ severity }) => severity === "error")) expect(models).toEqual([]);
  for (const { graph } of models) verifyGraph(graph);
  for (const { message, span, notes, fixes } of diagnostics) {
    expect(message).not.toMatch(/undefined|\[object|\{\w+\}|NaN/);
    for (const at of [span, ...notes.map((note) => note.span), ...fixes.flatMap((fix) => fix.edits.map((edit) => edit.span))]) {
      if (at === null) continue;
      expect(at.start).toBeGreaterThanOrEqual(0);
      expect(at.end).toBeGreaterThanOrEqual(at.start);
      expect(at.end).toBeLessThanOrEqual(at.source.text.length);
    }
  }
  return took;
}

test("mutated models get an answer, soon and with places inside of their text", { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.array(mutation, { minLength: 1, maxLength: 4 }), (source, mutations) => {
      expect(checkAnswer(mutate(source, mutations))).toBeLessThan(8_000);
    }),
    { numRuns: 600 },
  );
});

// ── generated expressions ───────────────────────────────────────────────────

const leaf = fc.constantFrom(
  "x",
  "s",
  "i",
  "0",
  "1",
  "2",
  "8",
  "-1",
  "0.5",
  "1e15",
  "none",
  "true",
  "B",
  "T",
  '"a"',
  "silu",
  "[x, x]",
  "{ a: x }",
);

const expression = fc.letrec<{ e: string }>((tie) => ({
  e: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc
      .tuple(tie("e"), fc.constantFrom("+", "-", "*", "/", "@", "^", "==", "<", "++", "in", "and"), tie("e"))
      .map(([a, op, b]) => `(${a} ${op} ${b})`),
    fc
      .tuple(
        fc.constantFrom("exp", "silu", "layer_norm", "width", "rank", "count", "f32", "i32", "stop_gradient", "flatten", "names", "range"),
        tie("e"),
      )
      .map(([f, a]) => `${f}(${a})`),
    fc
      .tuple(
        fc.constantFrom(
          "sum",
          "mean",
          "amax",
          "softmax",
          "linear",
          "concat",
          "stack",
          "split",
          "reshape",
          "expand",
          "gather",
          "one_hot",
          "cumsum",
          "dropout",
          "max",
          "transpose",
          "embedding",
        ),
        tie("e"),
        tie("e"),
      )
      .map(([f, a, b]) => `${f}(${a}, ${b})`),
    fc.tuple(tie("e"), tie("e"), tie("e")).map(([a, b, c]) => `(if ${a} then ${b} else ${c})`),
    fc.tuple(tie("e"), tie("e"), tie("e")).map(([a, b, c]) => `where(${a}, ${b}, ${c})`),
    fc.tuple(tie("e"), tie("e")).map(([a, b]) => `${a}[:, ${b}]`),
    fc.tuple(tie("e"), tie("e"), tie("e")).map(([a, b, c]) => `${a}[.., ${b} : ${c}]`),
    tie("e").map((a) => `${a}[:, none]`),
    fc.tuple(tie("e"), tie("e")).map(([a, b]) => `[${a} for v in ${b}]`),
    fc.tuple(tie("e"), tie("e"), tie("e")).map(([a, b, c]) => `fold(${a}, ${b}, (acc, v) => ${c})`),
    fc.tuple(tie("e"), tie("e"), tie("e")).map(([a, b, c]) => `scan((h, v) => ${a}, init: ${b}, over: ${c})`),
    fc.tuple(tie("e"), fc.constantFrom("a", "b", "attention")).map(([a, name]) => `${a}.${name}`),
  ),
})).e;

const generated = (body: string) => `model M {
  dim T
  input x: f32[B, 8] { a: 3, b: 5 }
  input s: f32[B, T, 8]
  input i: id[B] of 4
  task t: binary { loss: none }
  flow per task { return linear(x, 1) }
  output o = ${body}
}
module F(x: f32[B, n], s: f32[B, T, n], i: id[B] of v) { return ${body.replaceAll("B", "n")} }`;

test("generated expressions get an answer", { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(expression, (body) => {
      expect(checkAnswer(generated(body))).toBeLessThan(8_000);
    }),
    { numRuns: 1_500 },
  );
});
