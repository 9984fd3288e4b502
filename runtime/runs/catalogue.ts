import type { CheckedModel } from "../../compiler/model.ts";
import { type Diagnostic, defineCatalogue, makeDiagnostic, type Note } from "../../dsl/diagnostic.ts";
import type { Span } from "../../dsl/source.ts";
import type { NonFinite } from "./find-non-finite.ts";

/** Findings of training. Codes are stable. */
export const trainingCatalogue = defineCatalogue({
  "train/not-finite": {
    severity: "error",
    message: "{op} in `{path}` made {found}{backward}",
    why: "A NaN or an infinity spreads to every weight with the next step, so training stops before it takes that step; the op that made it is the one to mend.",
    help: "Keep the op's operand where it is defined: `log(max(x, 1e-6))`, `x / max(n, 1)`, `exp(min(x, 60))`, `sqrt(x + 1e-6)`. `where` does not help: the gradient of the branch that is not taken is computed too. Losses from logits (`bce`, `nll`, `focal`) need none of this. Where the operands are right and have grown from step to step, lower the learning rate or set `clip`.",
  },
  "train/not-finite-input": {
    severity: "error",
    message: "`{path}` holds {found} before the step",
    why: "A weight or a value of the batch that is no finite number makes every loss one.",
    help: "For a value, clean the column; for a weight, lower the learning rate or set `clip`: the step before made it so large.",
  },
});

/** What training says of an op that made a NaN or an infinity, with its place and, for an op of the library, the place that called it. */
export function describeNonFinite(model: CheckedModel, { op, path, span, found }: NonFinite): Diagnostic {
  if (op === "input") return makeDiagnostic(trainingCatalogue, "train/not-finite-input", null, { path, found });
  const own = path.replace(/^gradient\//, "");
  const caller = span === null || span.source.library ? callerOf(model, own) : null;
  const notes: Note[] = caller === null ? [] : [{ message: "called from here", span: caller }];
  const values = { op: own === path ? op : `the gradient (${op})`, path: own, found, backward: own === path ? "" : " on the way back" };
  const { help } = trainingCatalogue["train/not-finite"];
  return makeDiagnostic(trainingCatalogue, "train/not-finite", span ?? caller, values, { notes: span === null ? [] : notes, help });
}

/** The place in the user's text whose evaluation made a node: the expert, the task, or what else the path begins with. */
function callerOf(model: CheckedModel, path: string): Span | null {
  const within = (start: string) => path === start || path.startsWith(`${start}/`);
  const entry = model.banks.flatMap(({ instances }) => instances).find((instance) => within(instance.path));
  if (entry !== undefined) return entry.span;
  const [first] = path.split("/");
  const nodes = new Set([...model.graph.nodes, ...model.training.nodes]);
  const placed = [...nodes].filter(({ span }) => span !== null && !span.source.library);
  const near = placed.find((node) => node.path.split("/")[0] === first);
  const task = model.tasks.find(({ name }) => path.split("/").includes(name));
  return near?.span ?? task?.span ?? null;
}
