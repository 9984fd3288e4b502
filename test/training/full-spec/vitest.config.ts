import { defineConfig } from "vitest/config";

/** The suite that takes minutes: `npm run test:training`. */
export default defineConfig({
  test: {
    include: ["test/training/full-spec/**/*.test.ts"],
    maxWorkers: "100%",
    testTimeout: 1_200_000,
  },
});
