// MXCSR and the images of x87 and SSE state (SDM 1 §10.5, chapter 13).
//
// An image is probed as a whole before anything is stored, and read as a whole page by page before anything is loaded, so that
// a fault leaves no trace. The registers themselves are moved by loops in routines that FXSAVE and the XSAVE family share.
import type { Expr } from "../ir/types.ts";
import { isCanonical } from "../mmu/access.ts";
import { CR0, CR4, EFLAGS, VECTOR } from "../mmu/control.ts";
import { SEG_BASE } from "../state.ts";
import { type Instruction, instruction, type Operand } from "./instruction.ts";
import { REG, type Sem } from "./sem.ts";
import {
  COMPONENT,
  initializeX87,
  initializeXmm,
  inUse,
  loadX87,
  loadXmm,
  MXCSR_INITIAL,
  MXCSR_MASK,
  saveX87,
  saveXmm,
} from "./state-image.ts";

const LEGACY_BYTES = 512;
const XSAVE_BYTES = 576;
/** Offsets in an image (SDM 1 table 13-1, §13.4.2). */
const IMAGE = { mxcsr: 24, mask: 28, xstateBv: 512, xcompBv: 520, reserved: 528, end: 576 } as const;
const COMPACTED = 1n << 63n;

/** Linear address of an image: aligned, and all of it inside its segment. */
function imageAddress(o: Sem, m: Operand, bytes: number, align: number, write: boolean): Expr {
  if (o.long) {
    const linear = o.address(m, write);
    requireImageAligned(o, linear, align);
    return linear;
  }
  const offset = o.effectiveAddress();
  const segment = o.segmentNumber();
  const base = o.load("i64.load", o.add(o.base(), o.shl(segment, 3)), SEG_BASE);
  requireImageAligned(o, o.add(offset, base), align);
  const linear = o.segmentLinear(segment, offset, 1, write);
  o.segmentLinear(segment, o.add(offset, BigInt(bytes - 1)), 1, write);
  return linear;
}

/** #GP(0) for a misaligned image; while alignment is checked, silicon checks that of a doubleword first. */
function requireImageAligned(o: Sem, linear: Expr, align: number): void {
  o.if(o.wrap(o.and(linear, BigInt(align - 1))), () => {
    const enabled = o.and(o.ne(o.and(o.state("cr0"), CR0.AM), 0), o.ne(o.and(o.state("eflags"), EFLAGS.AC), 0));
    const checked = o.and(enabled, o.eq(o.state("cpl"), 3));
    const reached = o.long ? isCanonical(o, linear) : o.i32(1);
    o.if(o.and(o.and(checked, reached), o.ne(o.and(linear, 3n), 0n)), () => o.fault(VECTOR.AC, o.i32(0)));
    o.fault(VECTOR.GP, o.i32(0));
  });
}

/** Makes sure that an image can be written. Where both ends fault, silicon reports the last byte. */
function probeImage(o: Sem, linear: Expr, bytes: number): void {
  o.probe(part(o, linear, bytes - 1), 8);
  o.probe(linear, 64);
}

/** `linear` + n; outside 64-bit mode addresses wrap at 4 GiB. */
function part(o: Sem, linear: Expr, n: number): Expr {
  const sum = o.add(linear, BigInt(n));
  return o.long ? sum : o.and(sum, 0xffff_ffffn);
}

/** Refuses reserved bits of a value for MXCSR (SDM 1 §10.2.3). */
function requireMxcsr(o: Sem, value: Expr): void {
  o.gpIf(o.and(value, ~MXCSR_MASK));
}

const wide = (form: { readonly rexW: boolean }): number => (form.rexW ? 1 : 0);

/** XMM registers that the mode has. */
const registers = (o: Sem): Expr => o.i32(o.long ? 16 : 8);

function fxsave(o: Sem, m: Operand, rexW: number): void {
  const linear = imageAddress(o, m, LEGACY_BYTES, 16, true);
  probeImage(o, linear, LEGACY_BYTES);
  o.call(saveX87, o.base(), linear, o.i32(rexW));
  saveMxcsr(o, linear);
  // Without CR4.OSFXSR the XMM registers are left out (SDM 2A, FXSAVE, leaves that to the implementation).
  o.if(o.and(o.state("cr4"), CR4.OSFXSR), () => o.call(saveXmm, o.base(), linear, registers(o)));
}

function saveMxcsr(o: Sem, linear: Expr): void {
  o.storeMemory(part(o, linear, IMAGE.mxcsr), 64, o.or(o.extU(o.state("mxcsr")), BigInt(MXCSR_MASK) << 32n));
}

function loadMxcsr(o: Sem, linear: Expr): Expr {
  return o.wrap(o.loadMemory(part(o, linear, IMAGE.mxcsr), 32));
}

