import type { Value } from "../../ir/graph.ts";
import { evaluateShape, fullArray } from "../../ir/ndarray.ts";
import type { Mix, Pair } from "./analysis/mixes.ts";
import type { ModelAnalysis } from "./analysis/model-analysis.ts";
import { median } from "./analysis/statistics.ts";
import { defineRule } from "./engine/rule.ts";

export const expertOutweighs = defineRule({
  code: "lint/expert-outweighs",
  severity: "warning",
  message: "expert `{name}` is {width} wide where the others are {others}, and the gate does not even that out",
  why: "A gate that scales blocks of a concatenation gives each block one weight. The block of a wide expert has the more columns and so the larger norm: at equal weights the layers behind hear it more than all the others, whatever the gate says.",
  help: "Scale each block by √(mean width / its width), which `dim_normalize: true` of the library's BlockScale does, or give the experts one width.",
  options: {
    ratio: { default: 2, least: 1, what: "a block whose squared norm is at least this many times the median of the others dwarfs them" },
  },
  check({ models }, report, { ratio }) {
    for (const { analysis } of models) {
      const seen = new Set<unknown>();
      for (const mix of analysis.mixes) {
        const blocks = blocksOf(mix, analysis);
        for (const { pair, width, energy } of blocks) {
          const others = blocks.filter((block) => block.pair !== pair);
          if (others.length === 0 || energy < ratio * median(others.map((block) => block.energy))) continue;
          const { name, entry } = analysis.entryOf(pair);
          if (seen.has(entry)) continue;
          seen.add(entry);
          const span = analysis.placeOf(pair.gate);
          const values = { name, width, others: describeWidths(others.map((block) => block.width)) };
          report(entry.name.span, values, { notes: [{ message: "the gate", span }] });
        }
      }
    }
  },
});

interface Block {
  readonly pair: Pair;
  readonly width: number;
  /** Squared norm at even weights and columns of one variance. */
  readonly energy: number;
}

/** The blocks that a gate scales, where they stand side by side in a concatenation. */
function blocksOf({ pairs }: Mix, analysis: ModelAnalysis): readonly Block[] {
  return pairs.flatMap((pair) => {
    if (pair.columns === null) return [];
    const { start, stop } = pair.columns;
    const factors = factorsOf(pair, analysis);
    const first = pair.weightStart;
    const squares = Array.from({ length: stop - start }, (_, i) => (factors?.[first === null ? 0 : first + i] ?? 1) ** 2);
    return [{ pair, width: stop - start, energy: squares.reduce((sum, square) => sum + square, 0) }];
  });
}

/** What multiplies the columns beside the weights of the gate: the factor with every weight at 1. */
function factorsOf({ gate, weights }: Pair, analysis: ModelAnalysis): Float64Array | null {
  const output = gate.outputs[0] as Value;
  const ones = fullArray(evaluateShape(output.type.shape, new Map([["B", 1]])), 1);
  return analysis.estimate("mean", new Map([[output, ones]])).of(weights)?.data ?? null;
}

function describeWidths(widths: readonly number[]): string {
  const [low, high] = [Math.min(...widths), Math.max(...widths)];
  return low === high ? String(low) : `${low} to ${high}`;
}
