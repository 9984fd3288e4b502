import { defineCatalogue } from "../../dsl/diagnostic.ts";

/** What a checked model has that a target cannot run. */
export const targetCatalogue = defineCatalogue({
  "target/loop-length": {
    severity: "error",
    message: "this {op} has {steps} steps, and TensorFlow.js runs loops unrolled",
    why: "A GraphModel runs under plain `predict`, which knows no loops: each step becomes nodes of its own, so that the number of steps is part of the file and at least 1.",
    help: "Give the axis a fixed length in the input's type and pad shorter sequences, or compile to ONNX, whose loops take any length.",
  },
});
