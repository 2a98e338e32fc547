import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../scripts/setup.mjs";

const HEAD = 'import { describe, expect, it } from "vitest";\n';
const FILES: Readonly<Record<string, string>> = {
  "mixed.test.ts": `${HEAD}it("good", () => expect(1).toBe(1));\nit("bad", () => expect(1).toBe(2));\nit.skip("later", () => {});\n`,
  "whole.test.ts": `${HEAD}describe.skip("a peer [needs it]", () => {\n  it("one", () => {});\n  it("two", () => {});\n});\n`,
  "broken.test.ts": `${HEAD}throw new Error("does not load");\n`,
};

describe("the last line of a test run", () => {
  it("counts what passed, failed, was skipped or did not load, and names the skipped", () => {
    const folder = mkdtempSync(join(tmpdir(), "nido-reporter-"));
    try {
      symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"), "junction");
      for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
      const args = ["node_modules/vitest/vitest.mjs", "run", "--root", folder, "--reporter", join(ROOT, "scripts/vitest-reporter.ts")];
      const { NIDO_TEST_SUMMARY: _, ...env } = process.env;
      const { status, stdout } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8", env });
      expect(status).toBe(1);
      expect(stdout.trimEnd().split("\n").at(-1)).toBe("1 passed, 2 failed, 3 skipped");
      for (const name of ["mixed.test.ts > later", "whole.test.ts > a peer [needs it] > one", "whole.test.ts > a peer [needs it] > two"]) {
        expect(stdout).toContain(`  ${name}\n`);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
