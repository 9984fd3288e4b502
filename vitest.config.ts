import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // See vitest.chromium.config.ts.
    exclude: ["test/gpu/**", "test/browser/**"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
