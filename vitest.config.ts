import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Suites with needs of their own: `npm run test:torch`, `npm run test:data`.
    exclude: ["test/torch/**", "test/proof/**"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
