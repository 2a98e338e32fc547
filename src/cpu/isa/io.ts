// Port input and output (SDM 1 §5.1.9, chapter 18).
import { HELPER } from "../assist/numbers.ts";
import { portRead, portWrite } from "../host-calls.ts";
import type { Expr } from "../ir/types.ts";
import { CR4, EFLAGS } from "../mmu/control.ts";
import { type Instruction, instruction, type Operand } from "./instruction.ts";
import { REG, type Sem } from "./sem.ts";

/**
 * Before every port access: #GP(0) unless IOPL or the task's I/O permission bitmap allows `bytes` ports from `port` (i32); virtual-8086
 * mode has the bitmap only. Breakpoints that watch the port are noted.
 */
export function requirePort(o: Sem, port: Expr, bytes: number): void {
  const flags = o.state("eflags");
  const level = o.leU(o.state("cpl"), o.and(o.shrU(flags, 12), 3));
  const allowed = o.and(level, o.not(o.and(flags, EFLAGS.VM)));
  o.if(o.not(allowed), () => void o.helper(HELPER.ioPermission, o.or(port, bytes << 16)));
  // I/O breakpoints exist with CR4.DE only (SDM 3A §17.2.4); the trap comes when the instruction has completed.
  const watched = o.and(o.ne(o.and(o.wrap(o.state64("dr7")), 0xff), 0), o.ne(o.and(o.state("cr4"), CR4.DE), 0));
  o.if(watched, () => void o.helper(HELPER.portBreakpoint, o.or(port, bytes << 16)));
}

/** The port of an operand: an immediate byte or DX. */
function portOf(o: Sem, operand: Operand): Expr {
  return operand.kind === "imm" ? o.and(o.wrap(o.imm()), 0xff) : o.wrap(o.read(operand));
}

const SIZES = [
  ["AL", ""],
  ["AX", "o16"],
  ["EAX", "any"],
] as const;

function rows(immediate: number, dx: number, accumulatorFirst: boolean): string[] {
  const row =
    (opcode: number, port: string) =>
    ([register, size]: (typeof SIZES)[number], i: number): string => {
      const code = (opcode + (i === 0 ? 0 : 1)).toString(16).toUpperCase();
      return `${code}${port === "DX" ? "" : " ib"} | ${accumulatorFirst ? `${register}, ${port}` : `${port}, ${register}`} | ${size}`;
    };
  return [...SIZES.map(row(immediate, "imm8")), ...SIZES.map(row(dx, "DX"))];
}

/** Port instructions. */
export const io: readonly Instruction[] = [
  instruction("IN", {
    forms: rows(0xe4, 0xec, true),
    access: "w r",
    sem: (o, [dst, from]) => {
      const port = portOf(o, from);
      const bytes = dst.width >> 3;
      requirePort(o, port, bytes);
      o.setReg(REG.rax, dst.width, o.zext(o.extU(o.call(portRead, port, o.i32(bytes))), dst.width));
    },
  }),
  instruction("OUT", {
    forms: rows(0xe6, 0xee, false),
    access: "r r",
    sem: (o, [to, src]) => {
      const port = portOf(o, to);
      const bytes = src.width >> 3;
      requirePort(o, port, bytes);
      o.call(portWrite, port, o.i32(bytes), o.wrap(o.reg(REG.rax, src.width)));
    },
  }),
];
