import { describe } from "vitest";
import { testGradients } from "../../autodiff/spec-gradients.ts";

describe("the full spec", () => testGradients("ple_cluster_adatt.ple"));
