import { type Details, type Diagnostic, defineCatalogue, makeDiagnostic, type Placeholders } from "../../dsl/diagnostic.ts";
import type { Span } from "../../dsl/source.ts";

/** Every finding of the checker. Codes are stable: they are written into `plec-allow` comments and CI configurations. */
export const catalogue = defineCatalogue({
  // ── files and imports ───────────────────────────────────────────────────
  "import/not-found": {
    severity: "error",
    message: "cannot find `{path}`",
    why: "An import path is `std/...` for the library, or begins with `./` or `../` for a file beside this one. A path that names a folder imports from every file in it.",
    help: "Check the spelling; the extension `.ple` may be left out.",
    example: 'import { Tower } from "std/layer"',
  },
  "import/unreadable": {
    severity: "error",
    message: "cannot read `{path}`: {reason}",
    why: "A source file must be readable UTF-8 text.",
    help: "Check the file's permissions and its encoding.",
  },
  "import/outside": {
    severity: "error",
    message: "`{path}` leaves the project",
    why: "Imports stay inside the project (the nearest folder with a package.json, plec.config.yaml or .git), so that a spec means the same on every machine.",
    help: "Move the file into the project, or publish it as a library of your own.",
    example: 'import { Tower } from "../../../elsewhere"',
  },
  "import/cycle": {
    severity: "error",
    message: "import cycle: {cycle}",
    why: "Files that import each other have no order in which they could be read.",
    help: "Move what both need into a third file.",
  },
  "import/no-such-name": {
    severity: "error",
    message: "`{path}` has no definition `{name}`",
    why: "An import names definitions or constants of the imported file.",
    help: "Check the spelling and the path.",
    example: 'import { Towr } from "std/layers"',
  },
  "import/unused": {
    severity: "warning",
    message: "`{name}` is imported and never used",
    why: "An unused import is read and checked for nothing, and misleads the reader.",
    help: "Remove it; `plec check --fix` does.",
  },
  // ── names ───────────────────────────────────────────────────────────────
  "name/unknown": {
    severity: "error",
    message: "unknown name `{name}`",
    why: "A name must be declared: a parameter, a dim of a parameter's shape, a `let`, an import, a definition of this file or of the prelude, or a built-in function.",
    help: "Check the spelling, or import the definition that has it.",
  },
  "name/duplicate": {
    severity: "error",
    message: "`{name}` is declared twice",
    why: "One name means one thing in its scope; a second declaration would hide the first.",
    help: "Rename one of the two.",
    example: "model M {\n  input x: f32[B, 4]\n  input x: f32[B, 8]\n}",
  },
  "name/unused": {
    severity: "warning",
    message: "`{name}` is never used",
    why: "A value that nothing reads is either a leftover or a wire that was forgotten.",
    help: "Use it or remove it. A name that begins with `_` is left alone.",
  },
  "name/unknown-member": {
    severity: "error",
    message: "{object} has no `{name}`",
    why: "A member is a named slice of an input, an `output` of the module that made the value, an entry of a bank, or a field of a record.",
    help: "Check the spelling.",
  },
  "name/recursive": {
    severity: "error",
    message: "`{name}` is defined through itself",
    why: "A value must be computable from others; recurrences in time are written with `scan`, `linear_scan` or `iterate`.",
    help: "Break the circle.",
    example: "model M {\n  input x: f32[B, 4]\n  let a = b + x\n  let b = a\n}",
  },
  // ── types ───────────────────────────────────────────────────────────────
  "type/mismatch": {
    severity: "error",
    message: "{what} must be {expected}, not {found}",
    why: "Every operation and parameter states what kind of value it takes; nothing is converted silently.",
    help: "Pass a value of the stated kind; `f32(x)` and `i32(x)` convert tensors.",
  },
  "type/dtype": {
    severity: "error",
    message: "{message}",
    summary: "element types that do not go together",
    why: "Tensors of different element types do not mix; nothing is converted silently.",
    help: "Convert with `f32(x)` or `i32(x)`.",
  },
  "type/not-static": {
    severity: "error",
    message: "{what} must be known while compiling, and this is {found}",
    why: "Dims, loop counts, list positions and conditions of `if` shape the graph, so they cannot depend on data.",
    help: "Use a number or a dim; `where(c, a, b)` chooses by data.",
  },
  "type/bad-enum": {
    severity: "error",
    message: '"{found}" is none of {allowed}',
    why: "The parameter takes one of a fixed list of words.",
    help: "Use one of the listed words.",
  },
  "type/range": {
    severity: "error",
    message: "{message}",
    summary: "a number outside of the range that has a meaning here",
    why: "The value lies outside of what has a meaning here.",
    help: "Use a value in the stated range.",
  },
  // ── dims ────────────────────────────────────────────────────────────────
  "dim/mismatch": {
    severity: "error",
    message: "{message}",
    summary: "two widths that must be equal, and are not",
    why: "A dim is part of a tensor's type. Every stated or implied width is proven equal to the width that arrives, before anything runs.",
    help: "The notes show where both widths come from; change the one that is wrong.",
    example: "model M {\n  input x: f32[B, 10]\n  let h: f32[B, 12] = x\n}",
  },
  "dim/bound-twice": {
    severity: "error",
    message: "dim `{name}` of `{callee}` is {first} by {firstPlace} and {second} by {secondPlace}",
    why: "A dim variable of a signature stands for one dim at each call. Mixing experts of unequal widths by a weighted sum ends here.",
    help: "Make the widths equal, or use a module that allows them to differ.",
  },
  "dim/rank": {
    severity: "error",
    message: "{message}",
    summary: "a tensor with more or fewer axes than are taken",
    why: "The number of axes is part of a tensor's type.",
    help: "Add an axis with `x[.., none]`, or remove one with a reduction, an index or `reshape`.",
  },
  "dim/silent-broadcast": {
    severity: "error",
    message: "`{op}` of {left} and {right} would repeat an axis silently",
    why: "A column of size 1 that meets a wider one is more often a mistake than a wish, and the result has a plausible shape. Only an axis inserted by `none` or kept by `keep: true` stretches.",
    help: "Write `x[.., 0][.., none]` to let a width-1 axis stretch, or `expand(x, [...])`.",
    example: "model M {\n  input x: f32[B, 8]\n  let y = x * linear(x, 1)\n}",
  },
  "dim/slice-past-end": {
    severity: "error",
    message: "{message}",
    summary: "a slice that reaches past the end of its axis",
    why: "A slice must lie within its axis.",
    help: "Check the bounds.",
    example: "model M {\n  input x: f32[B, 8]\n  let y = x[:, 4:10]\n}",
  },
  "dim/slices-sum": {
    severity: "error",
    message: "the slices of `{name}` add up to {sum}, not {width}",
    why: "Named slices partition an axis: every column belongs to exactly one.",
    help: "Correct a width, or name the missing columns.",
    example: "model M {\n  input x: f32[B, 10] { a: 4, b: 5 }\n}",
  },
  "dim/batch-lost": {
    severity: "error",
    message: "{what} is {shape}, without the batch dim B in front",
    why: "Inputs, predictions and outputs hold one row for each customer of the batch. A reduction or reshape over the first axis mixes customers.",
    help: "Reduce over later axes only.",
    example: "model M {\n  input x: f32[B, 10]\n  output m = mean(x, axis: 0)\n}",
  },
  "dim/not-a-dim": {
    severity: "error",
    message: "a dim must be a whole number from {least} up, not {found}",
    why: "Dims count elements.",
    help: "Use a whole number, a constant, or arithmetic over dims that divides exactly.",
  },
  "dim/absurd": {
    severity: "error",
    message: "{what} of {count} elements is more than plec handles ({limit})",
    why: "A tensor beyond this size fits no machine; such a dim is a typing mistake.",
    help: "Check the dims.",
  },
  "dim/not-divisible": {
    severity: "error",
    message: "{dividend} does not divide by {divisor}",
    why: "A dim must be whole, and a dim with symbols must divide whatever the symbols are.",
    help: "Choose widths that divide.",
    example: "model M {\n  input x: f32[B, 10]\n  let a, b, c = split(x, 3)\n}",
  },
  "dim/unbound": {
    severity: "error",
    message: "dim `{name}` has no value: nothing that was passed to `{callee}` binds it",
    why: "A dim variable gets its value from the shape of an argument.",
    help: "Make it an `int` parameter, or use it in the type of a tensor parameter that is always passed.",
  },
  // ── calls ───────────────────────────────────────────────────────────────
  "call/not-callable": {
    severity: "error",
    message: "{found} cannot be called",
    why: "Only definitions, built-in functions and functions `(x) => ...` can.",
    help: "Check the name.",
  },
  "call/missing-argument": {
    severity: "error",
    message: "`{callee}` needs `{parameter}`",
    why: "A parameter without a default must be given.",
    help: "Pass it by position or by name.",
  },
  "call/unknown-argument": {
    severity: "error",
    message: "`{callee}` has no parameter `{parameter}`",
    why: "Arguments by name must use a name of the signature.",
    help: "Check the spelling against the declaration.",
  },
  "call/too-many-arguments": {
    severity: "error",
    message: "`{callee}` takes {expected}, and this is number {found}",
    why: "Arguments by position fill the parameters in order.",
    help: "Remove it, or check that the pipe does not already pass it.",
  },
  "call/argument-twice": {
    severity: "error",
    message: "`{parameter}` of `{callee}` is given twice",
    why: "A parameter has one value; in a pipe the left side is the first argument.",
    help: "Remove one of the two.",
  },
  "call/recursive": {
    severity: "error",
    message: "calls nest more than {limit} deep: {cycle}",
    why: "A definition that calls itself would build an endless network.",
    help: "Use `iterate`, `fold` or a comprehension.",
  },
  "call/requirement": {
    severity: "error",
    message: "`{callee}`: {message}",
    why: "The definition states with `require` what it needs of its arguments.",
    help: "Change the arguments so that the requirement holds.",
  },
  "call/no-return": {
    severity: "error",
    message: "`{name}` returns nothing",
    why: "The value of a definition is what it returns.",
    help: "End it with `return`.",
  },
  "call/after-return": {
    severity: "error",
    message: "nothing after `return` is evaluated",
    why: "`return` ends a body.",
    help: "Move it to the end.",
  },
  "call/limit": {
    severity: "error",
    message: "{what} is more than plec builds ({limit})",
    why: "A graph of this size fits no engine; such a count is a typing mistake, and building it would not end.",
    help: "Check the counts.",
  },
  // ── roles and sharing ───────────────────────────────────────────────────
  "role/mismatch": {
    severity: "error",
    message: "`{name}` is a {found}, and {place} takes {expected}",
    why: "A role says where a definition may stand: an `expert` in a bank, a `loss` at a task.",
    help: "Name a definition of the right role.",
  },
  "role/for": {
    severity: "error",
    message: "`for` on the {role} `{name}`",
    why: "`for` says which kinds of tasks a loss fits; nothing else is chosen by the kind of a task.",
    help: "Leave it out, or declare a `loss`.",
    example: "module F(x: f32[B, n]) for binary { return x }",
  },
  "penalty/in-loop": {
    severity: "error",
    message: "the penalty `{name}` is computed inside a loop, anew at each step",
    why: "A penalty is one number for a batch. What exists at each step of a `scan` exists nowhere outside of it.",
    help: "Have the loop carry what the penalty needs as a state, and compute the penalty from the states.",
  },
  "per/outside": {
    severity: "error",
    message: "`{name}` is per {unit}, and there is no {unit} here",
    why: "A value that exists once for each task (or group) has a meaning only where one task (or group) is at hand.",
    help: "Use it in something that is `per {unit}`, or `all({name})` for the record of all of them.",
  },
  "per/nothing-to-share": {
    severity: "error",
    message: "`per {unit}` has no meaning here: nothing around it is per task",
    why: "Sharing among tasks needs a place that is evaluated once for each task.",
    help: "Remove it, or make the surrounding `let` or `flow` per task.",
  },
  "per/narrower": {
    severity: "error",
    message: "`per {unit}` inside something that is per {around}",
    why: "What is evaluated once for each group, or is one instance for a group or for all tasks, cannot have parts of which there are more.",
    help: "Remove it, or share the parts one by one instead of the whole.",
  },
  "per/no-group": {
    severity: "error",
    message: "`per group`, and the task `{task}` is in no group",
    why: "Sharing among a group's tasks needs every task to be in one.",
    help: "Put the task in a group with `in`.",
  },
  "per/shared-shapes-differ": {
    severity: "error",
    message: "the shared parameter `{name}` is {first} at one place and {second} at another",
    why: "One instance shared by several tasks has one set of weights, so its inputs must have the same widths everywhere.",
    help: "Make the widths equal, or give each task an instance of its own.",
  },
  // ── parameters ──────────────────────────────────────────────────────────
  "param/bad-initial": {
    severity: "error",
    message: "the initial value is {found}, which does not fill {shape}",
    why: "An initialiser is an expression of the parameter's shape, or of one that stretches to it.",
    help: "`uniform(lo, hi)` and `normal(std)` draw at the parameter's shape; a number fills it.",
  },
  "param/outside-initial": {
    severity: "error",
    message: "`{name}` has a meaning only in the initial value of a param",
    why: "Inference has no randomness; draws happen once, when weights are made.",
    help: "Declare a `param` with it.",
  },
  "param/depends-on-data": {
    severity: "error",
    message: "an initial value cannot depend on inputs or on other parameters",
    why: "Initial weights are made before any data is seen.",
    help: "Use numbers, dims and random draws.",
  },
  "param/symbolic-shape": {
    severity: "error",
    message: "the parameter `{name}` has the shape {shape}, which is not known while compiling",
    why: "Weights have a fixed size.",
    help: "A parameter cannot depend on the batch or on a dynamic dim.",
  },
  // ── models ──────────────────────────────────────────────────────────────
  "model/setting": {
    severity: "error",
    message: "{what} has no setting `{name}`",
    why: "Settings are a fixed list, so that a misspelt one is found.",
    help: "Check the spelling.",
  },
  "model/no-tasks": {
    severity: "error",
    message: "model `{name}` has no enabled task",
    why: "A model predicts something.",
    help: "Declare a task, for example `task ctr: binary { loss: focal() }`.",
    example: "model M {\n  input x: f32[B, 4]\n}",
  },
  "model/no-flow": {
    severity: "error",
    message: "task `{task}` has no flow",
    why: "A flow computes a task's logits.",
    help: "Add `flow per task { ... return logits }`.",
  },
  "model/duplicate-flow": {
    severity: "error",
    message: "a second flow for {what}",
    why: "A task's logits are computed once.",
    help: "Remove one of the two.",
  },
  "model/no-required-input": {
    severity: "error",
    message: "every input of `{name}` is optional, so nothing says how large a batch is",
    why: "The size of a batch is read off an input that is always there.",
    help: "Make one input required.",
  },
  "input/unused": {
    severity: "warning",
    message: "input `{name}` reaches no prediction or output",
    why: "Callers would compute and send it for nothing, or a wire was forgotten.",
    help: "Use it or remove it.",
  },
  "slice/unused": {
    severity: "warning",
    message: "slice `{name}` of input `{input}` is read by nothing",
    why: "Columns that no expert sees are computed for nothing, or a wire was forgotten.",
    help: "Use it in an expert, or remove it from the input.",
  },
  "expert/unused": {
    severity: "warning",
    message: "expert `{name}` of bank `{bank}` reaches no prediction or output",
    why: "It would be trained and run for nothing, or a gate was forgotten.",
    help: "Mix it in, or remove it.",
  },
  "output/name-taken": {
    severity: "error",
    message: "output `{name}` has the name of {what}",
    why: "A compiled model knows its inputs, predictions and outputs by name, in one namespace: a value that is fed and a value that is returned cannot share one.",
    help: "Give the output another name, for example one with `_out` at its end.",
    example:
      "model M {\n  input x: f32[B, 4]\n  task t: binary { loss: bce }\n  flow per task { return linear(x, task.width) }\n  output x = x * 2\n}",
  },
  "bank/empty": {
    severity: "error",
    message: "bank `{name}` has no entries",
    why: "A bank without experts has nothing to mix.",
    help: "Add an entry `name = Expert(...)`.",
  },
  "bank/entry": {
    severity: "error",
    message: "entry `{name}` of `{bank}` is {found}, not a tensor with the batch in front",
    why: "A bank holds tensors that gates mix, one row for each customer.",
    help: "Let the entry be the result of an expert.",
  },
  // ── groups and tasks ────────────────────────────────────────────────────
  "group/unknown": {
    severity: "error",
    message: "unknown group `{name}`",
    why: "A task belongs to a declared group.",
    help: "Check the spelling, or declare the group.",
  },
  "group/missing": {
    severity: "error",
    message: "task `{task}` is in no group, and this model has groups",
    why: "Groups partition the tasks: every task is in exactly one.",
    help: "Add `in GROUP` after the task's name.",
  },
  "group/empty": {
    severity: "warning",
    message: "group `{name}` has no enabled task",
    why: "An empty group is a leftover, or its tasks name another group.",
    help: "Remove it or put tasks in it.",
  },
  "task/kind": {
    severity: "error",
    message: "unknown task kind `{kind}`",
    why: "Kinds are binary, classes(n), regression, regression(n) and embedding(n).",
    help: "Use one of these.",
  },
  "task/classes": {
    severity: "error",
    message: "{message}",
    summary: "a width that does not fit the kind of a task",
    why: "The number in parentheses is the width of the task's logits: classes(n) needs n ≥ 2, embedding(n) n ≥ 1, binary takes none.",
    help: "State a width that fits the kind.",
  },
  "task/loss-missing": {
    severity: "error",
    message: "task `{task}` has no loss",
    why: "An enabled task is trained by its loss.",
    help: "Add `loss: ...`, or `loss: none` for a task that only feeds others.",
  },
  "task/loss-kind": {
    severity: "error",
    message: "loss `{loss}` does not fit the {kind} task `{task}`",
    why: "A loss states the task kinds that it fits: classification losses read logits as log-odds, regression losses as values.",
    help: "Choose a loss for this kind.",
  },
  "task/logit-shape": {
    severity: "error",
    message: "the flow gives task `{task}` {found}, not f32[B, {width}]",
    why: "A flow returns one logit for each class (or value) of its task: {width} here.",
    help: "End the flow with a tower `out: task.width`.",
  },
  "task/activated-twice": {
    severity: "error",
    message: "the flow of task `{task}` already ends in `{op}`, and {again}",
    why: "Flows return logits; plec applies the activation for predictions and computes losses from logits, where they are exact.",
    help: "Remove the activation at the end of the flow, or state `activation: none`.",
  },
  "task/no-route": {
    severity: "error",
    message: "task `{task}` has no route in `{bank}`",
    why: "A `routes` bank gives each task one of its entries, named by `route` of the task or of its group.",
    help: "Add `route: ...` to the task or to its group.",
  },
  "task/unknown-route": {
    severity: "error",
    message: "no `routes` bank has an entry `{name}`",
    why: "`route` names an entry of a `routes` bank.",
    help: "Check the spelling.",
  },
  "task/unknown-expert": {
    severity: "error",
    message: "task `{task}` prefers `{name}`, which is no expert of any bank",
    why: "`prefer` names entries of `experts` banks; a name that is skipped silently would start the gate with the wrong weights.",
    help: "Check the spelling.",
  },
  "task/preferred-twice": {
    severity: "warning",
    message: "task `{task}` prefers `{name}` twice",
    why: "A preference is there or not; twice has no further effect.",
    help: "Remove one of the two.",
  },
  // ── transfer ────────────────────────────────────────────────────────────
  "transfer/cycle": {
    severity: "error",
    message: "transfer cycle: {cycle}",
    why: "A task can only use the results of tasks computed before it. No order of these tasks satisfies every edge.",
    help: "Remove one of the edges.",
    example: "transfer a -> b = Residual()\ntransfer b -> a = Residual()",
  },
  "transfer/unknown-task": {
    severity: "error",
    message: "transfer {side} unknown task `{name}`",
    why: "Both ends of an edge are declared tasks; a skipped edge would change the model silently.",
    help: "Check the spelling.",
  },
  "transfer/disabled-task": {
    severity: "error",
    message: "transfer {side} `{name}`, which is disabled",
    why: "A disabled task computes nothing.",
    help: "Enable the task or remove the edge.",
  },
  "transfer/duplicate": {
    severity: "error",
    message: "a second transfer from `{from}` to `{to}`",
    why: "Two equal edges are one edge too many; to use several modules between two tasks, compose them in one.",
    help: "Remove one of the two.",
  },
  "transfer/dropped": {
    severity: "error",
    message: "task `{task}` has incoming transfers, and its flow never applies them",
    why: "An edge takes effect at the stage `transfers` of the target's flow; without it the edge would be dropped.",
    help: "Add `|> transfers` where the sources join.",
  },
  "transfer/twice": {
    severity: "error",
    message: "`transfers` stands twice in this flow",
    why: "Each edge is applied once.",
    help: "Remove one of the two.",
  },
  // ── training ────────────────────────────────────────────────────────────
  "train/duplicate": {
    severity: "error",
    message: "a second `train` block",
    why: "A model is trained in one way.",
    help: "Merge the two.",
  },
  "train/setting": {
    severity: "error",
    message: "{message}",
    summary: "a setting of the train block that training does not take",
    why: "The train block is checked against the settings that training knows.",
    help: "See `docs/language.md`, section 7.",
  },
});

export type Code = keyof typeof catalogue;

/** A finding of the checker; the compiler checks that every placeholder of the message has a value. */
export function finding<C extends Code>(
  code: C,
  span: Span | null,
  values: Placeholders<(typeof catalogue)[C]["message"]>,
  details: Details = {},
): Diagnostic {
  return makeDiagnostic(catalogue, code, span, values, details);
}
