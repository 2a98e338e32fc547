// Names every test that was skipped, and counts: into the file that scripts/test.mjs asked for, or else as a last line.
import { writeFileSync } from "node:fs";
import type { Reporter, TestModule, TestSuite } from "vitest/node";

/** How a run went. A file or suite that failed outside its tests counts as one failure. */
interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** The reporter that vitest.config.ts names; vitest wants it as the default export. */
export default class SkipReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts: Counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    const skipped = modules.flatMap((module) => count(module, counts));
    if (skipped.length > 0) process.stdout.write(`\nSkipped:\n${skipped.map((name) => `  ${name}\n`).join("")}`);
    const file = process.env["NIDO_TEST_SUMMARY"];
    if (file === undefined) process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
    else writeFileSync(file, JSON.stringify(counts));
  }
}

/** Adds a file's results to `counts` and returns the full names of what it skipped. */
function count(module: TestModule, counts: Counts): string[] {
  const broken = (part: TestModule | TestSuite): void => void (counts.failed += part.errors().length > 0 ? 1 : 0);
  broken(module);
  for (const suite of module.children.allSuites()) broken(suite);
  const skipped: string[] = [];
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    if (state === "passed" || state === "failed") counts[state]++;
    else skipped.push(`${module.relativeModuleId} > ${test.fullName}`);
  }
  if (module.state() === "skipped" && skipped.length === 0) skipped.push(module.relativeModuleId);
  counts.skipped += skipped.length;
  return skipped;
}
