// A disagreement as text: how to see it again, the code, and what differs.
import { disassemble } from "../../../src/cpu/decode/disassemble.ts";
import type { Disagreement } from "./check.ts";
import { assemble } from "./program.ts";
import { codeBase, dataBase } from "./space.ts";
import type { Sequence } from "./start.ts";

/** The command that finds a sequence's disagreement again. */
export function commandFor({ seed }: Sequence): string {
  return `npm run fuzz:sequences -- --only ${seed}`;
}

/** The instructions of a sequence, one a line. */
export function listing({ program, slot }: Sequence): string[] {
  const { code, starts } = assemble(program, slot);
  return starts.map((start) => {
    const address = codeBase(slot) + start;
    const { length, text } = disassemble(code.subarray(start, start + 15), program.mode, BigInt(address));
    return `  ${address.toString(16)}  ${Buffer.from(code.subarray(start, start + length))
      .toString("hex")
      .padEnd(22)} ${text}`;
  });
}

/** Everything about a disagreement. */
export function describeDisagreement({ sequence, where, differences }: Disagreement): string {
  const { start, program, cpl, slot, schedule } = sequence;
  const registers = [...start.gpr].map((value, i) => `r${i}=${value.toString(16)}`).join(" ");
  const flags = `rflags=${start.rflags.toString(16)} mxcsr=${start.mxcsr.toString(16)} fcw=${start.fcw.toString(16)}`;
  return [
    commandFor(sequence),
    `  ${where}; ${program.mode}-bit, CPL ${cpl}, data at ${dataBase(slot).toString(16)}, ${JSON.stringify(schedule)}`,
    `  ${registers} ${flags}`,
    ...listing(sequence),
    ...differences.map(({ what, expected, got }) => `  ${what}: interpreter ${expected}, here ${got}`),
  ].join("\n");
}
