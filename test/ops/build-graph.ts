import { GraphBuilder } from "../../compiler/ir/builder.ts";
import type { Dim } from "../../compiler/ir/dim.ts";
import type { Body, DType, Graph, GraphInput, GraphParam, TensorType, Value } from "../../compiler/ir/graph.ts";
import type { OpAttributes, OpName } from "../../compiler/ops/attributes.ts";
import { isShapeError } from "../../compiler/ops/op.ts";

const origin = { path: "test", span: null };

/** A graph written by hand; operands that do not fit throw. */
export class Sketch {
  readonly builder = new GraphBuilder();
  readonly #inputs: GraphInput[] = [];
  readonly #params: GraphParam[] = [];

  input(name: string, dtype: DType, shape: readonly Dim[], settings: Partial<GraphInput> = {}): Value {
    const value = this.add("input", [], { name, dtype, shape });
    this.#inputs.push({ name, value, optional: false, fill: 0, vocabulary: null, doc: null, ...settings });
    return value;
  }

  param(name: string, shape: readonly number[], initial: Graph = constantGraph(0)): Value {
    const value = this.add("param", [], { name, shape });
    this.#params.push({ name, value, initial, decay: shape.length > 1, frozen: false, tag: null });
    return value;
  }

  add<K extends OpName>(op: K, inputs: readonly Value[], attributes: OpAttributes[K], path = `test/${op}`): Value {
    return this.all(op, inputs, attributes, path)[0] as Value;
  }

  all<K extends OpName>(op: K, inputs: readonly Value[], attributes: OpAttributes[K], path = `test/${op}`): readonly Value[] {
    const made = this.builder.add(op, inputs, attributes, { path, span: null });
    if (isShapeError(made)) throw new Error(made.message);
    return made;
  }

  scalar(value: number): Value {
    return this.add("constant", [], { dtype: "f32", shape: [], data: [value] });
  }

  body(types: readonly TensorType[], build: (inputs: readonly Value[]) => readonly Value[]): Body {
    return this.builder.body(types, origin, build) as Body;
  }

  graph(outputs: Readonly<Record<string, Value>>): Graph {
    return {
      name: "test",
      inputs: this.#inputs,
      params: this.#params,
      nodes: this.builder.nodes,
      outputs: Object.entries(outputs).map(([name, value]) => ({ name, value, doc: null })),
    };
  }
}

export function constantGraph(value: number): Graph {
  const sketch = new Sketch();
  return { ...sketch.graph({ value: sketch.scalar(value) }) };
}

export function f32(...shape: readonly Dim[]): TensorType {
  return { dtype: "f32", shape };
}
