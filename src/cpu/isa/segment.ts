// Segment registers (SDM 1 §5.1.11, SDM 3A chapter 5): loading them, LDTR and TR, and questions about selectors.
import { HELPER } from "../assist/numbers.ts";
import type { Expr } from "../ir/types.ts";
import { CR0, EFLAGS } from "../mmu/control.ts";
import { loadSegment } from "../mmu/segment-load.ts";
import { SHADOW } from "../state.ts";
import { ZF } from "./flags.ts";
import { type Instruction, instruction, type Operand } from "./instruction.ts";
import { REG, SEG, type Sem } from "./sem.ts";
import { slotWidth } from "./stack.ts";
import { requireUmip } from "./system.ts";

/** #UD in real-address and virtual-8086 mode. */
function requireProtected(o: Sem): void {
  const virtual = o.ne(o.and(o.state("eflags"), EFLAGS.VM), 0);
  o.udIf(o.or(virtual, o.not(o.and(o.state("cr0"), CR0.PE))));
}

/** Loads segment register `n`, all checks first. */
function load(o: Sem, n: Expr, selector: Expr): void {
  o.call(loadSegment, o.base(), n, selector);
}

/** After SS: the stack's size may have changed, and with it how code is decoded. `shadow`: interrupts wait one instruction. */
function settleStack(o: Sem, shadow: boolean): void {
  const before = o.state("mode");
  // Of two in a row only the first holds interrupts back (SDM 3A §6.8.3).
  if (shadow) o.if(o.not(o.and(o.state("shadow"), SHADOW.movSs)), () => o.setState("shadow", o.i32(SHADOW.movSs)));
  o.refresh();
  o.if(o.ne(o.state("mode"), before), () => o.resynchronize());
}

// ── MOV, POP, LDS and its family ──────────────────────────────────────────────────────────────────────────────────────────

function movToSegment(o: Sem, dst: Operand, src: Operand): void {
  const n = o.field(dst);
  o.udIf(o.or(o.eq(n, SEG.cs), o.gtU(n, SEG.gs)));
  load(o, n, o.wrap(o.read(src)));
  o.if(o.eq(n, SEG.ss), () => settleStack(o, true));
}

function movFromSegment(o: Sem, dst: Operand, src: Operand): void {
  const n = o.field(src);
  o.udIf(o.gtU(n, SEG.gs));
  o.write(dst, o.selector(n));
}

/** The new stack pointer is worked out with the old stack's size. */
function pop(o: Sem, dst: Operand, width: number): void {
  const n = o.field(dst);
  const selector = o.wrap(o.and(o.peek(width), 0xffffn));
  const rsp = o.reg(REG.rsp, 64);
  const top = o.add(rsp, BigInt(width >> 3));
  const mask = o.long ? undefined : o.state64("stackMask");
  load(o, n, selector);
  if (mask) o.setReg(REG.rsp, 64, o.or(o.and(rsp, o.xor(mask, 0xffff_ffffn)), o.and(top, mask)));
  else o.setReg(REG.rsp, 64, top);
  o.if(o.eq(n, SEG.ss), () => settleStack(o, true));
}

const popLegacy = (opcode: string, name: string): string[] => [`${opcode} | ${name} | i64 o16`, `${opcode} | ${name} | i64 o32`];
const popAnywhere = (opcode: string, name: string): string[] => [
  `${opcode} | ${name} | o16`,
  `${opcode} | ${name} | i64 o32`,
  `${opcode} | ${name} | o64 any`,
];

/** Address `bytes` further on, cut to 32 bits outside 64-bit mode. */
function beyond(o: Sem, address: Expr, bytes: number): Expr {
  const next = o.add(address, BigInt(bytes));
  return o.long ? next : o.and(next, 0xffff_ffffn);
}

/** A far pointer in memory: offset first, selector behind it. */
export function readFarPointer(o: Sem, src: Operand): { readonly offset: Expr; readonly selector: Expr } {
  const width = src.width - 16;
  const address = o.address(src);
  const offset = o.loadMemory(address, width);
  return { offset, selector: o.wrap(o.loadMemory(beyond(o, address, width >> 3), 16)) };
}

function loadPointer(name: string, opcode: string, segment: number, attributes = ""): Instruction {
  const rows = [`${opcode} /r | r16, m16:16 | ${attributes}`, `${opcode} /r | r32, m16:32 | ${attributes}`];
  return instruction(name, {
    forms: attributes ? rows : [...rows, `REX.W + ${opcode} /r | r64, m16:64`],
    access: "w r",
    sem: (o, [dst, src]) => {
      const { offset, selector } = readFarPointer(o, src);
      load(o, o.i32(segment), selector);
      o.write(dst, offset);
      if (segment === SEG.ss) settleStack(o, false);
    },
  });
}

