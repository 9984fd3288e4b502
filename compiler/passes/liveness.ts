import type { Node, NodeOf, Value } from "../ir/graph.ts";

/** What results depend on: nodes, and of loops each state and each scanned tensor for itself. */
export class Liveness {
  readonly #live = new Set<Value>();

  constructor(nodes: readonly Node[], results: readonly Value[]) {
    this.#walk(nodes, results);
  }

  has(node: Node): boolean {
    return node.outputs.some((output) => this.#live.has(output));
  }

  /** Positions of the operands of a loop that count. */
  operandsOf({ inputs, attributes: { body, states } }: NodeOf<"scan">): readonly number[] {
    const counts = inputs.map((_, i) => this.#live.has(body.inputs[i] as Value));
    // A loop is as long as what it goes over.
    if (!counts.slice(states).includes(true)) counts[states] = true;
    return [...counts.keys()].filter((i) => counts[i]);
  }

  #walk(nodes: readonly Node[], results: readonly Value[]): void {
    for (const value of results) this.#live.add(value);
    for (const node of nodes.toReversed()) {
      if (!this.has(node)) continue;
      const operands = node.op === "scan" ? this.#enter(node as NodeOf<"scan">) : node.inputs;
      for (const value of operands) this.#live.add(value);
    }
  }

  /** Marks what counts in a loop's body; gives the operands that count. A state counts that is read outside, or by the next value of one that counts. */
  #enter(node: NodeOf<"scan">): readonly Value[] {
    const { body } = node.attributes;
    const counting = new Set<number>();
    for (;;) {
      const added = body.results.flatMap((_, i) => {
        const isRead = this.#live.has(node.outputs[i] as Value) || this.#live.has(body.inputs[i] as Value);
        return isRead && !counting.has(i) ? [i] : [];
      });
      if (added.length === 0) break;
      for (const state of added) {
        counting.add(state);
        this.#live.add(body.inputs[state] as Value);
      }
      this.#walk(
        body.nodes,
        [...counting].map((state) => body.results[state] as Value),
      );
    }
    return this.operandsOf(node).map((i) => node.inputs[i] as Value);
  }
}
