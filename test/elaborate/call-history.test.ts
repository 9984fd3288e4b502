import { readdirSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import { type InspectedFile, inspectFile, inspectSource } from "../../compiler/driver.ts";
import { CallHistory } from "../../compiler/elaborate/call-history.ts";
import { printGraph } from "../../compiler/ir/print.ts";

const specs = new URL("../../specs/", import.meta.url).pathname;
const call = CallHistory.prototype.call;

afterEach(() => vi.restoreAllMocks());

/** What `inspect` gives where every call is evaluated. */
function withoutRepeats(inspect: () => InspectedFile): InspectedFile {
  vi.spyOn(CallHistory.prototype, "call").mockImplementation((_callee, slots, _context, _span, evaluate) => evaluate(slots));
  const file = inspect();
  vi.restoreAllMocks();
  return file;
}

/** The names of the definitions whose bodies are evaluated, with how often. */
function evaluations(inspect: () => InspectedFile): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  vi.spyOn(CallHistory.prototype, "call").mockImplementation(function (this: CallHistory, callee, slots, context, span, evaluate) {
    const { text } = callee.definition.name;
    return call.call(this, callee, slots, context, span, (given) => {
      counts.set(text, (counts.get(text) ?? 0) + 1);
      return evaluate(given);
    });
  });
  expect(inspect().diagnostics).toEqual([]);
  vi.restoreAllMocks();
  return counts;
}

/** All of a model that evaluation decides, the places in the source included. */
function described({ elaborated, diagnostics }: InspectedFile): unknown {
  const models = elaborated.map(({ checked, whole, params, entries }) => ({
    graphs: [checked.graph, checked.training, whole].map(printGraph),
    nodes: whole.nodes.map(({ id, path, span }) => `${id} ${path} ${span?.source.name} ${span?.start} ${span?.end}`),
    params: params.map(({ name, initial, decay, frozen, tag, span }) => ({
      name,
      initial: printGraph(initial).replace(/ {2}\/\/.*/g, ""),
      decay,
      frozen,
      tag,
      at: span.start,
    })),
    penalties: checked.penalties.map(({ name, value }) => ({ name, node: value.node.id })),
    entries: entries.map(({ name, unit, path, tensor }) => ({ name, unit, path, node: tensor.value.node.id, at: tensor.span.start })),
  }));
  const findings = diagnostics.map(({ code, message, span, notes }) => {
    return { code, message, at: span?.start, notes: notes.map((note) => [note.message, note.span?.start]) };
  });
  return { models, findings };
}

test.each(readdirSync(specs).filter((name) => name.endsWith(".ple")))("repeating calls changes nothing of %s", (name) => {
  const inspect = () => inspectFile(specs + name);
  expect(described(inspect())).toEqual(described(withoutRepeats(inspect)));
});

/** A model whose tasks a, b, c each have `h`, in the groups a, a and far; `items` stands in the model and `definitions` beside it. */
function model(h: string, definitions: string, items = ""): string {
  return `import { bce, mse } from "std/losses"
model M {
  input x: f32[B, 4]
  input y: f32[B, 4]
  group a { intra: 0.5 }
  group far { intra: 0.25 }
  ${items}
  task a in a: binary { loss: bce, weight: 1.0 }
  task b in a: binary { loss: bce, weight: 2.0 }
  task c in far: regression { loss: mse, weight: 1.0 }
  flow per task { return linear(x, task.width) }
  let h per task = ${h}
  output o per task = h
  output z = y
}
${definitions}`;
}

const scaled = "module F(x: f32[B, n], by: float = 2) -> f32[B, n] {\n  param own: f32[n] = by\n  return x * own\n}";
/** The number becomes a tensor, whose place is that of the argument. */
const numbered =
  "module F(x: f32[B, n], by: f32[]) -> f32[B, n] {\n  param own: f32[n] = 1\n  return by * own * x\n}\nmodule G(x: f32[B, n], by: f32[] = 1) { return F(x, 2 * by) }";
const ofTask = (value: string) =>
  `module F(x: f32[B, n], task: task) -> f32[B, n] {\n  param own: f32[n] = 1\n  return x * own * ${value}\n}`;

