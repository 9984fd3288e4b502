import type { Expr, Node } from "../../../dsl/ast.ts";
import type { Span } from "../../../dsl/source.ts";
import { children } from "../../../dsl/visit.ts";
import type { ModelInput, ModelSlice } from "../../model.ts";
import type { Declarations } from "../declarations.ts";
import { defineRule, type LintedModel } from "./engine/rule.ts";

export const sliceReadTwice = defineRule({
  code: "lint/slice-read-twice",
  severity: "warning",
  message: "expert `{name}` reads {columns} of `{input}` twice",
  why: "An expert that is given the same columns twice has weights for them twice: the two only share what one could do, and the columns count double wherever fields are summed or crossed. Most often a range and a slice inside of it were both named.",
  help: "Name each slice once.",
  options: {},
  check({ models }, report) {
    for (const model of models) {
      for (const bank of model.declarations.banks) {
        for (const entry of bank.role === "experts" ? bank.entries : []) {
          const reads = columnReads(entry.value, model, new Set());
          const seen: Columns[] = [];
          for (const read of reads) {
            const before = seen.find((other) => overlap(read, other));
            seen.push(read);
            if (before === undefined) continue;
            const start = Math.max(read.start, before.start);
            const stop = Math.min(read.stop, before.stop);
            const values = {
              name: entry.name.text,
              input: read.input,
              columns: stop - start === 1 ? `column ${start}` : `columns ${start} to ${stop - 1}`,
            };
            report(read.span, values, { notes: [{ message: "read here first", span: before.span }] });
          }
        }
      }
    }
  },
});

interface Columns {
  readonly input: string;
  readonly start: number;
  readonly stop: number;
  /** The named slices inside. */
  readonly slices: readonly ModelSlice[];
  /** Names part of an input, not all of it. */
  readonly named: boolean;
  readonly span: Span;
}

/** A whole input may well be read as values and as a mask: one of the two must be a named part. */
function overlap(a: Columns, b: Columns): boolean {
  return a.input === b.input && (a.named || b.named) && a.start < b.stop && b.start < a.stop;
}

/** The columns of inputs that an expression names, in order, those behind the name of a list or of a concatenation too. */
function columnReads(expr: Node, model: LintedModel, open: ReadonlySet<string>): readonly Columns[] {
  const columns = resolve(expr, model, new Set());
  if (columns !== null) return [columns];
  const joined = expr.kind === "Reference" && !open.has(expr.name) ? joinedParts(expr.name, model) : null;
  if (expr.kind === "Reference" && joined !== null) {
    const inside = new Set([...open, expr.name]);
    return columnReads(joined, model, inside).map((read) => ({ ...read, span: expr.span }));
  }
  return children(expr).flatMap((child) => columnReads(child, model, open));
}

/** What a `let` names that only puts parts beside one another; what it computes from them is no longer the columns. */
function joinedParts(name: string, { declarations }: LintedModel): Expr | null {
  const item = declarations.named.get(name);
  if (item?.kind !== "Let" || item.names.length !== 1 || item.per !== null) return null;
  const { value } = item;
  const joins = value.kind === "ListLiteral" || (value.kind === "Call" && nameOf(value.callee) === "concat");
  return joins ? value : null;
}

/** The columns that an expression stands for where it names part of an input or all of it, `let`s followed; null for everything else. */
function resolve(expr: Node, model: LintedModel, open: ReadonlySet<string>): Columns | null {
  switch (expr.kind) {
    case "Paren":
      return resolve(expr.inner, model, open);
    case "Reference":
      return resolveName(expr.name, expr.span, model, open);
    case "Member": {
      const object = resolve(expr.object, model, open);
      return object === null ? null : slicesOf(object, expr.name.text, expr.name.text, expr.span);
    }
    case "Subscript": {
      const [only] = expr.indices;
      const object = expr.indices.length === 1 && only?.kind === "IndexRange" ? resolve(expr.object, model, open) : null;
      const [from, to] = only?.kind === "IndexRange" ? [nameOf(only.from), nameOf(only.to)] : [null, null];
      return object === null || from === null || to === null ? null : slicesOf(object, from, to, expr.span);
    }
    default:
      return null;
  }
}

function resolveName(name: string, span: Span, model: LintedModel, open: ReadonlySet<string>): Columns | null {
  const item: ReturnType<Declarations["named"]["get"]> = model.declarations.named.get(name);
  if (item?.kind === "Let" && item.names.length === 1 && item.per === null && !open.has(name)) {
    const columns = resolve(item.value, model, new Set([...open, name]));
    return columns === null ? null : { ...columns, span };
  }
  const input: ModelInput | undefined =
    item?.kind === "Input" ? model.checked.inputs.find((candidate) => candidate.name === name) : undefined;
  const width = input?.shape.at(-1);
  if (input === undefined || typeof width !== "number") return null;
  return { input: name, start: 0, stop: width, slices: input.slices, named: false, span };
}

/** The slices from one name to another, inclusive. */
function slicesOf({ input, slices }: Columns, from: string, to: string, span: Span): Columns | null {
  const first = slices.find((slice) => slice.name === from);
  const last = slices.find((slice) => slice.name === to);
  if (first === undefined || last === undefined) return null;
  const inside = first === last ? first.slices : slices.slice(slices.indexOf(first), slices.indexOf(last) + 1);
  return { input, start: first.start, stop: last.start + last.width, slices: inside, named: true, span };
}

function nameOf(expr: Expr): string | null {
  return expr.kind === "Reference" ? expr.name : null;
}
