import type { Note } from "../../dsl/diagnostic.ts";
import { dimsEqual, formatDim } from "../ir/dim.ts";
import type { Value } from "../ir/graph.ts";

/** Says where an axis of a tensor got its size, read off the graph: the declaration, slice or concatenation that fixed it. */
export function explainDim(value: Value, axis: number): readonly Note[] {
  let at = value;
  let atAxis = axis;
  for (let hops = 0; hops < 200; hops++) {
    const { node } = at;
    const dim = at.type.shape[atAxis];
    if (dim === undefined) return [];
    const size = formatDim(dim);
    switch (node.op) {
      case "input":
        return note(node.span, `\`${node.attributes.name}\` is declared with ${size} here`);
      case "param":
        return note(node.span, `${size} is the size of the parameter \`${node.attributes.name}\``);
      case "concat":
        if (atAxis === node.attributes.axis)
          return note(
            node.span,
            `${size} = ${node.inputs.map((input) => formatDim(input.type.shape[atAxis] ?? 0)).join(" + ")}, joined here`,
          );
        at = node.inputs[0] as Value;
        break;
      case "slice":
        if (atAxis === node.attributes.axis)
          return note(
            node.span,
            `${size} is the width of columns ${formatDim(node.attributes.start)} to ${formatDim(node.attributes.stop)}, taken here`,
          );
        at = node.inputs[0] as Value;
        break;
      case "matmul": {
        const last = atAxis === at.type.shape.length - 1;
        const from = node.inputs[last ? 1 : 0] as Value;
        atAxis += from.type.shape.length - at.type.shape.length;
        at = from;
        break;
      }
      case "transpose":
        atAxis = node.attributes.permutation[atAxis] as number;
        at = node.inputs[0] as Value;
        break;
      default: {
        const source = node.inputs.find((input) => {
          const from = input.type.shape[atAxis + input.type.shape.length - at.type.shape.length];
          return from !== undefined && dimsEqual(from, dim);
        });
        if (source === undefined || node.inputs.length === 0) return note(node.span, `${size} comes from here`);
        atAxis += source.type.shape.length - at.type.shape.length;
        at = source;
      }
    }
  }
  return [];
}

function note(span: Note["span"], message: string): readonly Note[] {
  return span === null ? [] : [{ message, span }];
}
