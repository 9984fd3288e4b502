import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Suites with needs of their own: `npm run test:torch`, `test:data`, `test:training`, `test:gpu`, `test:browser`.
    exclude: ["test/torch/**", "test/proof/**", "test/training/full-spec/**", "test/gpu/**", "test/browser/**"],
    // By default one core is left idle, which of two is half.
    maxWorkers: "100%",
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
