// npm run test:matrix [-- --fast | vitest's arguments]: the tests under every Node that is supported, each fetched from npm when it is
// missing. Builds with the first. Ends with a line for each version, and status 1 when a test failed under any.
import { spawnSync } from "node:child_process";
import { dirname, delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeBinary, nodeVersion, SUPPORTED_NODES } from "./npm-packages.ts";

const TESTS = fileURLToPath(new URL("test.mjs", import.meta.url));

/** Runs the tests under one Node → their last line. */
function testUnder(binary: string): { readonly summary: string; readonly failed: boolean } {
  const env = { ...process.env, PATH: `${dirname(binary)}${delimiter}${process.env["PATH"] ?? ""}` };
  const { status, stdout } = spawnSync(binary, [TESTS, ...process.argv.slice(2)], {
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 1 << 28,
  });
  process.stdout.write(stdout);
  return { summary: stdout.trimEnd().split("\n").at(-1) ?? "", failed: status !== 0 };
}

const lines = SUPPORTED_NODES.map((major) => {
  const binary = nodeBinary(major);
  const { summary, failed } = testUnder(binary);
  if (failed) process.exitCode = 1;
  return `Node ${nodeVersion(binary)}: ${summary}`;
});
process.stdout.write(`\n${lines.join("\n")}\n`);
