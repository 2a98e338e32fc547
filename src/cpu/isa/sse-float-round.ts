// Rounding to integral values (SDM 1 §5.10.3; SDM 2B ROUNDPS): bits 1:0 of the immediate are the rounding control unless bit 2 asks
// for MXCSR's, and bit 3 keeps PE quiet.
import { attemptIntegral, attemptIntegrals } from "../float/host-convert.ts";
import { conversion } from "../float/ieee-convert.ts";
import { roundingControl } from "../float/ieee.ts";
import { type Instruction, instruction } from "./instruction.ts";
import { immediate } from "./packed.ts";
import { lanesOfValue, SHAPES, type Shape, valueOf, withHost } from "./sse-float-lane.ts";

function round(shape: Shape, opcode: string): Instruction {
  return instruction(`ROUND${shape.suffix}`, {
    forms: [`66 0F 3A ${opcode} /r ib | ${shape.operands}, imm8 | sse`],
    access: "w r r",
    feature: "sse4_1",
    sem: (o, [dst, src]) => {
      const mode = immediate(o);
      const rc = o.select(o.and(mode, 4), roundingControl(o, o.base()), o.and(mode, 3));
      const report = o.not(o.and(mode, 8));
      const x = valueOf(o, shape, src);
      const host = {
        lane: () => attemptIntegral(o, o.base(), shape.format, rc, report, x),
        vector: () => attemptIntegrals(o, o.base(), shape.format, rc, report, x),
      };
      withHost(o, shape, dst, host, [x, x], () => {
        const { toIntegral } = conversion(shape.format);
        return lanesOfValue(o, shape, x).map((e) => o.call(toIntegral, o.base(), e, rc, report));
      });
    },
  });
}

/** ROUNDPS, ROUNDPD, ROUNDSS and ROUNDSD. */
export const sseFloatRound: readonly Instruction[] = [
  round(SHAPES.PS, "08"),
  round(SHAPES.PD, "09"),
  round(SHAPES.SS, "0A"),
  round(SHAPES.SD, "0B"),
];