// ── system segments ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** SLDT and STR: memory takes 16 bits, registers the operand size. */
function storeSystem(name: string, digit: number, selector: "ldtrSelector" | "trSelector"): Instruction {
  const row = `0F 00 /${digit}`;
  return instruction(name, {
    forms: [`${row} | r/m16 | o16`, `${row} | r32. | o32`, `${row} | m16 | o32`, `REX.W + ${row} | r64.`, `REX.W + ${row} | m16`],
    access: "w",
    sem: (o, [dst]) => {
      requireProtected(o);
      requireUmip(o);
      o.write(dst, o.extU(o.state(selector)));
    },
  });
}

function loadSystem(name: string, digit: number, helper: number): Instruction {
  return instruction(name, {
    forms: [`0F 00 /${digit} | r/m16 | any`],
    access: "r",
    sem: (o, [src]) => {
      requireProtected(o);
      o.requireCpl0();
      o.helper(helper, o.wrap(o.read(src)));
    },
  });
}

// ── questions ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

function setZf(o: Sem, zf: Expr): void {
  o.changeArithmetic(ZF, o.shl(zf, 6));
}

/** LAR and LSL: the destination changes only when ZF is set. */
function describe(name: string, opcode: string, helper: number, mask: (width: number) => bigint): Instruction {
  return instruction(name, {
    forms: [`${opcode} /r | r16, r/m16`, `${opcode} /r | r32, r/m16`, `REX.W + ${opcode} /r | r64, r/m16`],
    access: "w r",
    flags: "ZF",
    sem: (o, [dst, src]) => {
      requireProtected(o);
      const known = o.helper(helper, o.wrap(o.read(src)));
      o.if(known, () => o.write(dst, o.and(o.state64("scratchValue"), mask(dst.width))));
      setZf(o, known);
    },
  });
}

function verify(name: string, digit: number, write: number): Instruction {
  return instruction(name, {
    forms: [`0F 00 /${digit} | r/m16 | any`],
    access: "r",
    flags: "ZF",
    sem: (o, [src]) => {
      requireProtected(o);
      setZf(o, o.helper(HELPER.verify, o.or(o.wrap(o.read(src)), write << 16)));
    },
  });
}

/** Raises the destination's RPL to the source's. */
function adjustRpl(o: Sem, dst: Operand, src: Operand): void {
  requireProtected(o);
  const selector = o.read(dst);
  const rpl = o.and(o.read(src), 3n);
  const lower = o.ltU(o.and(selector, 3n), rpl);
  o.if(lower, () => {
    const adjusted = o.or(o.and(selector, 0xfffcn), rpl);
    if (dst.kind === "reg") o.write(dst, adjusted);
    else o.storeMemory(o.segmentLinear(o.segmentNumber(), o.effectiveAddress(), 2, true), 16, adjusted);
  });
  setZf(o, lower);
}

/** Segment registers and system segments. */
export const segment: readonly Instruction[] = [
  instruction("MOV", { forms: ["8E /r | Sreg, r/m16 | any"], access: "w r", sem: (o, [dst, src]) => movToSegment(o, dst, src) }),
  instruction("MOV", {
    forms: [
      "8C /r | r/m16, Sreg | o16",
      "8C /r | r32., Sreg | o32",
      "8C /r | m16, Sreg | o32",
      "REX.W + 8C /r | r64., Sreg",
      "REX.W + 8C /r | m16, Sreg",
    ],
    access: "w r",
    sem: (o, [dst, src]) => movFromSegment(o, dst, src),
  }),
  instruction("POP", {
    forms: [
      ...popLegacy("07", "ES"),
      ...popLegacy("17", "SS"),
      ...popLegacy("1F", "DS"),
      ...popAnywhere("0F A1", "FS"),
      ...popAnywhere("0F A9", "GS"),
    ],
    access: "w",
    sem: (o, [dst], form) => pop(o, dst, slotWidth(o, form)),
  }),
  loadPointer("LDS", "C5", SEG.ds, "i64"),
  loadPointer("LES", "C4", SEG.es, "i64"),
  loadPointer("LSS", "0F B2", SEG.ss),
  loadPointer("LFS", "0F B4", SEG.fs),
  loadPointer("LGS", "0F B5", SEG.gs),
  storeSystem("SLDT", 0, "ldtrSelector"),
  storeSystem("STR", 1, "trSelector"),
  loadSystem("LLDT", 2, HELPER.loadLdt),
  loadSystem("LTR", 3, HELPER.loadTask),
  verify("VERR", 4, 0),
  verify("VERW", 5, 1),
  describe("LAR", "0F 02", HELPER.lar, (width) => (width === 16 ? 0xff00n : 0xff_ff00n)),
  describe("LSL", "0F 03", HELPER.lsl, (width) => (1n << BigInt(Math.min(width, 32))) - 1n),
  instruction("ARPL", {
    forms: ["63 /r | r/m16, r16 | i64 any"],
    // Memory is only written when the RPL changes, and only then must it be writable.
    access: "r r",
    flags: "ZF",
    sem: (o, [dst, src]) => adjustRpl(o, dst, src),
  }),
];