function fxrstor(o: Sem, m: Operand, rexW: number): void {
  const linear = imageAddress(o, m, LEGACY_BYTES, 16, false);
  o.loadMemory(part(o, linear, LEGACY_BYTES - 1), 8);
  o.loadMemory(linear, 64);
  const mxcsr = loadMxcsr(o, linear);
  requireMxcsr(o, mxcsr);
  o.call(loadX87, o.base(), linear, o.i32(rexW));
  o.setState("mxcsr", mxcsr);
  o.if(o.and(o.state("cr4"), CR4.OSFXSR), () => o.call(loadXmm, o.base(), linear, registers(o)));
}

/** #UD unless the operating system has enabled the XSAVE feature set, #NM while the state is another task's (SDM 1 §13.7). */
function requireXsave(o: Sem): void {
  o.udIf(o.not(o.and(o.state("cr4"), CR4.OSXSAVE)));
  o.if(o.and(o.state("cr0"), CR0.TS), () => o.fault(VECTOR.NM));
}

/** Requested-feature bitmap: EDX:EAX and XCR0, whose upper half is always 0. */
function requested(o: Sem): Expr {
  return o.and(o.wrap(o.reg(REG.rax, 64)), o.state("xcr0"));
}

const has = (o: Sem, bitmap: Expr, component: number): Expr => o.and(bitmap, component);

type XsaveKind = "XSAVE" | "XSAVEOPT" | "XSAVEC";

function xsave(o: Sem, m: Operand, rexW: number, kind: XsaveKind): void {
  requireXsave(o);
  const linear = imageAddress(o, m, XSAVE_BYTES, 64, true);
  probeImage(o, linear, XSAVE_BYTES);
  const rfbm = requested(o);
  const used = kind === "XSAVEC" ? usedWithMxcsr(o) : o.call(inUse, o.base());
  // The init optimisation leaves out what is in its initial configuration (SDM 1 §13.6); the modified optimisation is not used.
  const saved = kind === "XSAVE" ? rfbm : o.and(rfbm, used);
  const old = o.loadMemory(part(o, linear, IMAGE.xstateBv), 64);
  o.if(has(o, saved, COMPONENT.x87), () => o.call(saveX87, o.base(), linear, o.i32(rexW)));
  o.if(has(o, kind === "XSAVEC" ? saved : rfbm, COMPONENT.sse), () => saveMxcsr(o, linear));
  o.if(has(o, saved, COMPONENT.sse), () => o.call(saveXmm, o.base(), linear, registers(o)));
  const present = o.extU(o.and(rfbm, used));
  if (kind === "XSAVEC") {
    o.storeMemory(part(o, linear, IMAGE.xstateBv), 64, present);
    o.storeMemory(part(o, linear, IMAGE.xcompBv), 64, o.or(o.extU(rfbm), COMPACTED));
  } else o.storeMemory(part(o, linear, IMAGE.xstateBv), 64, o.or(o.and(old, o.xor(o.extU(rfbm), -1n)), present));
}

/** The components in use, where a MXCSR that is not initial counts as SSE state: for XSAVEC and XGETBV (SDM 1 §13.10, §13.2). */
function usedWithMxcsr(o: Sem): Expr {
  return o.or(o.call(inUse, o.base()), o.select(o.ne(o.state("mxcsr"), MXCSR_INITIAL), o.i32(COMPONENT.sse), o.i32(0)));
}

function xrstor(o: Sem, m: Operand, rexW: number): void {
  requireXsave(o);
  const linear = imageAddress(o, m, XSAVE_BYTES, 64, false);
  const rfbm = requested(o);
  // The header comes first, its format before all (the order of page faults on silicon).
  const xcompBv = o.loadMemory(part(o, linear, IMAGE.xcompBv), 64);
  const xstateBv = o.loadMemory(part(o, linear, IMAGE.xstateBv), 64);
  const compacted = checkHeader(o, linear, xstateBv, xcompBv);
  o.loadMemory(linear, 64);
  const present = o.and(o.wrap(xstateBv), rfbm);
  const mxcsr = loadMxcsr(o, linear);
  // The standard form loads MXCSR whatever XSTATE_BV says (SDM 1 §13.8.1).
  const loadsMxcsr = has(o, o.select(compacted, present, rfbm), COMPONENT.sse);
  o.if(loadsMxcsr, () => requireMxcsr(o, mxcsr));
  o.if(has(o, rfbm, COMPONENT.x87), () => {
    o.if(
      has(o, present, COMPONENT.x87),
      () => o.call(loadX87, o.base(), linear, o.i32(rexW)),
      () => o.call(initializeX87, o.base()),
    );
  });
  o.if(has(o, rfbm, COMPONENT.sse), () => {
    o.setState("mxcsr", o.select(loadsMxcsr, mxcsr, o.i32(MXCSR_INITIAL)));
    o.if(
      has(o, present, COMPONENT.sse),
      () => o.call(loadXmm, o.base(), linear, registers(o)),
      () => o.call(initializeXmm, o.base(), registers(o)),
    );
  });
}

