import type { Param } from "../../../dsl/ast.ts";
import type { Fix } from "../../../dsl/diagnostic.ts";
import { walk } from "../../../dsl/visit.ts";
import type { DeclaredParam } from "../../elaborate/context.ts";
import type { Value } from "../../ir/graph.ts";
import type { OpName } from "../../ops/attributes.ts";
import type { LoadedFile } from "../../project.ts";
import { defineRule, type LintedModel } from "./engine/rule.ts";

export const decayExempt = defineRule({
  code: "lint/decay-exempt",
  severity: "warning",
  message: "the parameter `{name}` is {role}, and weight decay pulls it to zero",
  why: "Weight decay keeps factors of matrix products small. Offsets, scales of normalisations, rows of embedding tables that are read rarely, and what passes an exponential have their neutral value elsewhere, or need not be small: decay only biases them. Parameters of rank 0 and 1 are exempt by default, others say so.",
  help: "Add `{ decay: false }`.",
  options: {},
  check({ models, files }, report) {
    for (const model of models) {
      const reported = new Set<unknown>();
      for (const param of model.params) {
        if (!param.decay || param.frozen || reported.has(param.span)) continue;
        const role = exemptRole(param, model);
        if (role === null) continue;
        reported.add(param.span);
        report(model.analysis.placeOf(param.value.node), { name: param.name, role }, { fixes: fixesFor(param, files) });
      }
    }
  },
});

const moving: ReadonlySet<OpName> = new Set<OpName>(["reshape", "slice", "transpose", "expand", "stop_gradient", "dropout"]);
const transforming: ReadonlySet<OpName> = new Set<OpName>(["exp", "log", "softplus", "sigmoid", "tanh", "softmax", "log_softmax"]);

/** What a parameter is by the ops that read it, where all of them agree that decay does harm; null otherwise. */
function exemptRole(param: DeclaredParam, model: LintedModel): string | null {
  const roles = new Set(readers(param.value, model).map(({ op, position }) => roleOf(op, position)));
  const [role] = roles;
  if (roles.size !== 1 || role === undefined || role === null) return null;
  if (role !== "factor") return role;
  const start = model.analysis.estimate("mean").of(param.value);
  return start?.data.every((value) => value === 1) ? "a scale that starts at 1" : null;
}

function roleOf(op: OpName, position: number): string | null {
  if (op === "gather" && position === 0) return "a table that is read by ids";
  if (op === "add" || op === "sub") return "an offset";
  if (op === "layer_norm" && position > 0) return "the scale or offset of a normalisation";
  if (op === "mul" || op === "div") return "factor";
  return transforming.has(op) ? `read through \`${op}\`` : null;
}

/** The ops that read a value, behind those that only move it. */
function readers(value: Value, { analysis }: LintedModel): readonly { readonly op: OpName; readonly position: number }[] {
  const found: { op: OpName; position: number }[] = [];
  const pending = [value];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const node of analysis.consumers.get(next) ?? []) {
      if (moving.has(node.op)) pending.push(...node.outputs);
      else found.push({ op: node.op, position: node.inputs.indexOf(next) });
    }
  }
  return found;
}

/** Not safe in the sense of `--fix`: predictions stay as they are, training does not. */
function fixesFor({ span }: DeclaredParam, files: readonly LoadedFile[]): readonly Fix[] {
  const statement = findStatement(span, files);
  if (statement === null) return [];
  const { tags } = statement;
  const title = "exempt it from weight decay";
  if (tags === null) return [{ title, safe: false, edits: [{ span: { ...span, start: span.end }, text: " { decay: false }" }] }];
  const stated = tags.fields.find((field) => field.name.text === "decay");
  if (stated !== undefined) return [{ title, safe: false, edits: [{ span: stated.value.span, text: "false" }] }];
  const open = { ...tags.span, start: tags.span.start + 1, end: tags.span.start + 1 };
  return [{ title, safe: false, edits: [{ span: open, text: tags.fields.length === 0 ? " decay: false " : " decay: false," }] }];
}

function findStatement(span: DeclaredParam["span"], files: readonly LoadedFile[]): Param | null {
  let found: Param | null = null;
  const file = files.find(({ source }) => source === span.source)?.file;
  if (file !== undefined)
    walk(file, (node) => {
      if (node.kind === "Param" && node.span.start === span.start) found = node;
    });
  return found;
}
