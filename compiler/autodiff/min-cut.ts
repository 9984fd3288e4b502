interface Edge {
  readonly to: number;
  capacity: number;
  /** The edge in the other direction, whose capacity is the flow. */
  readonly back: number;
}

/**
 * A network of numbered places through which as much flows as its edges let through.
 *
 * @see Dinic, Algorithm for solution of a problem of maximum flow in networks with power estimation, 1970
 */
export class FlowNetwork {
  readonly #edges: Edge[] = [];
  readonly #from: number[][] = [];

  /** A new place. */
  place(): number {
    return this.#from.push([]) - 1;
  }

  connect(from: number, to: number, capacity: number): void {
    this.#add(from, to, capacity);
    this.#add(to, from, 0);
  }

  /** Of the cheapest cuts the one nearest to the sink: the places on the side of the sink. */
  cut(source: number, sink: number): ReadonlySet<number> {
    for (let levels = this.#levels(source); levels[sink] !== undefined; levels = this.#levels(source)) this.#fill(source, sink, levels);
    const behind = new Set([sink]);
    for (const at of behind)
      for (const index of this.#from[at] ?? []) {
        const edge = this.#edges[index] as Edge;
        if ((this.#edges[edge.back] as Edge).capacity > 0) behind.add(edge.to);
      }
    return behind;
  }

  #add(from: number, to: number, capacity: number): void {
    const index = this.#edges.push({ to, capacity, back: this.#edges.length ^ 1 }) - 1;
    this.#from[from]?.push(index);
  }

  /** Steps from the source over edges that are not full. */
  #levels(source: number): number[] {
    const levels: number[] = [];
    levels[source] = 0;
    const queue = [source];
    for (const at of queue)
      for (const index of this.#from[at] ?? []) {
        const { to, capacity } = this.#edges[index] as Edge;
        if (capacity <= 0 || levels[to] !== undefined) continue;
        levels[to] = (levels[at] as number) + 1;
        queue.push(to);
      }
    return levels;
  }

  /** Sends flow along shortest paths until they are full. */
  #fill(source: number, sink: number, levels: readonly number[]): void {
    const next = this.#from.map(() => 0);
    const path: number[] = [];
    let at = source;
    for (;;) {
      if (at === sink) {
        const flow = Math.min(...path.map((index) => (this.#edges[index] as Edge).capacity));
        for (const index of path) {
          const edge = this.#edges[index] as Edge;
          edge.capacity -= flow;
          (this.#edges[edge.back] as Edge).capacity += flow;
        }
        path.length = 0;
        at = source;
        continue;
      }
      const edges = this.#from[at] as readonly number[];
      const index = edges[next[at] as number];
      if (index === undefined) {
        // A dead end: back by one edge, which is not tried again.
        const last = path.pop();
        if (last === undefined) return;
        at = (this.#edges[(this.#edges[last] as Edge).back] as Edge).to;
        next[at] = (next[at] as number) + 1;
        continue;
      }
      const { to, capacity } = this.#edges[index] as Edge;
      if (capacity > 0 && levels[to] === (levels[at] as number) + 1) {
        path.push(index);
        at = to;
      } else next[at] = (next[at] as number) + 1;
    }
  }
}
