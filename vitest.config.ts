import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Suites with needs of their own: `npm run test:torch`, `test:data`, `test:training`, `test:gpu`, `test:browser`.
    exclude: ["test/torch/**", "test/proof/**", "test/training/full-spec/**", "test/gpu/**", "test/browser/**"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
