import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { GraphModelArtifacts, WeightSpec } from "../compiler/emit/graph-model.ts";
import { descriptionFromMetadata, type ModelDescription } from "./description.ts";

export interface ReadGraphModel {
  readonly artifacts: GraphModelArtifacts;
  readonly description: ModelDescription;
}

interface ModelJson extends Omit<GraphModelArtifacts, "weightSpecs" | "weightData"> {
  readonly weightsManifest: readonly { readonly paths: readonly string[]; readonly weights: readonly WeightSpec[] }[];
}

/** The GraphModel that plec wrote into a folder; null for a folder with another one. */
export function readGraphModel(folder: string): ReadGraphModel | null {
  const { weightsManifest, ...model } = JSON.parse(readFileSync(join(folder, "model.json"), "utf8")) as ModelJson;
  const metadata: unknown = model.userDefinedMetadata?.plec;
  if (typeof metadata !== "object" || metadata === null) return null;
  const description = descriptionFromMetadata(new Map(Object.entries(metadata)));
  if (description === null) return null;
  const shards = weightsManifest.flatMap(({ paths }) => paths.map((path) => readFileSync(join(folder, path))));
  // A copy: small buffers of Node are views of a larger one.
  const weightData = new Uint8Array(Buffer.concat(shards)).buffer;
  return { description, artifacts: { ...model, weightSpecs: weightsManifest.flatMap(({ weights }) => weights), weightData } };
}
