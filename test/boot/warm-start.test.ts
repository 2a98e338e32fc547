// The second start of a kernel takes its translated code from the first: from the program, through files, to the guest.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Folder } from "../cli/folder.ts";
import { nidoRun } from "./nido.ts";

const LIMIT_MS = 180_000;

/** What a start says of its regions. */
interface Start {
  /** Translated in this start; left by earlier ones; put in force where they had not been made. */
  readonly made: number;
  readonly kept: number;
  readonly reused: number;
}

let folder: Folder;
beforeAll(() => {
  folder = new Folder();
});
afterAll(() => folder[Symbol.dispose]());

async function start(): Promise<Start> {
  const run = await nidoRun(["--cache", folder.path, "--stats", "--", "echo", "here"]);
  expect(run).toMatchObject({ status: 0, stdout: "here\n" });
  const figure = (words: RegExp): number => Number(words.exec(run.stderr)?.[1] ?? expect.fail(run.stderr));
  return { made: figure(/Regions: (\d+) of/), kept: figure(/Kept: (\d+) regions/), reused: figure(/; (\d+) times a region/) };
}

it("translates less each time, and everything again when the file is damaged", { timeout: LIMIT_MS }, async () => {
  const first = await start();
  expect([first.kept, first.made > 10]).toEqual([0, true]);
  // The translator steps back behind other work: on a busy host the first start leaves most of what is hot to the second.
  const second = await start();
  expect(Math.min(second.kept, second.reused)).toBeGreaterThan(10);
  const third = await start();
  expect(third.made).toBeLessThan(first.made + second.made);
  expect(third.kept).toBeGreaterThan(first.made);
  expect(third.reused).toBeGreaterThan(third.made);

  const [name = expect.fail("nothing was kept")] = readdirSync(folder.path);
  const whole = readFileSync(join(folder.path, name));
  writeFileSync(join(folder.path, name), whole.subarray(0, whole.length / 2));
  expect((await start()).kept).toBe(0);
});
