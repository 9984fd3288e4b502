import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { finding } from "../check/catalogue.ts";
import type { Value } from "../ir/graph.ts";
import type { DeclaredPenalty } from "./context.ts";

/**
 * The terms of the loss by name: the path of the place. What tasks that share an instance find equal is one term; where they differ, each task's
 * term has the task's name behind the path.
 */
export function namePenalties(
  declared: readonly DeclaredPenalty[],
  diagnostics: Diagnostic[],
): readonly { readonly name: string; readonly value: Value }[] {
  const instances = new Map<string, DeclaredPenalty[]>();
  for (const penalty of declared) {
    const { span, path } = penalty;
    const key = `${path} ${span.source.name} ${span.start}`;
    const same = instances.get(key) ?? [];
    if (!same.some(({ value }) => value === penalty.value)) same.push(penalty);
    instances.set(key, same);
  }
  const named = new Map<string, DeclaredPenalty>();
  for (const instance of instances.values()) {
    for (const [i, penalty] of instance.entries()) {
      const name = instance.length === 1 ? penalty.path : `${penalty.path}/${penalty.task ?? i}`;
      const before = named.get(name);
      if (before === undefined) named.set(name, penalty);
      else {
        const notes = [{ message: "declared here first", span: before.span }];
        // Twice in one definition was found when names were resolved, and is said in the same words.
        const [own, other] = [penalty, before].map(({ span }) => span.source.text.slice(span.start, span.end)) as [string, string];
        diagnostics.push(finding("name/duplicate", penalty.span, { name: own === other ? own : name }, { notes }));
      }
    }
  }
  return [...named].map(([name, { value }]) => ({ name, value }));
}
