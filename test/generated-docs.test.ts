import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { table } from "../scripts/docs/page.ts";
import { PAGES } from "../scripts/docs/pages.ts";
import { ROOT } from "../scripts/setup.mjs";
import { REMEDIES } from "../src/support/errors.ts";

describe("generated documentation", () => {
  it.each(PAGES)("$path is current (else: npm run docs)", (page) => {
    expect(readFileSync(join(ROOT, page.path), "utf8")).toBe(page.render());
  });

  it("names every error code", () => {
    const page = readFileSync(join(ROOT, "docs/errors.md"), "utf8");
    for (const [code, remedy] of Object.entries(REMEDIES)) expect(page).toContain(`| \`${code}\` | ${remedy} |`);
  });

  it("keeps a cell in its cell", () => {
    expect(table(["a"], [["x|y\nz"]])).toBe("| a |\n|---|\n| x\\|y z |");
  });
});
