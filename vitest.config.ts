import { defineConfig } from "vitest/config";

// Suites with needs of their own: `npm run test:torch`, `test:data`, `test:training`, `test:gpu`, `test:browser`.
const ofOtherSuites = ["test/torch/**", "test/proof/**", "test/training/full-spec/**", "test/gpu/**", "test/browser/**"];

/** They fill a memory, count what lies in it, put another module in the place of one, or ask what has been imported. */
const withProcessOfTheirOwn = ["runs/memory", "data/batches", "runtime/wasm-memory", "runtime/tfjs", "yaml/feature-schema"].map(
  (name) => `test/${name}.test.ts`,
);

const timeouts = { testTimeout: 30_000, hookTimeout: 60_000 };

export default defineConfig({
  test: {
    // By default one core is left idle, which of two is half.
    maxWorkers: "100%",
    // Files that share a process import the compiler once, which saves a third of the time.
    projects: [
      {
        test: {
          name: "shared",
          include: ["test/**/*.test.ts"],
          exclude: [...ofOtherSuites, ...withProcessOfTheirOwn],
          isolate: false,
          ...timeouts,
        },
      },
      { test: { name: "alone", include: withProcessOfTheirOwn, ...timeouts } },
    ],
  },
});
