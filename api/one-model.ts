import type { CheckedModel } from "../compiler/model.ts";
import { plainDiagnostic, renderAll } from "./diagnostics.ts";
import { ModelError, SpecError } from "./errors.ts";
import type { Spec } from "./types.ts";

/**
 * The only model of a spec, or the one named.
 *
 * @throws SpecError when the spec has errors, ModelError when it does not have the model
 */
export async function oneModel(spec: Spec, name: string | undefined): Promise<CheckedModel> {
  const { checkFile, checkSource } = await import("../compiler/driver.ts");
  const { path, diagnostics, models } = typeof spec === "string" ? checkFile(spec) : checkSource(spec.name, spec.text);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new SpecError(renderAll(errors), diagnostics.map(plainDiagnostic));
  const [first] = models;
  if (name === undefined && models.length === 1 && first !== undefined) return first;
  const found = models.find((model) => model.name === name);
  if (found !== undefined) return found;
  const known = models.map((model) => model.name).join(", ");
  if (models.length === 0) throw new ModelError(`${path} has no model`);
  throw new ModelError(
    name === undefined ? `${path} has several models; choose one of ${known}` : `${path} has no model ${name}; it has ${known}`,
  );
}
