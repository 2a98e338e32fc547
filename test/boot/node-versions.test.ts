// The built program and the engine's tests under every supported Node: each has another V8, and V8 compiles what the translator makes.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { nodeBinary, presentNode, SUPPORTED_NODES } from "../../scripts/npm-packages.ts";
import { ROOT } from "../../scripts/setup.mjs";

const run = promisify(execFile);
const LIMITS = { cwd: ROOT, timeout: 500_000, maxBuffer: 1 << 26 };

/** Integers, floating point, strings, processes and pipes, for long enough that all of it is translated. */
const SCRIPT = `i=0; s=0; while [ $i -lt 20000 ]; do i=$((i + 1)); s=$(((s * 31 + i) & 1048575)); done; echo $s
awk 'BEGIN { for (i = 0; i < 100000; i++) { x += i * 1.5; x /= 1.0001 }; printf "%.17g\\n", x }'
dd if=/dev/zero bs=1M count=8 2>/dev/null | gzip -9 | gunzip | md5sum
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do /bin/busybox true || echo failed; done`;
const EXPECTED = ["862480", "1349991814.0765529", "96995b58d4cbf6aaa9041b4f00c7f6ae  -"];

/** A Node of this major version. Continuous integration fetches it; elsewhere npm run test:matrix does. */
function node(major: string): string | undefined {
  try {
    return presentNode(major) ?? (process.env["CI"] === undefined ? undefined : nodeBinary(major));
  } catch {
    return undefined;
  }
}

describe.each(SUPPORTED_NODES)("Node %s", (major) => {
  const binary = node(major);
  const title = binary === undefined ? ` [needs Node ${major}: npm run test:matrix fetches it]` : "";

  it.skipIf(binary === undefined)(`runs a guest whose code is translated${title}`, async () => {
    const { stdout } = await run(binary ?? "", ["bin/nido.mjs", "run", "--engine", "wasm", "--", "sh", "-c", SCRIPT], LIMITS);
    expect(stdout.trimEnd().split("\n")).toEqual(EXPECTED);
  });

  it.skipIf(binary === undefined)(`passes the tests of engine and translator${title}`, async () => {
    const args = ["node_modules/vitest/vitest.mjs", "run", "--project", "unit", "src/cpu/engine", "src/cpu/translate", "src/cpu/ir"];
    const { stdout } = await run(binary ?? "", args, { ...LIMITS, env: { ...process.env, NIDO_TEST_SUMMARY: undefined } });
    expect(stdout.trimEnd().split("\n").at(-1)).toMatch(/^[1-9]\d* passed, 0 failed, 0 skipped$/);
  });
});
