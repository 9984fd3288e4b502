import { formatShape } from "../ir/dim.ts";
import type { GraphParam } from "../ir/graph.ts";
import type { CheckedModel } from "../model.ts";
import { pair } from "./change.ts";

/** What becomes of one tensor of a weight file of the old model in the new one. */
export interface TensorVerdict {
  /** The name in the new model; of a tensor that it lacks, the one in the old model. */
  readonly name: string;
  /** `missing`: the new model needs it and the old one lacks it; `unused`: the other way round. */
  readonly status: "loads" | "shape" | "renamed" | "missing" | "unused";
  /** Shape in the old and in the new model. */
  readonly before: string | null;
  readonly after: string | null;
  /** The old name that it probably had: the same shape under a like path. */
  readonly from: string | null;
}

export interface WeightsVerdict {
  /** Whether a weight file of the old model loads into the new one as it is: every tensor of its shape, and no other. */
  readonly loads: boolean;
  readonly tensors: readonly TensorVerdict[];
}

export function compareWeights(a: CheckedModel, b: CheckedModel): WeightsVerdict {
  const pairs = pair(a.parameters, b.parameters, (param) => param.name);
  const gone = pairs.flatMap(({ before, after }) => (before !== null && after === null ? [before] : []));
  const fresh = pairs.flatMap(({ before, after }) => (before === null && after !== null ? [after] : []));
  const origins = likelyOrigins(gone, fresh);
  const taken = new Set(origins.values());
  const tensors = pairs.flatMap(({ name, before, after }): readonly TensorVerdict[] => {
    const [old, now] = [before, after].map((param) => (param === null ? null : shapeOf(param))) as [string | null, string | null];
    if (before === null && after !== null) {
      const from = origins.get(after) ?? null;
      return [
        { name, status: from === null ? "missing" : "renamed", before: from === null ? null : now, after: now, from: from?.name ?? null },
      ];
    }
    if (before !== null && after === null)
      return taken.has(before) ? [] : [{ name, status: "unused", before: old, after: null, from: null }];
    return [{ name, status: old === now ? "loads" : "shape", before: old, after: now, from: null }];
  });
  return { loads: tensors.every(({ status }) => status === "loads"), tensors };
}

/** For new params the old ones that they probably were: of equal shape, the last part of the path equal, and at least half of the other parts. */
function likelyOrigins(gone: readonly GraphParam[], fresh: readonly GraphParam[]): ReadonlyMap<GraphParam, GraphParam> {
  const origins = new Map<GraphParam, GraphParam>();
  const left = new Map<string, GraphParam[]>();
  const keyOf = (param: GraphParam) => `${param.name.slice(param.name.lastIndexOf("/") + 1)} ${shapeOf(param)}`;
  for (const param of gone) left.set(keyOf(param), [...(left.get(keyOf(param)) ?? []), param]);
  for (const param of fresh) {
    const candidates = left.get(keyOf(param)) ?? [];
    const scored = candidates.map((candidate) => ({ candidate, score: likeness(candidate.name, param.name) }));
    const best = scored.reduce<(typeof scored)[number] | null>((top, next) => (top === null || next.score > top.score ? next : top), null);
    if (best === null || best.score === 0) continue;
    origins.set(param, best.candidate);
    candidates.splice(candidates.indexOf(best.candidate), 1);
  }
  return origins;
}

/** How much two paths of equal length have in common, their last parts aside; 0 for less than half. */
function likeness(a: string, b: string): number {
  const [x, y] = [a.split("/").slice(0, -1), b.split("/").slice(0, -1)];
  const alike = x.filter((part, i) => part === y[i]).length;
  return x.length !== y.length || alike < (x.length - 1) / 2 ? 0 : alike + 1;
}

/** Renamed tensors by the paths that moved: those under `from` are now under `to`. */
export function renamedPaths({
  tensors,
}: WeightsVerdict): readonly { readonly from: string; readonly to: string; readonly count: number }[] {
  const moves = new Map<string, { readonly from: string; readonly to: string; readonly count: number }>();
  for (const { name, from } of tensors) {
    if (from === null) continue;
    const [old, now] = [from.split("/"), name.split("/")];
    while (old.length > 1 && now.length > 1 && old.at(-1) === now.at(-1)) {
      old.pop();
      now.pop();
    }
    const move = { from: old.join("/"), to: now.join("/") };
    const key = `${move.from} ${move.to}`;
    moves.set(key, { ...move, count: (moves.get(key)?.count ?? 0) + 1 });
  }
  return [...moves.values()];
}

const shapeOf = (param: GraphParam): string => formatShape(param.value.type.shape);
