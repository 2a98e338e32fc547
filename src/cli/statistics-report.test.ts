import { expect, it } from "vitest";
import type { MachineStatistics } from "../machine/machine.ts";
import { statisticsReport } from "./statistics-report.ts";

const NOTHING: MachineStatistics = { instructions: 0, busyMs: 0, firstAtMs: undefined, processor: undefined, translation: undefined };

it("tells what a processor did, in figures", () => {
  const statistics: MachineStatistics = {
    ...NOTHING,
    instructions: 1000,
    processor: {
      tlbMisses: 1,
      pageWalks: 2,
      tlbFlushes: 3,
      localFlushes: 12,
      pageFlushes: 4,
      jumpMisses: 5,
      decoded: 6,
      dropped: 7,
      codeFlushes: 8,
      exceptions: 9,
      pageFaults: 10,
      interrupts: 11,
    },
    translation: {
      instructions: 750,
      entries: 100,
      exits: { memory: 10, instruction: 9, handler: 8, refused: 7 },
      requested: 30,
      regions: 20,
      refused: 2,
      translated: 400,
      translationMs: 12.4,
      compilationMs: 6.6,
      installationMs: 1.2,
      invalidated: 3,
      revived: 1,
      evicted: 0,
      kept: 40,
      reused: 50,
    },
  };
  expect(statisticsReport(statistics)).toEqual([
    "Interpreted: 250 instructions (25.0 %).",
    "Translated: 750 instructions (75.0 %) in 100 entries of regions, 7.5 each.",
    "Exits: 66 to code elsewhere, 10 at memory accesses, 9 at other instructions, 8 behind called instructions, 7 refused at the entry.",
    "Regions: 20 of 30 places asked for, with 400 instructions; 2 refused, 3 invalidated, 1 revived, 0 given up for room.",
    "Kept: 40 regions from earlier starts; 50 times a region was put in force where it had not been made.",
    "Time: 12 ms to translate in the background, 7 ms of it to compile; 1 ms to take in.",
    "TLB: 1 misses, 2 page walks, emptied 3 times, 12 times but for global pages, 4 pages forgotten singly.",
    "Decoded: 6 blocks; 7 dropped because they were written, all of them 8 times; 5 jump cache misses.",
    "Events: 9 exceptions, 10 of them page faults; 11 interrupts.",
  ]);
});

it("tells of a processor that only interprets, and of one that did nothing", () => {
  expect(statisticsReport({ ...NOTHING, instructions: 7 })).toEqual(["Everything was interpreted."]);
});
