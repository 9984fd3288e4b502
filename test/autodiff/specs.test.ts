import { readdirSync } from "node:fs";
import { describe } from "vitest";
import { testGradients } from "./spec-gradients.ts";

/** The full spec takes two minutes: `npm run test:training`. */
const specs = readdirSync("specs").filter((name) => name.endsWith(".ple") && name !== "ple_cluster_adatt.ple");

describe.each(specs)("%s", testGradients);
