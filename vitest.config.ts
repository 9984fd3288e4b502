import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Suites with needs of their own: `npm run test:torch`.
    exclude: ["test/torch/**"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
