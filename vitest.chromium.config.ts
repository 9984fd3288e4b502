import { defineConfig } from "vitest/config";

/** Suites that need what Debian's chromium brings: run them with `npm run test:gpu` and `npm run test:browser`. */
export default defineConfig({
  test: {
    include: ["test/gpu/**/*.test.ts", "test/browser/**/*.test.ts"],
    testTimeout: 300_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
});
