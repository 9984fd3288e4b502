import { readFileSync, symlinkSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, expect, it } from "vitest";
import { makeConsumer } from "../api/consumer.ts";
import { runCli } from "../cli/run-cli.ts";

const consumer = makeConsumer();
afterAll(() => consumer.remove());

const blocks = (page: string, language: string) =>
  [...readFileSync(page, "utf8").matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, text = ""]) => text);

it("every program of docs/typescript.md compiles and runs", { timeout: 60_000 }, async () => {
  const programs = blocks("docs/typescript.md", "ts");
  expect(programs).toHaveLength(2);
  symlinkSync(resolve("specs"), consumer.path("specs"), "junction");
  consumer.write("src/mmoe.ts", (await runCli(["types", "specs/mmoe.ple"])).stdout);
  await runCli(["compile", "specs/mmoe.ple", "-o", consumer.path("mmoe.onnx")]);
  programs.forEach((text, i) => {
    consumer.write(`src/program_${i}.ts`, text);
  });
  expect(consumer.compile({ module: "node16", exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true })).toEqual(new Map());
  expect(consumer.run("out/program_0.js")).toMatch(/^0\.\d+\n0\.\d+\nnever_married 2 3\n$/);
  expect(consumer.run("out/program_1.js")).toContain("name/unknown");
});
