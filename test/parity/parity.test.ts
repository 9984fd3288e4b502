import { testParity } from "./measure.ts";
import { graphModelTarget, onnxRuntimeTarget, wasmTarget } from "./targets.ts";

testParity([onnxRuntimeTarget, wasmTarget, graphModelTarget]);
