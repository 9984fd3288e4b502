import type { Node, Value } from "../../ir/graph.ts";
import { evaluateShape, fullArray } from "../../ir/ndarray.ts";
import type { OpName } from "../../ops/attributes.ts";
import { elementwiseOps } from "./analysis/estimate.ts";
import type { ModelAnalysis } from "./analysis/model-analysis.ts";
import { defineRule } from "./engine/rule.ts";

/** Positive values that every sensible function of a scalar tells apart, after a sigmoid too. */
const probes = [0.5, 1, 2, 4];
/** Outputs that differ by less than this share of their size are alike. */
const alike = 0.01;
/** What is fed to a normalisation is looked for this many nodes back. */
const farthest = 100;

export const scalarErased = defineRule({
  code: "lint/scalar-erased",
  severity: "warning",
  message: "{what} normalises what is made of a single number: all of its positive values come out alike",
  why: "A normalisation divides by the size of its input. Of w·p with one number p it leaves w / |w|: the prediction of the source task, which is what the edge should hand over, is divided out, and what arrives is a constant that trains like one.",
  help: "Add a bias that does not start at zero before the normalisation (the library's `Residual` draws it from U(-1, 1)), hand over the source's `hidden` instead, or leave the normalisation out.",
  options: {},
  check({ models }, report) {
    for (const { analysis, whole, declarations } of models) {
      for (const node of whole.nodes) {
        if (node.op !== "layer_norm" && node.op !== "div") continue;
        const scalar = scalarBehind(node, analysis);
        if (scalar === null || !erases(node, scalar, analysis)) continue;
        const span = analysis.placeOf(node);
        const edge = declarations.transfers.find(
          ({ from, to }) => node.path.startsWith(`flow/${to.text}/`) && node.path.includes(`/transfers/${from.text}/`),
        );
        const what = edge === undefined ? `\`${node.path}\`` : `the transfer \`${edge.from.text} -> ${edge.to.text}\``;
        report(
          edge?.span ?? span,
          { what },
          { notes: edge === undefined || span === edge.value.span ? [] : [{ message: "normalised here", span }] },
        );
      }
    }
  },
});

const reductions: ReadonlySet<OpName> = new Set<OpName>(["reduce_sum", "reduce_mean", "reduce_max", "reduce_min"]);

/** The one number for each row on which a value depends alone, or null. */
function scalarBehind(node: Node, analysis: ModelAnalysis): Value | null {
  return onlyScalar(node, analysis, isScalar) ?? onlyScalar(node, analysis, (value) => isScalar(value) && !isDerived(value.node));
}

function onlyScalar(node: Node, { dependent }: ModelAnalysis, ends: (value: Value) => boolean): Value | null {
  const scalars = new Set<Value>();
  const seen = new Set<Value>();
  const pending = [...node.inputs];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (seen.has(value) || !dependent.has(value.node)) continue;
    seen.add(value);
    if (ends(value)) scalars.add(value);
    else if (seen.size < farthest && (isDerived(value.node) || isScaling(value.node))) pending.push(...value.node.inputs);
    else return null;
  }
  const [only] = scalars;
  return scalars.size === 1 && only !== undefined ? only : null;
}

function isScalar({ type }: Value): boolean {
  return type.dtype === "f32" && (type.shape.length === 1 || type.shape.at(-1) === 1);
}

function isDerived({ op }: Node): boolean {
  return elementwiseOps.has(op) || reductions.has(op);
}

/** A product of a column and a row. */
function isScaling(node: Node): boolean {
  return node.op === "matmul" && node.inputs[0]?.type.shape.at(-1) === 1;
}

function erases(node: Node, scalar: Value, analysis: ModelAnalysis): boolean {
  const shape = evaluateShape(scalar.type.shape, new Map([["B", 1]]));
  const outputs = probes.map((probe) =>
    analysis.estimate("drawn", new Map([[scalar, fullArray(shape, probe)]])).of(node.outputs[0] as Value),
  );
  const [first, ...rest] = outputs;
  if (first == null || first.data.some((value) => !Number.isFinite(value))) return false;
  const size = Math.max(...first.data.map(Math.abs));
  return rest.every((output) => output?.data.every((value, i) => Math.abs(value - (first.data[i] ?? 0)) <= alike * size) ?? false);
}
