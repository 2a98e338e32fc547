import { defineConfig } from "vitest/config";

// What takes long: whole guests, other hypervisors, and whatever says so in its name.
const SLOW = ["test/boot/**/*.test.ts", "test/peers/**/*.test.ts", "**/*.slow.test.ts"];
const NEVER = ["**/node_modules/**", "dist/**", ".cache/**", "**/fixtures/**"];

// Tests import the package by its name, and get the sources.
const resolve = { conditions: ["source", "node", "import", "default"] };

// Engines are compiled as they are in the product.
const setupFiles = ["./test/v8-flags.ts"];
// No test finds what another, or the user, has left.
const env = { NIDO_CACHE: "off" };

export default defineConfig({
  test: {
    reporters: ["default", "./scripts/vitest-reporter.ts"],
    projects: [
      {
        resolve,
        ssr: { resolve },
        test: {
          name: "unit",
          setupFiles,
          env,
          include: ["{src,test,scripts,bench,guest}/**/*.test.ts"],
          exclude: [...NEVER, ...SLOW],
          pool: "threads",
          testTimeout: 20_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        resolve,
        ssr: { resolve },
        test: {
          name: "slow",
          setupFiles,
          env,
          include: SLOW,
          exclude: NEVER,
          pool: "forks",
          testTimeout: 600_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
