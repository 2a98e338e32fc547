// A disagreement as text: how to see it again, the code, and what differs.
import { disassemble } from "../../../src/cpu/decode/disassemble.ts";
import type { Disagreement } from "./check.ts";
import { assemble } from "./program.ts";
import { codeBase, dataBase } from "./space.ts";
import type { Sequence } from "./sequence.ts";

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
export function describeDisagreement({ sequence, start: number, where, differences }: Disagreement): string {
  const { program, slot, translation, starts } = sequence;
  const { state, ...start } = starts[number]!;
  const registers = [...state.gpr].map((value, i) => `r${i}=${value.toString(16)}`).join(" ");
  const flags = `rflags=${state.rflags.toString(16)} mxcsr=${state.mxcsr.toString(16)} fcw=${state.fcw.toString(16)}`;
  return [
    commandFor(sequence),
    `  ${where}; start ${number} of ${starts.length}, ${program.mode}-bit, data at ${dataBase(slot).toString(16)}`,
    `  ${JSON.stringify(translation)} ${JSON.stringify(start)}`,
    `  ${registers} ${flags}`,
    ...listing(sequence),
    ...differences.map(({ what, expected, got }) => `  ${what}: interpreter ${expected}, here ${got}`),
  ].join("\n");
}
