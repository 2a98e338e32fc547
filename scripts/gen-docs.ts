// npm run docs: writes the generated pages. test/generated-docs.test.ts fails when one that is committed is not current.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PAGES } from "./docs/pages.ts";
import { ROOT } from "./setup.mjs";

for (const page of PAGES) {
  writeFileSync(join(ROOT, page.path), page.render());
  process.stdout.write(`${page.path}\n`);
}
