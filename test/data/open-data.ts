import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { checkSource } from "../../compiler/driver.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { renderDiagnostic } from "../../dsl/render.ts";
import { Source } from "../../dsl/source.ts";
import { contractOf, type DataContract } from "../../runtime/data/contract.ts";
import { type BatchOptions, Dataset, type OpenOptions } from "../../runtime/data/dataset.ts";
import type { Mapping } from "../../runtime/data/mapping.ts";
import { readMapping } from "../../runtime/data/read-mapping.ts";
import { tensorToLists } from "../../runtime/engine.ts";

/** A folder with data and mappings; `remove` in afterAll. */
export class DataFolder {
  readonly path = mkdtempSync(join(tmpdir(), "plec-data-"));
  readonly #opened: Dataset[] = [];

  write(name: string, content: string | Uint8Array): string {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  /** Opens data by the text of a mapping; findings are rendered as the command line shows them, `data.yaml` being the mapping's name. */
  async open(contract: DataContract, yaml: string, options: Omit<OpenOptions, "folder"> = {}): Promise<Opened> {
    const { mapping, findings } = parseMapping(yaml);
    if (mapping === null) return { data: null, findings };
    const { data, diagnostics } = await Dataset.open(contract, mapping, { folder: this.path, ...options });
    if (data !== null) this.#opened.push(data);
    return { data, findings: diagnostics.map(render) };
  }

  /** As `open`, of data that has to be right. */
  async require(contract: DataContract, yaml: string, options: Omit<OpenOptions, "folder"> = {}): Promise<Dataset> {
    const { data, findings } = await this.open(contract, yaml, options);
    if (data === null) throw new Error(findings.join("\n"));
    return data;
  }

  remove(): void {
    for (const data of this.#opened) data.close();
    rmSync(this.path, { recursive: true, force: true });
  }
}

export interface Opened {
  readonly data: Dataset | null;
  readonly findings: readonly string[];
}

export function parseMapping(yaml: string): { readonly mapping: Mapping | null; readonly findings: readonly string[] } {
  const diagnostics: Diagnostic[] = [];
  const mapping = readMapping(new Source("data.yaml", yaml), diagnostics);
  return { mapping, findings: diagnostics.map(render) };
}

function render(diagnostic: Diagnostic): string {
  return renderDiagnostic(diagnostic, { colour: false, width: 140 });
}

/** A model whose experts read every input as numbers; `body` are its inputs and tasks. */
export function contractFor(declarations: string): DataContract {
  return contractOf(modelFor(declarations));
}

export function modelFor(declarations: string): CheckedModel {
  const { models, diagnostics } = checkSource("model.ple", declarations);
  const [model] = models;
  if (model === undefined) throw new Error(diagnostics.map(render).join("\n"));
  return model;
}

/** All rows of a split as plain values, by tensor, in order of the batches. */
export async function rowsOf(data: Dataset, options: Partial<BatchOptions> = {}): Promise<Record<string, unknown[]>> {
  const rows: Record<string, unknown[]> = {};
  for await (const { tensors, numbers } of data.batches({ split: "train", size: 1024, ...options })) {
    rows.row = [...(rows.row ?? []), ...numbers];
    for (const [name, tensor] of tensors) rows[name] = [...(rows[name] ?? []), ...(tensorToLists(tensor) as unknown[])];
  }
  return rows;
}
