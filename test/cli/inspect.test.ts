import { afterAll, describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import type { ParamTree } from "../../cli/summary.ts";
import { checkFile } from "../../compiler/driver.ts";
import { runCli, temporaryFolder } from "./run-cli.ts";
import { good, withError } from "./specs.ts";

const folder = temporaryFolder({ "good.ple": good, "error.ple": withError });
afterAll(() => folder.remove());
const spec = folder.path("good.ple");

describe("plec summary", () => {
  it("counts parameters so that modules add up to the total", async () => {
    const { code, stdout } = await runCli(["summary", spec, "--json"]);
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    const leaves = (tree: ParamTree): number =>
      tree.children.length === 0 ? tree.parameters : tree.children.reduce((sum, child) => sum + leaves(child), 0);
    expect(report.modules.reduce((sum: number, tree: ParamTree) => sum + leaves(tree), 0)).toBe(report.parameters);
    expect(report).toMatchObject({
      name: "Small",
      doc: "Two tasks over three experts.",
      order: ["ctr", "stage"],
      tasks: [
        { name: "ctr", kind: "binary", loss: { name: "bce" } },
        { name: "stage", width: 3 },
      ],
      outputs: [{ name: "gates/ctr" }, { name: "gates/stage" }],
      banks: [{ name: "shared", entries: [{ name: "dense_0", shape: ["B", 8] }, {}, {}] }],
    });
  });

  it("prints every section, and a deeper tree when asked", async () => {
    const { stdout } = await runCli(["summary", spec]);
    for (const heading of ["Inputs", "Banks", "Parameters", "Tasks", "Execution order"]) expect(stdout).toContain(`\n\n${heading}\n`);
    expect(stdout).toContain("    rfm 3  [0, 3)");
    expect(stdout).toContain("cluster: id[B] of 3");
    expect((await runCli(["summary", spec, "--depth", "4"])).stdout.length).toBeGreaterThan(stdout.length);
  });

  it("prints the errors of a spec that has some", async () => {
    const { code, stdout, stderr } = await runCli(["summary", folder.path("error.ple")]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("error.ple: 1 error");
  });
});

describe("plec ir", () => {
  it("prints the graph, simplified or as built", async () => {
    const [simplified, raw] = [await runCli(["ir", spec]), await runCli(["ir", spec, "--raw"])];
    expect(simplified.code).toBe(0);
    expect(simplified.stdout).toContain("softmax");
    expect(raw.stdout.split("\n").length).toBeGreaterThanOrEqual(simplified.stdout.split("\n").length);
    expect(simplified.stdout.endsWith("\n")).toBe(true);
  });
});

describe("plec ir --format", () => {
  interface Dump {
    readonly hash: string;
    readonly tasks: readonly { readonly name: string }[];
    readonly graph: {
      readonly parameters: readonly { readonly name: string; readonly shape: readonly number[] }[];
      readonly nodes: readonly {
        readonly op: string;
        readonly inputs: readonly string[];
        readonly outputs: readonly { readonly name: string }[];
        readonly attributes: object;
      }[];
      readonly results: readonly { readonly name: string; readonly value: string; readonly shape: readonly (number | string)[] }[];
    };
  }

  it("prints the same model as JSON and as YAML, the same each time, whole", async () => {
    const [json, again, yaml] = await Promise.all(["json", "json", "yaml"].map((format) => runCli(["ir", spec, "--format", format])));
    expect(json?.stdout).toBe(again?.stdout);
    const dump: Dump = JSON.parse(json?.stdout ?? "");
    expect(parseYaml(yaml?.stdout ?? "")).toEqual(dump);
    expect(Object.keys(dump)).toEqual([
      "version",
      "name",
      "doc",
      "hash",
      "parameters",
      "inputs",
      "banks",
      "groups",
      "tasks",
      "transfers",
      "order",
      "outputs",
      "penalties",
      "train",
      "graph",
    ]);
    const [model] = checkFile(spec).models;
    expect(dump.graph.parameters.map(({ name, shape }) => [name, shape])).toEqual(
      model?.graph.params.map(({ name, value }) => [name, value.type.shape]),
    );
    expect(dump.graph.results.map(({ name }) => name)).toEqual(["ctr", "stage", "gates/ctr", "gates/stage"]);
    expect(dump.graph.results[1]?.shape).toEqual(["B", 3]);
  });

  it("names every value before it is read, bodies of loops included", async () => {
    for (const path of [spec, "specs/ple_cluster_adatt.ple"]) {
      const dump: Dump = JSON.parse((await runCli(["ir", path, "--format", "json", "--raw"])).stdout);
      const known = new Set<string>();
      const visit = (nodes: Dump["graph"]["nodes"]): void => {
        for (const node of nodes) {
          for (const input of node.inputs) expect(known.has(input)).toBe(true);
          const { body } = node.attributes as {
            readonly body?: { readonly inputs: readonly { readonly name: string }[]; readonly nodes: Dump["graph"]["nodes"] };
          };
          for (const input of body?.inputs ?? []) known.add(input.name);
          if (body !== undefined) visit(body.nodes);
          for (const output of node.outputs) known.add(output.name);
        }
      };
      visit(dump.graph.nodes);
      for (const { value } of dump.graph.results) expect(known.has(value)).toBe(true);
    }
  });

  it("knows three formats", async () => {
    expect(await runCli(["ir", spec, "--format", "xml"])).toMatchObject({ code: 2, stderr: expect.stringContaining("text, json, yaml") });
  });
});

describe("plec explain", () => {
  it("lists every code, and explains each one listed", async () => {
    const { code, stdout } = await runCli(["explain", "--json"]);
    expect(code).toBe(0);
    const codes: { code: string; severity: string; message: string }[] = JSON.parse(stdout);
    expect(codes.map((entry) => entry.code)).toEqual(expect.arrayContaining(["import/not-found", "input/id-range"]));
    expect(new Set(codes.map((entry) => entry.code)).size).toBe(codes.length);
    for (const entry of codes) {
      const explained = await runCli(["explain", entry.code]);
      expect(explained).toMatchObject({ code: 0, stderr: "" });
      expect(entry.message).not.toBe("{message}");
      expect(explained.stdout).toMatch(/^.+\n {2}.+\n\nWhy: .+\n\nWhat to do: .+\n/);
    }
    expect((await runCli(["explain"])).stdout.trimEnd().split("\n")).toHaveLength(codes.length);
  });
});
