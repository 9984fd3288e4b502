import { defineConfig } from "vitest/config";

/** The suite that needs PyTorch: `npm run test:torch`. */
export default defineConfig({
  test: {
    include: ["test/torch/**/*.test.ts"],
    maxWorkers: "100%",
    testTimeout: 60_000,
    hookTimeout: 300_000,
  },
});
