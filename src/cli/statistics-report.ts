// What `nido run --stats` prints: what a machine's processor did, line by line.
import type { MachineStatistics } from "../machine/machine.ts";

type Translation = NonNullable<MachineStatistics["translation"]>;
type Processor = NonNullable<MachineStatistics["processor"]>;

/** The figures in lines; of what nothing is known there is none. */
export function statisticsReport({ instructions, translation, processor }: MachineStatistics): string[] {
  return [
    ...(translation === undefined ? ["Everything was interpreted."] : translationLines(instructions, translation)),
    ...(processor === undefined ? [] : processorLines(processor)),
  ];
}

function translationLines(instructions: number, t: Translation): string[] {
  const { entries, exits } = t;
  const others = entries - exits.memory - exits.instruction - exits.handler - exits.refused;
  return [
    `Interpreted: ${instructions - t.instructions} instructions (${share(instructions - t.instructions, instructions)}).`,
    `Translated: ${t.instructions} instructions (${share(t.instructions, instructions)}) in ${entries} entries of regions, ${ratio(t.instructions, entries)} each.`,
    `Exits: ${others} to code elsewhere, ${exits.memory} at memory accesses, ${exits.instruction} at other instructions, ${exits.handler} behind called instructions, ${exits.refused} refused at the entry.`,
    `Regions: ${t.regions} of ${t.requested} places asked for, with ${t.translated} instructions; ${t.refused} refused, ${t.invalidated} invalidated, ${t.revived} revived, ${t.evicted} given up for room.`,
    `Kept: ${t.kept} regions from earlier starts; ${t.reused} times a region was put in force where it had not been made.`,
    `Time: ${Math.round(t.translationMs)} ms to translate in the background, ${Math.round(t.compilationMs)} ms of it to compile; ${Math.round(t.installationMs)} ms to take in.`,
  ];
}

function processorLines(p: Processor): string[] {
  return [
    `TLB: ${p.tlbMisses} misses, ${p.pageWalks} page walks, emptied ${p.tlbFlushes} times, ${p.localFlushes} times but for global pages, ${p.pageFlushes} pages forgotten singly.`,
    `Decoded: ${p.decoded} blocks; ${p.dropped} dropped because they were written, all of them ${p.codeFlushes} times; ${p.jumpMisses} jump cache misses.`,
    `Events: ${p.exceptions} exceptions, ${p.pageFaults} of them page faults; ${p.interrupts} interrupts.`,
  ];
}

const share = (part: number, whole: number): string => `${whole > 0 ? ((100 * part) / whole).toFixed(1) : "0"} %`;
const ratio = (a: number, b: number): string => (b > 0 ? (a / b).toFixed(1) : "0");
