import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type CheckedFile, checkFile, checkSource } from "../../compiler/driver.ts";
import type { Value } from "../../compiler/ir/graph.ts";
import { sizeOf } from "../../compiler/ir/ndarray.ts";
import type { CheckedModel } from "../../compiler/model.ts";

const folder = "specs";

/** File names of every architecture. */
export const specFiles: readonly string[] = readdirSync(folder).filter((name) => name.endsWith(".ple"));

const checked = new Map<string, CheckedFile>();

/** A spec of the repository, checked once. */
export function checkSpec(name: string): CheckedFile {
  const known = checked.get(name) ?? checkFile(join(folder, name));
  checked.set(name, known);
  return known;
}

export function specText(name: string): string {
  return readFileSync(join(folder, name), "utf8");
}

/** The one model of a file without findings. */
export function modelOf({ models, diagnostics }: CheckedFile): CheckedModel {
  const [model] = models;
  if (model === undefined) throw new Error(diagnostics.map(({ code, message }) => `${code}: ${message}`).join("\n"));
  return model;
}

/** A spec after an edit of its text, which must apply. */
export function editSpec(name: string, ...edits: readonly (readonly [from: string | RegExp, to: string])[]): CheckedFile {
  const text = edits.reduce((before, [from, to]) => {
    const after = before.replace(from, to);
    if (after === before) throw new Error(`${name} has no ${from}`);
    return after;
  }, specText(name));
  return checkSource(join(folder, name), text);
}

/** Weights under paths that match. */
export function countWeights({ parameters }: CheckedModel, path = /^/): number {
  return parameters
    .filter(({ name }) => path.test(name))
    .reduce((total, { value }) => total + sizeOf(value.type.shape as readonly number[]), 0);
}

/** Names of the weights that the gradient of a value reaches. */
export function trainedBy(value: Value): ReadonlySet<string> {
  const seen = new Set<Value>();
  const names = new Set<string>();
  const pending = [value];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    if (seen.has(at) || at.node.op === "stop_gradient") continue;
    seen.add(at);
    if (at.node.op === "param") names.add(at.node.attributes.name);
    pending.push(...at.node.inputs, ...(at.node.op === "scan" ? at.node.attributes.body.captures : []));
  }
  return names;
}

export function logitOf({ tasks }: CheckedModel, name: string): Value {
  const logit = tasks.find((task) => task.name === name)?.logit;
  if (logit === undefined || logit === null) throw new Error(`no logit of ${name}`);
  return logit;
}
