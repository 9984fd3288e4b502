import { formatShape } from "../ir/dim.ts";
import { castNumber, evaluateShape, fullArray, makeArray, sizeOf } from "../ir/ndarray.ts";
import { batch, type OpRows } from "./op.ts";
import { countError, dimsError, shapeError, tensor } from "./shape-rules.ts";
import { nonDifferentiable } from "./vjp.ts";

const noOperands = nonDifferentiable("has no operands");

/** Ops without operands: inputs, params, constants, and the random draws of initialisers. */
export const sources: OpRows<"input" | "param" | "constant" | "full" | "arange" | "body_input" | "random_uniform" | "random_normal"> = {
  input: {
    infer: (types, { dtype, shape }) => countError(types, 0) ?? dimsError(shape) ?? [tensor(dtype, shape)],
    evaluate: (_, { name }) => unbound(`input ${name}`),
    vjp: noOperands,
    onnx: (onnx, _, node) => onnx.input(node.attributes.name),
    tfjs: (_, __, node) => node.attributes.name,
    samples: () => [],
  },

  param: {
    infer: (types, { shape }) => countError(types, 0) ?? dimsError(shape) ?? [tensor("f32", shape)],
    evaluate: (_, { name }) => unbound(`param ${name}`),
    vjp: noOperands,
    onnx: (onnx, _, node) => onnx.param(node.attributes.name),
    tfjs: (tf, _, node) => tf.param(node.attributes.name),
    samples: () => [],
  },

  body_input: {
    infer: (types, { dtype, shape }) => countError(types, 0) ?? [tensor(dtype, shape)],
    evaluate: (_, { position }) => unbound(`body input ${position}`),
    vjp: noOperands,
    onnx: (_, __, node) => unbound(`body input ${node.attributes.position}`),
    tfjs: (_, __, node) => unbound(`body input ${node.attributes.position}`),
    samples: () => [],
  },

  constant: {
    infer: (types, { dtype, shape, data }) => {
      if (sizeOf(shape) !== data.length)
        return shapeError("element-count", `${data.length} values do not fill the shape ${formatShape(shape)}`);
      return countError(types, 0) ?? dimsError(shape) ?? [tensor(dtype, shape)];
    },
    evaluate: (_, { dtype, shape, data }) => [
      makeArray(
        shape,
        Float64Array.from(data, (value) => castNumber(value, dtype)),
      ),
    ],
    vjp: noOperands,
    onnx: (onnx, _, { attributes: { dtype, shape, data } }) => onnx.constant(dtype, shape, data),
    tfjs: (tf, _, { attributes: { dtype, shape, data } }) => tf.constant(dtype, shape, data),
    samples: () => [
      { inputs: [], attributes: { dtype: "f32", shape: [], data: [0.25] } },
      { inputs: [], attributes: { dtype: "f32", shape: [2, 3], data: [1, -2, 3, 4.5, 5, 6] } },
      { inputs: [], attributes: { dtype: "i32", shape: [3], data: [1, -2, 70000] } },
      { inputs: [], attributes: { dtype: "bool", shape: [2, 2], data: [1, 0, 0, 1] } },
    ],
  },

  full: {
    infer: (types, { dtype, shape }) => countError(types, 0) ?? dimsError(shape) ?? [tensor(dtype, shape)],
    evaluate: (_, { dtype, shape, value }, { symbols }) => [fullArray(evaluateShape(shape, symbols), castNumber(value, dtype))],
    vjp: noOperands,
    onnx: (onnx, _, { attributes: { dtype, shape, value } }) => {
      const scalar = onnx.constant(dtype, [], [value]);
      return shape.length === 0 ? scalar : onnx.op("Expand", [scalar, onnx.shape(shape)]);
    },
    tfjs: (tf, _, { attributes: { dtype, shape, value } }) => tf.broadcast(tf.constant(dtype, [], [value]), { dtype, shape: [] }, shape),
    samples: () => [
      { inputs: [], attributes: { dtype: "f32", shape: [batch, 4], value: 1.5 } },
      { inputs: [], attributes: { dtype: "i32", shape: [3], value: -2 } },
      { inputs: [], attributes: { dtype: "bool", shape: [2], value: 1 } },
    ],
  },

  arange: {
    infer: (types, { length }) => countError(types, 0) ?? dimsError([length]) ?? [tensor("f32", [length])],
    evaluate: (_, { length }, { symbols }) => {
      const shape = evaluateShape([length], symbols);
      return [
        makeArray(
          shape,
          new Float64Array(sizeOf(shape)).map((_, i) => i),
        ),
      ];
    },
    vjp: noOperands,
    onnx: (onnx, _, { attributes: { length } }) => {
      if (typeof length === "number") {
        return onnx.constant(
          "f32",
          [length],
          Array.from({ length }, (_, i) => i),
        );
      }
      const limit = onnx.op("Cast", [onnx.dim(length)], { to: 1 });
      return onnx.op("Range", [onnx.constant("f32", [], [0]), limit, onnx.constant("f32", [], [1])]);
    },
    tfjs: (tf, _, { attributes: { length } }) =>
      tf.op("Range", [tf.constant("i32", [], [0]), tf.dim(length), tf.constant("i32", [], [1])], { Tidx: { dtype: "f32" } }),
    samples: () => [
      { inputs: [], attributes: { length: 5 } },
      { inputs: [], attributes: { length: batch } },
    ],
  },

  random_uniform: {
    infer: (types, { shape }) => countError(types, 0) ?? dimsError(shape) ?? [tensor("f32", shape)],
    evaluate: (_, { shape, low, high }, { random, symbols }) => {
      const out = makeArray(evaluateShape(shape, symbols));
      for (let i = 0; i < out.data.length; i++) out.data[i] = low + (high - low) * random();
      return [out];
    },
    vjp: noOperands,
    onnx: () => initialisersOnly(),
    tfjs: () => initialisersOnly(),
    samples: () => [],
  },

  random_normal: {
    infer: (types, { shape }) => countError(types, 0) ?? dimsError(shape) ?? [tensor("f32", shape)],
    // Box-Muller: sqrt(-2 ln u) · (cos 2πv, sin 2πv) are two independent normals.
    evaluate: (_, { shape, std }, { random, symbols }) => {
      const { shape: dims, data } = makeArray(evaluateShape(shape, symbols));
      for (let i = 0; i < data.length; i += 2) {
        const radius = std * Math.sqrt(-2 * Math.log(1 - random()));
        const angle = 2 * Math.PI * random();
        data[i] = radius * Math.cos(angle);
        if (i + 1 < data.length) data[i + 1] = radius * Math.sin(angle);
      }
      return [makeArray(dims, data)];
    },
    vjp: noOperands,
    onnx: () => initialisersOnly(),
    tfjs: () => initialisersOnly(),
    samples: () => [],
  },
};

function unbound(what: string): never {
  throw new Error(`${what} has no value: it must be bound before the nodes that use it are evaluated`);
}

function initialisersOnly(): never {
  throw new Error("random draws stand in initialisers only and are never exported");
}
