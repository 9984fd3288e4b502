import { readdirSync } from "node:fs";
import { afterAll, expect, it, vi } from "vitest";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";
import { files } from "./shop.ts";

const folder = temporaryFolder(files);
afterAll(() => folder.remove());

vi.mock("node:os", async (original) => ({ ...(await original<typeof import("node:os")>()), totalmem: () => 20_000 }));

it("a batch that cannot fit into memory is refused before it runs", async () => {
  const { code, stderr } = await runCli([
    "train",
    folder.path("shop.ple"),
    "--data",
    folder.path("data.yaml"),
    "--out",
    folder.path("run"),
  ]);
  expect(stderr).toMatch(
    /Shop: a batch of 32 rows needs 0\.0000\d+ GB at least, and this machine has 0\.000020; make `batch` smaller, and `accumulate` as many of them/,
  );
  expect(code).toBe(1);
  // Nothing stands in the way of another spec in that folder.
  expect(readdirSync(folder.path("run"))).toEqual([]);
});
