import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";

/** Runs a script in a process of its own, which shows the priorities of its first six threads at the end. */
function priorities(script: string): number[] {
  const source = `
    import { readdirSync } from "node:fs";
    import { getPriority } from "node:os";
    import { optimizeInBackground, workInBackground } from "./background.ts";
    ${script}
    const ids = readdirSync("/proc/self/task").map(Number).sort((a, b) => a - b);
    console.log(JSON.stringify(ids.slice(0, 6).map((id) => getPriority(id))));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", source], {
    cwd: import.meta.dirname,
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  return JSON.parse(stdout) as number[];
}

it.runIf(process.platform === "linux")("lets V8's threads step back behind the program's own", () => {
  const [before = 0] = priorities("");
  const low = Math.max(before, 10);
  expect(priorities("optimizeInBackground();")).toEqual([before, before, low, low, low, low]);
});

it.runIf(process.platform === "linux")("lets the calling thread step back, and no other", () => {
  const [before = 0] = priorities("");
  expect(priorities("workInBackground();")).toEqual([Math.max(before, 10), ...Array<number>(5).fill(before)]);
});
