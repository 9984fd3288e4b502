import type { InputDescription, ModelDescription } from "../../runtime/description.ts";

export function input(name: string, overrides: Partial<InputDescription> = {}): InputDescription {
  return { name, dtype: "f32", shape: ["B"], optional: false, fill: 0, vocabulary: null, slices: [], ...overrides };
}

export function description(inputs: readonly InputDescription[]): ModelDescription {
  return {
    name: "M",
    hash: "0".repeat(64),
    inputs,
    tasks: [{ name: "ctr", kind: "binary", width: 1, group: null }],
    outputs: [],
    banks: [],
  };
}

const slice = (name: string, start: number, width: number, slices: InputDescription["slices"] = []) => ({ name, start, width, slices });

/** features: f32[B, 6] { base: 4 { rfm: 3, age: 1 }, extra: 2 } */
export const features = input("features", {
  shape: ["B", 6],
  slices: [
    slice("base", 0, 4, [slice("rfm", 0, 3), slice("age", 3, 1)]),
    slice("extra", 4, 2, [slice("left", 4, 1), slice("right", 5, 1)]),
  ],
});
