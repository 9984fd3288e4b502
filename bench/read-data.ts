// Rows a second that the reader of data gives, shuffled: `tsx bench/read-data.ts SPEC MAPPING`, by itself on a quiet machine.
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { checkFile } from "../compiler/driver.ts";
import type { Diagnostic } from "../dsl/diagnostic.ts";
import { Source } from "../dsl/source.ts";
import { contractOf } from "../runtime/data/contract.ts";
import { Dataset } from "../runtime/data/dataset.ts";
import { readMapping } from "../runtime/data/read-mapping.ts";

const [spec = "examples/census/mmoe.ple", path = "examples/census/census.yaml"] = process.argv.slice(2);
const { models } = checkFile(spec);
const diagnostics: Diagnostic[] = [];
const mapping = readMapping(new Source(path, readFileSync(path, "utf8")), diagnostics);
const [model] = models;
if (model === undefined || mapping === null) throw new Error(`${spec} or ${path} has errors: see plec train`);
const seconds = (since: number): number => (performance.now() - since) / 1000;

let since = performance.now();
const { data, diagnostics: found } = await Dataset.open(contractOf(model), mapping, { folder: dirname(path) });
if (data === null) throw new Error(found.map(({ message }) => message).join("\n"));
console.log(
  `opened, learned and checked: ${seconds(since).toFixed(2)} s; ${data.splits.map(({ name, rows }) => `${name} ${rows}`).join(", ")}`,
);
for (let epoch = 0; epoch < 5; epoch++) {
  since = performance.now();
  let rows = 0;
  for await (const batch of data.batches({ split: "train", size: 512, shuffle: { seed: 0, epoch } })) rows += batch.rows;
  console.log(`epoch ${epoch}: ${Math.round(rows / seconds(since))} rows/s`);
}
data.close();
