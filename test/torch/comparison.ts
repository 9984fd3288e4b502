import type { NdArray } from "../../compiler/ir/ndarray.ts";
import type { Request } from "./ask-torch.ts";

/** A piece of plec and the function of a Python module beside this file that computes the same. */
export interface Comparison {
  readonly name: string;
  /** Imports and definitions before the model. */
  readonly head?: string;
  /** By declaration: `"z: f32[B]": values`. */
  readonly inputs: Readonly<Record<string, NdArray>>;
  /** An expression, or one for each name of the answer. Their results begin with B. */
  readonly plec: string | Readonly<Record<string, string>>;
  /** Terms of the loss that are compared too. */
  readonly penalties?: readonly string[];
  readonly torch: string;
  readonly settings?: Request["settings"];
  /** Relative difference that float32 is allowed where it loses digits by nature; 1e-5 elsewhere. */
  readonly single?: number;
  /** The names of the inputs whose gradients are compared, beside those of all weights. */
  readonly wrt?: readonly string[];
}
