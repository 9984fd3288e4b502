import type { Note } from "../../dsl/diagnostic.ts";
import type { Span } from "../../dsl/source.ts";

/** That `to` needs `from` computed before it. */
export interface Dependency {
  readonly from: string;
  readonly to: string;
  readonly span: Span;
  /** `transfer`, or `use` for a flow that reads another task by name. */
  readonly kind: "transfer" | "use";
}

/** An order of the tasks, and the cycles that keep it from satisfying every dependency, each edge by edge. */
export interface Ordering {
  readonly order: readonly string[];
  readonly cycles: readonly (readonly Dependency[])[];
}

/** Cycles beyond this follow from the ones before. */
const mostCycles = 8;

/** The order of execution. The edges of each cycle found are left aside for the next one, so that no two cycles share an edge. */
export function orderTasks(tasks: readonly string[], dependencies: readonly Dependency[]): Ordering {
  const cycles: (readonly Dependency[])[] = [];
  for (let left = dependencies; ; ) {
    const order = sortTasks(tasks, left);
    if (order.length === tasks.length || cycles.length === mostCycles) return { order, cycles };
    const placed = new Set(order);
    const cycle = findCycle(
      tasks.filter((task) => !placed.has(task)),
      left,
    );
    cycles.push(cycle);
    left = left.filter((dependency) => !cycle.includes(dependency));
  }
}

/**
 * Kahn's algorithm: the tasks that no cycle holds back. Among tasks that are ready, the one declared first goes first.
 *
 * @see Kahn, Topological sorting of large networks, CACM 1962
 */
function sortTasks(tasks: readonly string[], dependencies: readonly Dependency[]): readonly string[] {
  const waiting = new Map(tasks.map((task) => [task, 0]));
  const outgoing = new Map<string, Dependency[]>(tasks.map((task) => [task, []]));
  for (const dependency of dependencies) {
    waiting.set(dependency.to, (waiting.get(dependency.to) ?? 0) + 1);
    outgoing.get(dependency.from)?.push(dependency);
  }
  const position = new Map(tasks.map((task, i) => [task, i]));
  const ready = new ReadyQueue(tasks.flatMap((task, i) => (waiting.get(task) === 0 ? [i] : [])));
  const order: string[] = [];
  for (let next = ready.take(); next !== null; next = ready.take()) {
    const task = tasks[next] as string;
    order.push(task);
    for (const { to } of outgoing.get(task) ?? []) {
      const left = (waiting.get(to) ?? 0) - 1;
      waiting.set(to, left);
      if (left === 0) ready.add(position.get(to) as number);
    }
  }
  return order;
}

/** Positions that are ready, smallest first: a binary heap. */
class ReadyQueue {
  readonly #heap: number[] = [];

  constructor(initial: readonly number[]) {
    for (const item of initial) this.add(item);
  }

  add(item: number): void {
    const heap = this.#heap;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((heap[parent] as number) <= item) break;
      heap[at] = heap[parent] as number;
      at = parent;
    }
    heap[at] = item;
  }

  take(): number | null {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined) return null;
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child + 1 < heap.length && (heap[child + 1] as number) < (heap[child] as number)) child += 1;
      if (child >= heap.length || (heap[child] as number) >= last) break;
      heap[at] = heap[child] as number;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

/** Walks back along dependencies among tasks that wait for each other until one repeats. */
function findCycle(stuck: readonly string[], dependencies: readonly Dependency[]): readonly Dependency[] {
  const inside = new Set(stuck);
  const incoming = new Map<string, Dependency>();
  for (const dependency of dependencies) {
    if (inside.has(dependency.from) && inside.has(dependency.to) && !incoming.has(dependency.to)) incoming.set(dependency.to, dependency);
  }
  const path: Dependency[] = [];
  const seen = new Set<string>();
  let at = stuck[0] as string;
  while (!seen.has(at)) {
    seen.add(at);
    const dependency = incoming.get(at);
    if (dependency === undefined) return path;
    path.push(dependency);
    at = dependency.from;
  }
  const start = path.findIndex((dependency) => dependency.to === at);
  const cycle = path.slice(start).reverse();
  // Begin with the edge that is written first.
  const first = cycle.reduce((best, dependency, i) => (dependency.span.start < (cycle[best] as Dependency).span.start ? i : best), 0);
  return [...cycle.slice(first), ...cycle.slice(0, first)];
}

export function formatCycle(cycle: readonly Dependency[]): string {
  return [...cycle.map((edge) => edge.from), cycle[0]?.from ?? ""].join(" → ");
}

export function cycleNotes(cycle: readonly Dependency[]): readonly Note[] {
  return cycle.map((edge) => ({
    message: edge.kind === "transfer" ? `${edge.from} → ${edge.to}` : `the flow of ${edge.to} reads ${edge.from}`,
    span: edge.span,
  }));
}
