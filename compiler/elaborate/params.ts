import type { Dim as DimNode, Param } from "../../dsl/ast.ts";
import { closest } from "../../dsl/suggest.ts";
import { GraphBuilder } from "../ir/builder.ts";
import { type Dim, dimsEqual, formatShape } from "../ir/dim.ts";
import type { Graph, Value } from "../ir/graph.ts";
import { applyFunction } from "./call.ts";
import { builderOf, type Context, contextWith, faultOf, InitialContext, report } from "./context.ts";
import { evaluateDimExpr } from "./dims.ts";
import { evaluate } from "./evaluate.ts";
import { formatType } from "./match-type.ts";
import { elementCount, formatCount, shapesEqual, toTensor } from "./tensors.ts";
import { describe, poison, type StaticValue, tensorValue } from "./value.ts";

/** Parameters beyond this many values are typing mistakes, and no array of V8 holds more. */
const largestParam = 2 ** 32;

/** A `param` statement: a trainable tensor named by its place, made once for each instance. */
export function declareParam(statement: Param, context: Context): StaticValue {
  const shape = paramShape(statement, context);
  if (shape === null) return poison;
  const name = context.place.node(statement.name.text);
  const before = context.session.params.get(name);
  if (before !== undefined) {
    if (shapesEqual(before.value.type.shape, shape)) return tensorValue(before.value, statement.name.span);
    return report(
      context,
      "per/shared-shapes-differ",
      statement.span,
      { name, first: formatShape(before.value.type.shape), second: formatShape(shape) },
      { notes: [{ message: "declared here", span: before.span }] },
    );
  }
  const initial = initialGraph(statement, shape, context);
  const tags = paramTags(statement, shape, context);
  if (initial === null || tags === null) return poison;
  const declared = { initial, ...tags, span: statement.span };
  const value = context.session.addParam(name, declared, shape, faultOf(statement.span, context.frame).span);
  return tensorValue(value, statement.name.span);
}

const isStated = (dim: DimNode): boolean => dim.kind === "DimExpr";
const isNumber = (dim: Dim | null): boolean => typeof dim === "number";

function paramShape(statement: Param, context: Context): readonly number[] | null {
  const { type } = statement;
  const name = statement.name.text;
  if (type.kind !== "TensorType" || type.dtype !== "f32" || type.optional || !type.dims.every(isStated)) {
    report(context, "type/mismatch", type.span, {
      what: `the type of the param \`${name}\``,
      expected: "f32[...] with every dim stated",
      found: formatType(type),
    });
    return null;
  }
  const dims = type.dims.map((dim) => (dim.kind === "DimExpr" ? evaluateDimExpr(dim.value, context, 1) : null));
  if (dims.includes(null)) return null;
  if (!dims.every(isNumber)) {
    // A definition checked on its own has symbolic dims; weights are only made for models.
    if (context.session.generic) return dims as number[];
    report(context, "param/symbolic-shape", statement.span, { name, shape: formatShape(dims as Dim[]) });
    return null;
  }
  const count = elementCount(dims as number[]);
  if (count > largestParam) {
    report(context, "dim/absurd", statement.span, {
      what: `the parameter \`${name}\``,
      count: formatCount(count),
      limit: formatCount(largestParam),
    });
    return null;
  }
  return dims as number[];
}

/** The initialiser as a graph of its own, evaluated when weights are made. */
function initialGraph(statement: Param, shape: readonly number[], context: Context): Graph | null {
  const inner = contextWith(context, { initial: new InitialContext(shape) });
  const given = evaluate(statement.initial, inner);
  if (given.kind !== "function") return graphOfInitial(statement, given, shape, inner);
  // `= xavier_uniform` names an initialiser, which is called for the value.
  const { span } = statement.initial;
  const call = () => graphOfInitial(statement, applyFunction(given, [], inner, span, span), shape, inner);
  if (given.form !== "definition") return call();
  // All that a definition without arguments can know is the shape.
  const ofDefinition = context.session.initialisers.get(given.definition) ?? new Map<string, Graph>();
  context.session.initialisers.set(given.definition, ofDefinition);
  const key = formatShape(shape);
  const graph = ofDefinition.get(key) ?? call();
  if (graph !== null) ofDefinition.set(key, graph);
  return graph;
}

function graphOfInitial(statement: Param, given: StaticValue, shape: readonly number[], context: Context): Graph | null {
  if (given.kind === "number" && typeof given.value === "number") return constantGraph(given.value);
  const value = toTensor(context, given, statement.initial.span, "an initial value");
  if (value.kind === "poison") return null;
  if (!context.initial?.own.has(value.value)) {
    report(context, "param/depends-on-data", statement.initial.span, {});
    return null;
  }
  const from = value.value.type.shape;
  const offset = shape.length - from.length;
  const stretches = offset >= 0 && from.every((dim, i) => dim === 1 || dimsEqual(dim, shape[i + offset] as Dim));
  if (!stretches || value.value.type.dtype !== "f32") {
    report(context, "param/bad-initial", statement.initial.span, { found: describe(given), shape: formatShape(shape) });
    return null;
  }
  return valueGraph(builderOf(context), value.value);
}

function valueGraph(builder: GraphBuilder, value: Value): Graph {
  return { name: "initial", inputs: [], params: [], nodes: builder.nodes, outputs: [{ name: "value", value, doc: null }] };
}

const constantGraphs = new Map<number, Graph>();

/** The initialiser that fills a parameter with one number; most are 0 or 1, so they are shared. */
function constantGraph(number: number): Graph {
  const before = constantGraphs.get(number);
  if (before !== undefined) return before;
  const builder = new GraphBuilder();
  const made = builder.add(
    "constant",
    [],
    { dtype: "f32", shape: [], data: [number] },
    { path: "initial", span: null },
  ) as readonly Value[];
  const graph = valueGraph(builder, made[0] as Value);
  if (constantGraphs.size < 1000) constantGraphs.set(number, graph);
  return graph;
}

interface Tags {
  readonly decay: boolean;
  readonly frozen: boolean;
  readonly tag: string | null;
}

const tagKinds = { decay: "boolean", frozen: "boolean", tag: "string" } as const;

function paramTags(statement: Param, shape: readonly number[], context: Context): Tags | null {
  let tags: Tags = { decay: shape.length >= 2, frozen: false, tag: null };
  for (const field of statement.tags?.fields ?? []) {
    const name = field.name.text;
    if (!(name in tagKinds)) {
      const near = closest(name, Object.keys(tagKinds));
      report(
        context,
        "model/setting",
        field.name.span,
        { what: "a param", name },
        { help: near === null ? "its settings are decay, frozen and tag" : `did you mean \`${near}\`?` },
      );
      return null;
    }
    const value = evaluate(field.value, context);
    const kind = tagKinds[name as keyof typeof tagKinds];
    if (value.kind === "poison") return null;
    if (value.kind !== kind) {
      report(context, "type/mismatch", field.value.span, {
        what: `\`${name}\``,
        expected: kind === "boolean" ? "true or false" : "a string",
        found: describe(value),
      });
      return null;
    }
    tags = { ...tags, [name]: value.value };
  }
  return tags;
}
