import { evaluateDim } from "./dim.ts";
import type { Graph, Node, Value } from "./graph.ts";
import { operandsOf } from "./reachable.ts";

const bytesOf = { f32: 4, i32: 4, bool: 1 } as const;

export interface PeakMemory {
  /** Bytes of all tensors that are alive at once, at the worst node; params and inputs count throughout. */
  readonly bytes: number;
  readonly node: Node | null;
  /** What is alive there, largest first. */
  readonly live: readonly { readonly value: Value; readonly bytes: number }[];
}

/**
 * What a run needs that executes the nodes in order and frees each tensor after its last use; ops that only give a tensor another shape take nothing. Scratch
 * memory of kernels, fragmentation and weights in other layouts are the engine's own and come on top.
 */
export function peakMemory(graph: Graph, symbols: ReadonlyMap<string, number>): PeakMemory {
  const sizeOf = (value: Value): number =>
    isView(value) ? 0 : value.type.shape.reduce<number>((size, dim) => size * evaluateDim(dim, symbols), bytesOf[value.type.dtype]);
  const kept = new Set<Value>([...graph.inputs, ...graph.params, ...graph.outputs].map(({ value }) => source(value)));
  const start = [...graph.inputs, ...graph.params].map(({ value }) => value);
  const { bytes, node } = peakOf(graph.nodes, kept, new Set(start), sizeOf);
  const live = new Set(start);
  if (node !== null) peakOf(graph.nodes, kept, live, sizeOf, node);
  return { bytes, node, live: node === null ? [] : largest(live, sizeOf) };
}

/** Walks the nodes up to the last one, or to another, and leaves in `live` what is alive there. */
function peakOf(
  nodes: readonly Node[],
  kept: ReadonlySet<Value>,
  live: Set<Value>,
  sizeOf: (value: Value) => number,
  end: Node | null = null,
): Pick<PeakMemory, "bytes" | "node"> {
  const lastUse = new Map<Value, Node>();
  for (const node of nodes) {
    for (const value of node.outputs) if (!lastUse.has(source(value))) lastUse.set(source(value), node);
    for (const value of operandsOf(node)) lastUse.set(source(value), node);
  }
  const freed = new Map<Node, Value[]>();
  for (const [value, node] of lastUse) {
    const values = freed.get(node);
    if (kept.has(value)) continue;
    if (values === undefined) freed.set(node, [value]);
    else values.push(value);
  }
  let bytes = [...live].reduce((sum, value) => sum + sizeOf(value), 0);
  let peak: Pick<PeakMemory, "bytes" | "node"> = { bytes, node: null };
  for (const node of nodes) {
    for (const value of node.outputs) {
      if (live.has(value)) continue;
      live.add(value);
      bytes += sizeOf(value);
    }
    const inside = node.op === "scan" ? peakOf(node.attributes.body.nodes, new Set(), new Set(), sizeOf).bytes : 0;
    if (bytes + inside > peak.bytes) peak = { bytes: bytes + inside, node };
    if (node === end) return peak;
    for (const value of freed.get(node) ?? []) if (live.delete(value)) bytes -= sizeOf(value);
  }
  return peak;
}

function largest(live: ReadonlySet<Value>, sizeOf: (value: Value) => number): PeakMemory["live"] {
  return [...live]
    .map((value) => ({ value, bytes: sizeOf(value) }))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, 20);
}

function isView({ node }: Value): boolean {
  return node.op === "reshape" || node.op === "stop_gradient" || node.op === "dropout";
}

/** The value whose memory a view shares. */
function source(value: Value): Value {
  return isView(value) ? source(value.node.inputs[0] as Value) : value;
}
