import type { Block, Call, Expr, Node } from "../../dsl/ast.ts";
import { forEachChild } from "../../dsl/visit.ts";

/**
 * Names for the instances that calls make, fixed by the text alone so that sharing and weight files do not depend on what is evaluated: the callee's name,
 * numbered on repeats, within the `let` (or body) that holds it. A `let` whose value is one call gives its name to that call, whose label is then empty.
 */
export type CallLabels = ReadonlyMap<Call, string>;

const cache = new WeakMap<Node, CallLabels>();

/** Labels of every call of a body. */
export function labelCalls(body: Block | Expr): CallLabels {
  const before = cache.get(body);
  if (before !== undefined) return before;
  const labels = new Map<Call, string>();
  if (body.kind === "Block") labelBlock(body, labels);
  else labelValue(body, labels);
  cache.set(body, labels);
  return labels;
}

/** Names that are taken within one `let` or body. */
class UsedNames {
  readonly #names: Set<string>;
  /** The last number that each name was given. */
  readonly #numbers = new Map<string, number>();

  constructor(names: readonly string[]) {
    this.#names = new Set(names);
  }

  /** The name, numbered from 2 on where it is taken. */
  take(name: string): string {
    let n = this.#numbers.get(name) ?? 1;
    let label = n === 1 ? name : `${name}_${n}`;
    while (this.#names.has(label)) {
      n += 1;
      label = `${name}_${n}`;
    }
    this.#names.add(label);
    this.#numbers.set(name, n);
    return label;
  }
}

function labelBlock(block: Block, labels: Map<Call, string>): void {
  const used = new UsedNames(
    block.statements.flatMap((s) => (s.kind === "Let" ? s.names.slice(0, 1) : s.kind === "Param" ? [s.name] : [])).map((name) => name.text),
  );
  for (const statement of block.statements) {
    if (statement.kind === "Let") labelValue(statement.value, labels);
    else if (statement.kind !== "Param") labelNested(statement, labels, used);
  }
}

/** The value of a `let` or bank entry. */
function labelValue(value: Expr, labels: Map<Call, string>): void {
  const only = onlyCall(value);
  if (only !== null) labels.set(only, "");
  labelNested(value, labels, new UsedNames([]));
}

function onlyCall(value: Expr): Call | null {
  if (value.kind === "Paren") return onlyCall(value.inner);
  if (value.kind === "Call") return value;
  if (value.kind === "Pipe" && value.stages.length === 1) return value.stages[0] as Call;
  return null;
}

function labelNested(root: Node, labels: Map<Call, string>, used: UsedNames): void {
  const label = (node: Node): void => {
    if (node.kind === "Lambda" && node.body.kind === "Block") {
      labelBlock(node.body, labels);
      return;
    }
    forEachChild(node, label);
    if (node.kind === "Call" && !labels.has(node)) labels.set(node, used.take(calleeName(node.callee)));
  };
  label(root);
}

function calleeName(callee: Expr): string {
  if (callee.kind === "Reference") return callee.name;
  if (callee.kind === "Member") return callee.name.text;
  return "call";
}
