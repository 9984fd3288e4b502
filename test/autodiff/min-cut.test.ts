import { expect, test } from "vitest";
import { FlowNetwork } from "../../compiler/autodiff/min-cut.ts";
import { uniform } from "../training/run-steps.ts";

interface Network {
  readonly places: number;
  readonly edges: readonly (readonly [from: number, to: number, capacity: number])[];
}

/** The places behind the cheapest cut, from place 0 to the last. */
function cut({ places, edges }: Network): { readonly cost: number; readonly behind: ReadonlySet<number> } {
  const network = new FlowNetwork();
  for (let i = 0; i < places; i++) network.place();
  for (const edge of edges) network.connect(...edge);
  const behind = network.cut(0, places - 1);
  return { cost: costOf(edges, behind), behind };
}

function costOf(edges: Network["edges"], behind: ReadonlySet<number>): number {
  return edges.reduce((sum, [from, to, capacity]) => sum + (!behind.has(from) && behind.has(to) ? capacity : 0), 0);
}

/** All cuts, one by one. */
function cheapest({ places, edges }: Network): { readonly cost: number; readonly smallest: number } {
  const inner = places - 2;
  let best = { cost: Number.POSITIVE_INFINITY, smallest: 0 };
  for (let bits = 0; bits < 2 ** inner; bits++) {
    const behind = new Set([places - 1, ...Array.from({ length: inner }, (_, i) => i + 1).filter((i) => (bits >> (i - 1)) & 1)]);
    const cost = costOf(edges, behind);
    if (cost < best.cost || (cost === best.cost && behind.size < best.smallest)) best = { cost, smallest: behind.size };
  }
  return best;
}

test.each(Array.from({ length: 40 }, (_, seed) => seed))(
  "random network %i: no cut is cheaper, and none as cheap is nearer to the sink",
  (seed) => {
    const next = uniform(seed);
    const places = 8;
    const pick = (count: number) => Math.floor(((next() + 1) / 2) * count);
    const edges = Array.from({ length: 18 }, () => [pick(places - 1), 1 + pick(places - 1), pick(5)] as const).filter(([a, b]) => a !== b);
    const found = cut({ places, edges });
    const expected = cheapest({ places, edges });
    expect(found.cost).toBe(expected.cost);
    expect(found.behind.size).toBe(expected.smallest);
  },
);

test("edges without limit are never cut", () => {
  const edges = [
    [0, 1, Number.POSITIVE_INFINITY],
    [1, 2, 3],
    [2, 3, Number.POSITIVE_INFINITY],
    [1, 3, 2],
  ] as const;
  expect(cut({ places: 4, edges })).toEqual({ cost: 5, behind: new Set([3, 2]) });
});
