import { defineConfig } from "vitest/config";

/** The suite that trains for real, with the census data beside the checkout: `npm run test:data`. */
export default defineConfig({
  test: {
    include: ["test/proof/**/*.test.ts"],
    testTimeout: 240_000,
    hookTimeout: 240_000,
    fileParallelism: false,
  },
});