test.each<[string, string, string, number, string?]>([
  ["the same for each task", "F(x)", scaled, 1],
  ["another number", "F(x, task.weight)", scaled, 2],
  ["another width", "F(x[:, 0:task.index + 1])", scaled, 3],
  ["another tensor of that width", 'F(if task.name == "b" then x else y)', scaled, 1],
  [
    "one tensor twice, or two",
    'G(x, if task.name == "b" then x else y)',
    "module G(u: f32[B, n], v: f32[B, n]) { return F(u) + v }\nmodule F(x: f32[B, n]) { return 2 * x }",
    1,
  ],
  [
    "one of two again",
    'G(x, y, if task.name == "b" then x else y)',
    "module G(u: f32[B, n], v: f32[B, n], w: f32[B, n]) { return F(u) + v * w }\nmodule F(x: f32[B, n]) { return 2 * x }",
    1,
  ],
  [
    "other slices",
    'F(if task.name == "b" then x else s)',
    "module F(x: f32[B, 4]) { return x * 2 }",
    2,
    "input s: f32[B, 4] { first: 1, rest: 3 }",
  ],
  ["one instance for a group", "F(x) per group", scaled, 1],
  ["one instance with two initial values", 'F(x, if task.name == "a" then 1 else 2) per group', scaled, 3],
  [
    "an instance within that a group shares",
    "F(x)",
    `${scaled.replace("x * own", "x * own |> G per group")}\nmodule G(x: f32[B, n]) { return x * 3 }`,
    3,
  ],
  ["what is read of the task is the same", "F(x, task)", ofTask("(task.index * 0 + 1)"), 3],
  ["nothing is read of the task", "F(x, task)", ofTask("2"), 1],
  ["one thing is read of the task", "F(x, task)", ofTask("task.weight"), 2],
  ["one thing is read of its group", "F(x, task)", ofTask("task.group.intra"), 2],
  ["something is read further in", "E(x, task)", `module E(x: f32[B, n], task: task) { return F(x, task) }\n${ofTask("task.weight")}`, 2],
  ["a function of the task", "F(x, (v) => v * task.weight)", "module F(x: f32[B, n], f: module) { return f(x) }", 3],
  [
    "a definition",
    "F(x, if task.width > 2 then G else layer_norm)",
    "module F(x: f32[B, n], f: module) { return f(x) }\nmodule G(x: f32[B, n]) { return x }",
    1,
  ],
  ["a loop", "F(x)", "module F(x: f32[B, n]) { return scan((s, v) => s + v, x[:, 0:1], reshape(x, [B, n, 1]), axis: 1) }", 3],
  ["a random op", "F(x)", "module F(x: f32[B, n]) { return dropout(x, 0.5) + dropout(x, 0.5) }", 1],
  ["a penalty", "F(x)", scaled.replace("return", "penalty size = mean(own * own, axis: 0)\n  return"), 1],
  [
    "a penalty of one instance for a group",
    'F(if task.name == "b" then x else y) per group',
    scaled.replace("return", "penalty size = mean(x * own, axis: [0, 1])\n  return"),
    1,
  ],
  ["an output", "F(x).twice", "module F(x: f32[B, n]) {\n  output twice = x * 2\n  return twice * 2\n}", 1],
  ["the record of the task given back", "F(x, task)[0]", "module F(x: f32[B, n], task: task) { return [x * 2, task] }", 3],
  [
    "a bank",
    "F(e)",
    "module F(e: record) { return e.first + e.second }",
    1,
    "experts e per task {\n first = linear(x, 2)\n second = linear(y, 2)\n }",
  ],
  ["list items", "F([x, y]) + F([x])", "module F(e: list) { return 2 * e[0] }".replace("list", "[f32[B, n]]"), 2],
  ["two calls", "F(x) + F(y)", scaled, 1],
  ["two calls with numbers that become tensors", "F(x, 3) + G(F(y, 3))", numbered, 2],
  ["a call and a pipe", "F(x, 3) + (y |> F(3))", numbered, 1],
  ["two calls of a call", "G(x, 3) + G(y, 3)", `${numbered}\nmodule H(x: f32[B, n]) { return F(x, 2) + F(x + 1, 2) }`, 1],
  ["calls by a loop, and one beside it", "iterate(2, F, x) + F(y)", scaled, 3],
  ["a call by a loop with numbers, and one beside it", "fold([2, 3], x, F) + F(y, 2) + F(x, 2)", numbered, 3],
  ["two calls whose result goes wrong further on", "F(x, 3)[:, 0:2] + F(y, 3)[:, 0:2]", numbered, 1],
  ["a parameter of the library", "F(x)", "module F(x: f32[B, n]) { return linear(x, 3) |> layer_norm }", 1],
])("%s", (_title, h, definitions, times, items) => {
  const inspect = () => inspectSource("case.ple", model(h, definitions, items));
  const file = inspect();
  expect(file.diagnostics).toEqual([]);
  expect(described(file)).toEqual(described(withoutRepeats(inspect)));
  // Once more by itself, for every width.
  const generic = evaluations(() =>
    inspectSource(
      "case.ple",
      `model M {\n input x: f32[B, 2]\n task a: binary { loss: none }\n flow per task { return linear(x, 1) }\n}\n${definitions}`,
    ),
  );
  expect((evaluations(inspect).get("F") ?? 0) - (generic.get("F") ?? 0)).toBe(times);
});

test.each<[string, string, string, string?]>([
  ["an error within", "F(x)", "module F(x: f32[B, n]) { return x + ones([n + 1]) }"],
  ["an error for one task", "F(x, task)", ofTask("task.nothing")],
  ["a parameter of two shapes", "F(x[:, 0:task.index + 1]) per group", scaled],
  [
    "a parameter of two shapes, the second seen before",
    'F(x[:, 0:(if task.name == "a" then 1 else 2)]) per group',
    scaled,
    "task first in far: binary { loss: bce }",
  ],
  ["an error with the results of two calls", "F(x, 3) + F(y[:, 0:2], 3) + F(y, 3)", numbered],
  [
    "an error with a list that was given back",
    "P([x, y])[0] + P([y * 2, x * 2])[0] + (P([y * 3, x * 3])[0] + ones([3]))",
    "module P(e: [f32[B, _]]) { return e }",
  ],
  ["a requirement", "F(x, task)", ofTask("task.weight").replace("{\n", '{\n  require task.weight < 2: "small"\n')],
  ["an endless recursion", "F(x)", "module F(x: f32[B, n]) { return F(x) }"],
])("findings are the same: %s", (_title, h, definitions, items) => {
  const inspect = () => inspectSource("case.ple", model(h, definitions, items));
  const file = inspect();
  expect(file.diagnostics.length).toBeGreaterThan(0);
  expect(described(file)).toEqual(described(withoutRepeats(inspect)));
});
