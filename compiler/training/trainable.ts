import type { GraphParam, Value } from "../ir/graph.ts";
import type { CheckedModel } from "../model.ts";
import type { AdaTT, Phase, TrainingPlan } from "./plan.ts";

/** Why a plan cannot be carried out; the message says what to change. */
export class PlanError extends Error {
  override readonly name = "PlanError";
}

/** Whether a parameter belongs to something of this name: a bank, a `let`, a `param` or a tag. */
export function isPartOf(param: GraphParam, name: string): boolean {
  return param.name === name || param.name.startsWith(`${name}/`) || param.tag === name;
}

/** The parameters that a phase trains: those that a loss or a penalty reaches and that nothing freezes. */
export function trainedParams(model: CheckedModel, phase: Phase): readonly GraphParam[] {
  const reached = reachedParams(model.training.outputs.map(({ value }) => value));
  return model.training.params.filter(
    (param) => reached.has(param.name) && !param.frozen && !phase.freeze.some((name) => isPartOf(param, name)),
  );
}

/** Whether adaTT's freezing holds a parameter too. */
export function freezesWith(param: GraphParam, adatt: AdaTT | null): boolean {
  if (adatt === null || !Number.isFinite(adatt.freeze)) return false;
  return adatt.freezeWith === null ? param.tag === "gate" : adatt.freezeWith.some((name) => isPartOf(param, name));
}

/** Names of the parameters that gradients of the values reach. */
export function reachedParams(values: readonly Value[]): ReadonlySet<string> {
  const seen = new Set<Value>();
  const names = new Set<string>();
  const pending = [...values];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const { node } = at;
    if (seen.has(at) || node.op === "stop_gradient" || at.type.dtype !== "f32") continue;
    seen.add(at);
    if (node.op === "param") names.add(node.attributes.name);
    pending.push(...node.inputs);
    if (node.op === "scan") pending.push(...node.attributes.body.captures);
  }
  return names;
}

/** What gradients of tasks are compared over: the parameters under the names, or else what the shared experts give. */
export function sharedValues(model: CheckedModel, over: readonly string[] | null, asker: string): readonly Value[] {
  const nodes = new Set(model.training.nodes);
  if (over !== null) {
    const found = model.training.params.filter((param) => over.some((name) => isPartOf(param, name)));
    if (found.length === 0) throw new PlanError(`\`over\` of ${asker} names nothing that has parameters: ${over.join(", ")}`);
    return found.map(({ value }) => value);
  }
  const banks = model.banks.filter(({ role, per }) => role === "experts" && per === null);
  const values = banks.flatMap((bank) => bank.instances.map(({ value }) => value)).filter((value) => nodes.has(value.node));
  if (values.length > 0) return [...new Set(values)];
  throw new PlanError(
    `${asker} compares the tasks' gradients over what shared experts give, and the model has none: say what they share with \`over: [name]\``,
  );
}

/** Finds what of a plan a step cannot honour. */
export function checkPlan(model: CheckedModel, plan: TrainingPlan): void {
  if (model.losses.length === 0) throw new PlanError(`${model.name} has no task with a loss, so that there is nothing to train`);
  for (const phase of plan.phases) {
    for (const name of phase.freeze) requireParams(model, name, `phase \`${phase.name}\` freezes`);
    if (trainedParams(model, phase).length === 0) throw new PlanError(`phase \`${phase.name}\` freezes every parameter`);
  }
  if (plan.adatt === null) return;
  for (const name of plan.adatt.freezeWith ?? []) requireParams(model, name, "adaTT freezes");
  const { form } = plan.weighting;
  if (form === "gradnorm" || form === "pcgrad")
    throw new PlanError(
      `adatt and ${form} both decide from the tasks' gradients how much each counts: take one of them (adatt goes with uncertainty, fixed and dwa)`,
    );
}

function requireParams(model: CheckedModel, name: string, what: string): void {
  if (model.training.params.some((param) => isPartOf(param, name))) return;
  throw new PlanError(`${what} \`${name}\`, which has no parameters of its own; name the bank, \`let\`, \`param\` or tag that has them`);
}
