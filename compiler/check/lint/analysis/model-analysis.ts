import type { Span } from "../../../../dsl/source.ts";
import type { ElaboratedModel } from "../../../elaborate/model.ts";
import type { EvaluatedEntry } from "../../../elaborate/model-scope.ts";
import { symbolsOf } from "../../../ir/dim.ts";
import type { Node, Value } from "../../../ir/graph.ts";
import type { NdArray } from "../../../ir/ndarray.ts";
import { Estimate, type ParamValues } from "./estimate.ts";
import { findMixes, type Mix, type Pair } from "./mixes.ts";

/** How far back a node's place in the user's text is looked for. */
const farthest = 60;

/** What several rules ask of a model's graph, each found out on first use. */
export class ModelAnalysis {
  readonly #model: ElaboratedModel;
  readonly #experts: ReadonlyMap<Value, EvaluatedEntry>;
  #dependent: ReadonlySet<Node> | undefined;
  #mixes: readonly Mix[] | undefined;
  #consumers: ReadonlyMap<Value, readonly Node[]> | undefined;

  constructor(model: ElaboratedModel) {
    this.#model = model;
    const experts = model.entries.filter(({ bank }) => bank.role === "experts");
    this.#experts = new Map(experts.map((entry) => [entry.tensor.value, entry]));
  }

  /** The nodes that inputs reach. */
  get dependent(): ReadonlySet<Node> {
    if (this.#dependent === undefined) {
      const dependent = new Set<Node>();
      for (const node of this.#model.whole.nodes) {
        const captures = node.op === "scan" ? node.attributes.body.captures : [];
        if (node.op === "input" || [...node.inputs, ...captures].some((value) => dependent.has(value.node))) dependent.add(node);
      }
      this.#dependent = dependent;
    }
    return this.#dependent;
  }

  /** Where gates weigh experts. */
  get mixes(): readonly Mix[] {
    this.#mixes ??= findMixes(this.#model.whole, [...this.#experts.keys()]);
    return this.#mixes;
  }

  /** The entry of a bank that a pair's expert is. */
  entryOf({ entry }: Pair): EvaluatedEntry {
    return this.#experts.get(entry) as EvaluatedEntry;
  }

  /** The nodes that read each value, loop bodies left out. */
  get consumers(): ReadonlyMap<Value, readonly Node[]> {
    if (this.#consumers === undefined) {
      const consumers = new Map<Value, Node[]>();
      for (const node of this.#model.whole.nodes) {
        for (const value of node.inputs) {
          const known = consumers.get(value);
          if (known === undefined) consumers.set(value, [node]);
          else known.push(node);
        }
      }
      this.#consumers = consumers;
    }
    return this.#consumers;
  }

  /** Values before training, with batches of `batch` rows and dynamic dims of 2. */
  estimate(kind: ParamValues, given: ReadonlyMap<Value, NdArray> = new Map(), batch = 1): Estimate {
    const { whole } = this.#model;
    const symbols = new Map(whole.inputs.flatMap(({ value }) => value.type.shape.flatMap(symbolsOf)).map((symbol) => [symbol, 2]));
    return new Estimate(whole, this.dependent, symbols.set("B", batch), kind, given);
  }

  /**
   * The place of a node in the user's own files: its own, or for a node that the library made that of the nearest parameter behind it, whose place is the
   * call that entered the library.
   */
  placeOf(node: Node): Span {
    const seen = new Set<Node>([node]);
    for (const at of seen) for (const input of at.inputs) if (seen.size < farthest) seen.add(input.node);
    const placed = [...seen].filter(({ span }) => span !== null && !span.source.library);
    const nearest = placed[0] === node ? node : (placed.find(({ op }) => op === "param") ?? placed[0]);
    return nearest?.span ?? this.#model.declarations.model.name.span;
  }
}
