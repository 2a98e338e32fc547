// Instructions without effect on what a program computes: no-operations, hints, fences, cache control (SDM 1 §5.1.16, §5.6.4).
//
// One processor sees its own accesses in order and devices see them at once, so that fences have nothing to wait for.
import { type Instruction, instruction } from "./instruction.ts";
import type { Sem } from "./sem.ts";

const nothing = (): void => {};

/** 0F 0D and 0F 18–1F: a ModRM byte, whose address is not touched (SDM 2D table A-3). ENDBR, PREFETCH and CLDEMOTE are among them. */
const HINT_OPCODES = ["0D", "18", "19", "1A", "1B", "1C", "1D", "1E", "1F"] as const;

const fence = (name: string, modrm: string, feature: string): Instruction =>
  instruction(name, { forms: [`NP 0F AE ${modrm}+i`], feature, sem: nothing });

/** Instructions without effect on results. */
export const hint: readonly Instruction[] = [
  instruction("NOP", { forms: ["90 | | b0", ...HINT_OPCODES.map((op) => `0F ${op} /r | r/m32 | any`)], access: "-", sem: nothing }),
  instruction("PAUSE", { forms: ["F3 90 | | b0"], sem: nothing }),
  fence("LFENCE", "E8", "sse2"),
  fence("MFENCE", "F0", "sse2"),
  fence("SFENCE", "F8", "sse"),
  // Faults like the read of a byte.
  instruction("CLFLUSH", { forms: ["NP 0F AE /7 | m8"], access: "r", feature: "clflush", sem: (o: Sem, [line]) => void o.read(line) }),
];