/** #GP(0) for a header that names what is not enabled, or has reserved bits (SDM 1 §13.8) → whether the image is compacted. */
function checkHeader(o: Sem, linear: Expr, xstateBv: Expr, xcompBv: Expr): Expr {
  const disabled = o.xor(o.extU(o.state("xcr0")), -1n);
  o.gpIf(o.ne(o.and(xstateBv, disabled), 0n));
  const compacted = o.wrap(o.shrU(xcompBv, 63));
  const named = o.and(xcompBv, COMPACTED - 1n);
  const badFormat = o.select(compacted, o.or(o.and(named, disabled), o.and(xstateBv, o.xor(named, -1n))), named);
  let reserved = o.or(badFormat, o.loadMemory(part(o, linear, IMAGE.reserved), 64));
  // The standard form looks at bytes 23:8 of the header only.
  let beyond: Expr = o.i64(0);
  for (let n = IMAGE.reserved + 8; n < IMAGE.end; n += 8) beyond = o.or(beyond, o.loadMemory(part(o, linear, n), 64));
  reserved = o.or(reserved, o.select(compacted, beyond, o.i64(0)));
  o.gpIf(o.ne(reserved, 0n));
  return compacted;
}

/** A row for 32-bit pointers in the image and one for 64-bit pointers. */
const imageRows = (opcode: string, attributes: string): string[] => [
  `NP 0F ${opcode} | m |${attributes}`,
  `NP REX.W + 0F ${opcode} | m |${attributes}`,
];

function xsaveInstruction(name: XsaveKind, opcode: string): Instruction {
  return instruction(name, {
    forms: imageRows(opcode, ""),
    access: "w",
    feature: "xsave",
    sem: (o, [m], form) => xsave(o, m, wide(form), name),
  });
}

/** EDX:EAX. */
const edxEax = (o: Sem): Expr => o.or(o.shl(o.reg(REG.rdx, 64), 32), o.reg(REG.rax, 32));

/** MXCSR, and the instructions that save and restore the state of x87 and SSE. */
export const sseState: readonly Instruction[] = [
  instruction("LDMXCSR", {
    forms: ["NP 0F AE /2 | m32 | sse"],
    access: "r",
    feature: "sse",
    sem: (o, [m]) => {
      const value = o.wrap(o.read(m));
      requireMxcsr(o, value);
      o.setState("mxcsr", value);
    },
  }),
  instruction("STMXCSR", {
    forms: ["NP 0F AE /3 | m32 | sse"],
    access: "w",
    feature: "sse",
    sem: (o, [m]) => o.write(m, o.extU(o.state("mxcsr"))),
  }),
  instruction("FXSAVE", {
    forms: imageRows("AE /0", " fpu"),
    access: "w",
    feature: "fxsr",
    sem: (o, [m], form) => fxsave(o, m, wide(form)),
  }),
  instruction("FXRSTOR", {
    forms: imageRows("AE /1", " fpu"),
    access: "r",
    feature: "fxsr",
    sem: (o, [m], form) => fxrstor(o, m, wide(form)),
  }),
  xsaveInstruction("XSAVE", "AE /4"),
  xsaveInstruction("XSAVEOPT", "AE /6"),
  xsaveInstruction("XSAVEC", "C7 /4"),
  instruction("XRSTOR", { forms: imageRows("AE /5", ""), access: "r", feature: "xsave", sem: (o, [m], form) => xrstor(o, m, wide(form)) }),
  instruction("XGETBV", {
    forms: ["NP 0F 01 D0 | |"],
    feature: "xsave",
    sem: (o) => {
      o.udIf(o.not(o.and(o.state("cr4"), CR4.OSXSAVE)));
      const index = o.reg(REG.rcx, 32);
      o.gpIf(o.gtU(index, 1n));
      const xcr0 = o.state("xcr0");
      o.setReg(REG.rax, 32, o.extU(o.select(o.wrap(index), o.and(usedWithMxcsr(o), xcr0), xcr0)));
      o.setReg(REG.rdx, 32, o.i64(0));
    },
  }),
  instruction("XSETBV", {
    forms: ["NP 0F 01 D1 | |"],
    feature: "xsave",
    sem: (o) => {
      o.udIf(o.not(o.and(o.state("cr4"), CR4.OSXSAVE)));
      o.requireCpl0();
      const value = edxEax(o);
      const supported = BigInt(COMPONENT.x87 | COMPONENT.sse);
      // x87 state cannot be disabled (SDM 1 §13.3).
      const bad = o.or(o.ne(o.and(value, ~supported), 0n), o.not(o.and(o.wrap(value), COMPONENT.x87)));
      o.gpIf(o.or(bad, o.ne(o.reg(REG.rcx, 32), 0n)));
      o.setState64("xcr0", value);
    },
  }),
];
