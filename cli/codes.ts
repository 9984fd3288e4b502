import { catalogue as checkCatalogue } from "../compiler/check/catalogue.ts";
import { configCatalogue, lintDefinitions } from "../compiler/check/lint/engine/catalogue.ts";
import { targetCatalogue } from "../compiler/emit/catalogue.ts";
import { configCatalogue as importCatalogue } from "../compiler/import/catalogue.ts";
import { yamlCatalogue } from "../compiler/yaml/catalogue.ts";
import { syntaxCatalogue } from "../dsl/catalogue.ts";
import type { DiagnosticDefinition } from "../dsl/diagnostic.ts";
import { inputCatalogue } from "../runtime/catalogue.ts";
import { dataCatalogue } from "../runtime/data/catalogue.ts";
import { trainingCatalogue } from "../runtime/runs/catalogue.ts";

/** Every diagnostic code of plec with its definition, in order of the catalogues. */
export function allCodes(): ReadonlyMap<string, DiagnosticDefinition> {
  return new Map<string, DiagnosticDefinition>([
    ...Object.entries(syntaxCatalogue),
    ...Object.entries(checkCatalogue),
    ...lintDefinitions,
    ...Object.entries(targetCatalogue),
    ...Object.entries(yamlCatalogue),
    ...Object.entries(configCatalogue),
    ...Object.entries(importCatalogue),
    ...Object.entries(inputCatalogue),
    ...Object.entries(dataCatalogue),
    ...Object.entries(trainingCatalogue),
  ]);
}

/** Whether `plec lint` reports it, so that it can be configured and allowed: its own rules, and what the checker warns of. */
export function lintable(code: string): boolean {
  return (
    lintDefinitions.has(code) || Object.entries(checkCatalogue).some(([name, { severity }]) => name === code && severity === "warning")
  );
}

/** Where a rule of `plec lint`, or a warning of the checker, has its page. */
export function lintPage(code: string): string {
  return `docs/lint/${code.replace(/^lint\//, "").replace("/", "-")}.md`;
}
