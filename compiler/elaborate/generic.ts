import type { Definition, Parameter, Type } from "../../dsl/ast.ts";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { type Dim, symbolDim } from "../ir/dim.ts";
import { define } from "./builtins/define.ts";
import { applyFunction, dimVariables, type GivenArgument } from "./call.ts";
import { type Budget, type Context, contextWith, Session } from "./context.ts";
import { evaluateDimExpr } from "./dims.ts";
import type { FileScope } from "./file-scope.ts";
import { Place } from "./place.ts";
import { LocalScope } from "./scope.ts";
import { makeTensor } from "./tensors.ts";
import { booleanValue, type FunctionValue, listValue, numberValue, poison, type StaticValue, stringValue } from "./value.ts";

/**
 * Checks a definition on its own, for every width at once: each dim variable and each `int` without a default is a symbol, so that what passes holds
 * wherever the definition is called. What only numbers could decide (a division, a `require`) is left to the calls.
 */
export function checkDefinition(definition: Definition, scope: FileScope, budget: Budget, diagnostics: Diagnostic[]): void {
  const parameters = definition.parameters.map((parameter) => parameter.name.text);
  if (new Set(parameters).size < parameters.length) return; // Reported when names were resolved.
  const found: Diagnostic[] = [];
  const session = new Session(found, budget, true);
  const names = new LocalScope(scope);
  for (const variable of dimVariables(definition)) names.set(variable, numberValue(symbolDim(variable)));
  const context: Context = {
    session,
    scope: names,
    place: Place.root,
    labels: new Map(),
    frame: null,
    task: null,
    group: null,
    initial: null,
    model: null,
  };
  const given: GivenArgument[] = [];
  for (const parameter of definition.parameters) {
    const value = parameter.defaultValue === null ? stand(parameter.type, parameter.name.text, context) : null;
    if (value === undefined || value?.kind === "poison") return;
    if (value === null) continue;
    names.set(parameter.name.text, value);
    given.push({ name: parameter.name.text, nameSpan: null, value, span: parameter.span });
  }
  const callee: FunctionValue = { kind: "function", form: "definition", definition, scope };
  applyFunction(callee, given, contextWith(context, { scope }), definition.name.span, definition.name.span);
  if (session.undecided || definition.body.statements.some((statement) => statement.kind === "Require")) return;
  diagnostics.push(
    ...found.map((diagnostic) => ({ ...diagnostic, notes: diagnostic.notes.filter((note) => note.span !== definition.name.span) })),
  );
}

/** A value that stands for every argument of a type; undefined where there is none, as for a task. */
function stand(type: Type, name: Parameter["name"]["text"], context: Context): StaticValue | undefined {
  switch (type.kind) {
    case "TensorType": {
      const shape = type.dims.map((dim, i): Dim | null => {
        if (dim.kind === "DimRest") return symbolDim("…");
        return dim.kind === "DimAny" ? symbolDim(`${name}.${i}`) : evaluateDimExpr(dim.value, context);
      });
      if (shape.some((dim) => dim === null)) return poison;
      const vocabulary = type.of === null ? null : evaluateDimExpr(type.of, context);
      const dtype = type.dtype === "id" ? "i32" : type.dtype;
      return makeTensor(context, "input", [], { name, dtype, shape: shape as Dim[] }, type.span, { vocabulary });
    }
    case "ListType": {
      const items = [0, 1].map((i) => stand(type.element, `${name}.${i}`, context));
      return items.some((item) => item === undefined) ? undefined : listValue(items as StaticValue[]);
    }
    case "EnumType":
      return stringValue(type.values[0]?.value ?? "");
    case "NamedType":
      switch (type.name.text) {
        case "int":
          return numberValue(symbolDim(name));
        case "float":
          return numberValue(0.5);
        case "bool":
          return booleanValue(false);
        case "string":
          return stringValue(name);
        case "module":
          return {
            kind: "function",
            form: "builtin",
            builtin: define(name, "x?", "Stands for any function.", (call) => call.values[0] ?? numberValue(0.5)),
          };
        default:
          return undefined;
      }
  }
}
