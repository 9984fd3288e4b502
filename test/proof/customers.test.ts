import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { noticeable, type Proof, prove } from "../../bench/customers/proof.ts";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

let proof: Proof = { tasks: [], misplaced: [], findings: [] };

beforeAll(async () => {
  const plec = async (args: readonly string[]) => {
    const { code, stderr } = await runCli(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  };
  proof = await prove(plec, { spec: "examples/customers/customers.ple", folder: folder.path("proof"), rows: 4000, without: ["social"] });
});

describe("the small spec on made-up customers", () => {
  it("beats the predictor that knows only the labels' rates, in every task", () => {
    expect(proof.tasks).toHaveLength(6);
    expect(proof.tasks.filter(({ beatsBase }) => !beatsBase)).toEqual([]);
  });

  it("does what the plan says when the plan says so", () => expect(proof.misplaced).toEqual([]));

  it("gives monitors nothing to find", () => expect(proof.findings).toEqual([]));

  it("gets worse without an expert's inputs where labels depend on them, and nowhere else", () => {
    expect(proof.tasks.filter(({ planted }) => planted).map(({ task }) => task)).toEqual(["brand"]);
    for (const { task, planted, skill, skillWithout } of proof.tasks)
      expect({ task, fell: skill - skillWithout > noticeable }).toEqual({ task, fell: planted });
  });
});
