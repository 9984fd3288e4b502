import type { Scope } from "../scope.ts";
import type { Builtin, BuiltinFunction } from "../value.ts";
import { axes } from "./axes.ts";
import { elementwise } from "./elementwise.ts";
import { loops } from "./loops.ts";
import { shapes } from "./shape.ts";
import { statics } from "./statics.ts";

/** Every built-in function by name. */
export const builtins: ReadonlyMap<string, BuiltinFunction> = new Map(
  [...elementwise, ...axes, ...shapes, ...loops, ...statics].map((builtin: Builtin) => [
    builtin.name,
    { kind: "function", form: "builtin", builtin },
  ]),
);

/** The outermost scope. */
export const builtinScope: Scope = { parent: null, lookup: (name) => builtins.get(name) };
