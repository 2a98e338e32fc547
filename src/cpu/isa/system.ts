// Control registers, descriptor-table registers, MSRs, CPUID, counters, translations (SDM 1 §5.21).
import type { Expr } from "../ir/types.ts";
import { CR0, CR4, PHYSICAL_BITS, VECTOR } from "../mmu/control.ts";
import { flushLocal, flushPage, flushTlb } from "../mmu/mode.ts";
import { at } from "../state.ts";
import { HELPER } from "../assist/numbers.ts";
import { type Instruction, instruction, type Operand, type Operands } from "./instruction.ts";
import { isCanonical } from "../mmu/access.ts";
import { REG, type Sem } from "./sem.ts";

const has = (o: Sem, name: "cr0" | "cr4" | "efer" | "eflags", mask: number): Expr => o.ne(o.and(o.state(name), mask), 0);

/** #GP(0) for SGDT, SIDT, SLDT, STR and SMSW outside ring 0 under CR4.UMIP. */
export function requireUmip(o: Sem): void {
  o.gpIf(o.and(has(o, "cr4", CR4.UMIP), o.ne(o.state("cpl"), 0)));
}

/** MOV to CR3 in 64-bit code without a trip to TypeScript: checks, store, flush. */
function writeCr3(o: Sem, value: Expr): void {
  const kept = o.select(has(o, "cr4", CR4.PCIDE), o.and(value, (1n << 63n) - 1n), value);
  o.gpIf(o.ne(o.shrU(kept, PHYSICAL_BITS), 0n));
  o.setState64("cr3", kept);
  o.call(flushLocal, o.base());
}

/** #UD for a register that does not exist comes before #GP(0) for privilege. */
function requireControl(o: Sem, cr: Operand): Expr {
  const n = o.field(cr);
  const exists = o.long ? EXISTING_CR | (1 << 8) : EXISTING_CR;
  o.udIf(o.not(o.and(o.shrU(o.i32(exists), n), 1)));
  o.requireCpl0();
  return n;
}

/** CR0, CR2, CR3, CR4; CR8 in 64-bit mode. */
const EXISTING_CR = 0b1_1101;

function requireDebug(o: Sem, dr: Operand): Expr {
  const n = o.field(dr);
  o.udIf(o.gtU(n, 7));
  o.requireCpl0();
  return n;
}

function movToCr(o: Sem, cr: Operand, src: Operand): void {
  const n = requireControl(o, cr);
  const value = o.read(src);
  if (o.long) {
    o.if(o.eq(n, 3), () => {
      writeCr3(o, value);
      o.resynchronize();
    });
  }
  o.setState64("scratchValue", value);
  o.helper(HELPER.writeCr, n);
  o.resynchronize();
}

/** The same four rows serve CR and DR: the operand is a register whatever ModRM.mod says. */
function moves(opcodeRead: string, opcodeWrite: string, kind: "CR" | "DR"): [read: string[], write: string[]] {
  return [
    [`0F ${opcodeRead} /r | r32., ${kind} | i64 any`, `0F ${opcodeRead} /r | r64., ${kind} | o64 any`],
    [`0F ${opcodeWrite} /r | ${kind}, r32. | i64 any end`, `0F ${opcodeWrite} /r | ${kind}, r64. | o64 any end`],
  ];
}

const [readCr, toCr] = moves("20", "22", "CR");
const [readDr, toDr] = moves("21", "23", "DR");

const read =
  (helper: number, check: (o: Sem, op: Operand) => Expr) =>
  (o: Sem, [dst, src]: Operands): void => {
    o.helper(helper, check(o, src));
    o.write(dst, o.zext(o.state64("scratchValue"), dst.width));
  };

/** LGDT and LIDT: limit, then base: 24 bits with 16-bit operands, 32, or 64 in 64-bit mode. */
function loadTable(name: string, digit: number, base: "gdtrBase" | "idtrBase", limit: "gdtrLimit" | "idtrLimit"): Instruction {
  return instruction(name, {
    forms: [
      `0F 01 /${digit} | m16&32 | i64 o16 cpl0`,
      `0F 01 /${digit} | m16&32 | i64 o32 cpl0`,
      `0F 01 /${digit} | m16&64 | o64 any cpl0`,
    ],
    access: "r",
    sem: (o, [m], form) => {
      const address = o.address(m);
      const size = o.loadMemory(address, 16);
      const linear = o.long ? o.loadMemory(o.add(address, 2n), 64) : o.loadMemory(o.and(o.add(address, 2n), 0xffff_ffffn), 32);
      if (o.long) o.gpIf(o.not(isCanonical(o, linear)));
      o.setState64(base, form.opsize === 16 ? o.and(linear, 0xff_ffffn) : linear);
      o.setState(limit, o.wrap(size));
    },
  });
}

/** SGDT and SIDT store all 32 (or 64) bits of the base in every operand size. */
function storeTable(name: string, digit: number, base: "gdtrBase" | "idtrBase", limit: "gdtrLimit" | "idtrLimit"): Instruction {
  return instruction(name, {
    forms: [`0F 01 /${digit} | m16&32 | i64 any`, `0F 01 /${digit} | m16&64 | o64 any`],
    access: "w",
    sem: (o, [m]) => {
      requireUmip(o);
      const address = o.address(m, true);
      o.probe(address, m.width);
      o.storeMemory(address, 16, o.extU(o.state(limit)));
      const next = o.add(address, 2n);
      o.storeMemory(o.long ? next : o.and(next, 0xffff_ffffn), o.long ? 64 : 32, o.state64(base));
    },
  });
}

/** RDTSC, RDTSCP, RDPMC: #GP(0) outside ring 0 when the flag in CR4 says so. */
function requireCounterAccess(o: Sem, refused: Expr): void {
  o.gpIf(o.and(refused, o.ne(o.state("cpl"), 0)));
}

function baseRegister(name: string, digit: number, segment: "fsBase" | "gsBase", write: boolean): Instruction {
  return instruction(name, {
    forms: [`F3 0F AE /${digit} | r32. | o64`, `F3 REX.W + 0F AE /${digit} | r64. | o64`],
    access: write ? "r" : "w",
    feature: "fsgsbase",
    sem: (o, [r]) => {
      o.udIf(o.not(has(o, "cr4", CR4.FSGSBASE)));
      if (!write) return o.write(r, o.zext(o.state64(segment), r.width));
      const value = o.read(r);
      o.gpIf(o.not(isCanonical(o, value)));
      o.setState64(segment, value);
    },
  });
}

/** RDRAND and RDSEED always succeed: CF = 1, the other flags 0. */
function random(name: string, digit: number, feature: string): Instruction {
  return instruction(name, {
    forms: [`0F C7 /${digit} | r16. | norep`, `0F C7 /${digit} | r32. | norep`, `REX.W + 0F C7 /${digit} | r64. | norep`],
    access: "w",
    flags: "CF PF AF ZF SF OF",
    feature,
    sem: (o, [dst]) => {
      o.helper(HELPER.random);
      o.write(dst, o.zext(o.state64("scratchValue"), dst.width));
      o.setArithmetic(o.i32(1));
    },
  });
}

/** STAC and CLAC open and close user pages to the supervisor: only the TLB view changes. */
function accessFlag(name: string, byte: string, set: boolean): Instruction {
  return instruction(name, {
    forms: [`NP 0F 01 ${byte} | |`],
    feature: "smap",
    sem: (o) => {
      o.udIf(o.ne(o.state("cpl"), 0));
      const flags = o.state("eflags");
      o.setState("eflags", set ? o.or(flags, 0x4_0000) : o.and(flags, ~0x4_0000));
      o.refresh();
    },
  });
}

/** HLT and MWAIT stop the processor until an interrupt; a pending one ends them at once. */
function halt(o: Sem): void {
  o.helper(HELPER.halt);
  o.resynchronize();
}

/** Instructions that the kernel needs, but for segments (segment.ts) and ports (io.ts). */
export const system: readonly Instruction[] = [
  instruction("MOV CR", { forms: readCr, sem: read(HELPER.readCr, requireControl) }),
  instruction("MOV to CR", { forms: toCr, access: "w r", sem: (o, [cr, src]) => movToCr(o, cr, src) }),
  instruction("MOV DR", { forms: readDr, sem: read(HELPER.readDr, requireDebug) }),
  instruction("MOV to DR", {
    forms: toDr,
    access: "w r",
    sem: (o, [dr, src]) => {
      const n = requireDebug(o, dr);
      o.setState64("scratchValue", o.read(src));
      o.helper(HELPER.writeDr, n);
      o.resynchronize();
    },
  }),
  instruction("CLTS", {
    forms: ["0F 06 | | cpl0"],
    sem: (o) => {
      o.setState("cr0", o.and(o.state("cr0"), ~CR0.TS));
      o.refresh();
    },
  }),
  instruction("SMSW", {
    forms: ["0F 01 /4 | r16. | o16", "0F 01 /4 | r32. | o32", "REX.W + 0F 01 /4 | r64.", "0F 01 /4 | m16 | any"],
    access: "w",
    sem: (o, [dst]) => {
      requireUmip(o);
      o.write(dst, o.zext(o.state64("cr0"), dst.width));
    },
  }),
  instruction("LMSW", {
    forms: ["0F 01 /6 | r/m16 | any cpl0 end"],
    access: "r",
    sem: (o, [src]) => {
      o.helper(HELPER.lmsw, o.wrap(o.read(src)));
      o.resynchronize();
    },
  }),
  loadTable("LGDT", 2, "gdtrBase", "gdtrLimit"),
  loadTable("LIDT", 3, "idtrBase", "idtrLimit"),
  storeTable("SGDT", 0, "gdtrBase", "gdtrLimit"),
  storeTable("SIDT", 1, "idtrBase", "idtrLimit"),
  instruction("INVLPG", {
    forms: ["0F 01 /7 | m | any cpl0"],
    access: "-",
    sem: (o) => {
      const linear = o.add(o.effectiveAddress(), o.load("i64.load", o.add(o.add(o.base(), o.shl(o.segmentNumber(), 3)), at("esBase"))));
      const flat = o.long ? o.select(o.geU(o.segmentNumber(), 4), linear, o.effectiveAddress()) : o.and(linear, 0xffff_ffffn);
      o.call(flushPage, o.base(), flat);
      o.resynchronize();
    },
  }),
  instruction("INVPCID", {
    forms: ["66 0F 38 82 /r | r32, m128 | i64 cpl0 end", "66 0F 38 82 /r | r64, m128 | o64 cpl0 end"],
    access: "r r",
    feature: "invpcid",
    sem: (o, [type, m]) => {
      const kind = o.read(type);
      const address = o.address(m);
      const pcid = o.loadMemory(address, 64);
      const next = o.add(address, 8n);
      const linear = o.loadMemory(o.long ? next : o.and(next, 0xffff_ffffn), 64);
      o.gpIf(o.gtU(kind, 3n));
      o.gpIf(o.and(o.ltU(kind, 2n), o.ne(o.shrU(pcid, 12), 0n)));
      o.gpIf(o.and(o.ltU(kind, 2n), o.and(o.not(has(o, "cr4", CR4.PCIDE)), o.ne(o.and(pcid, 0xfffn), 0n))));
      o.gpIf(o.and(o.not(kind), o.not(isCanonical(o, linear))));
      // One address; one context; everything; all contexts but for global pages (SDM 2A, INVPCID). Contexts are not told apart.
      o.switch(
        o.wrap(kind),
        [
          (): void => void o.call(flushPage, o.base(), linear),
          (): void => void o.call(flushLocal, o.base()),
          (): void => void o.call(flushTlb, o.base()),
        ],
        () => void o.call(flushLocal, o.base()),
      );
      o.resynchronize();
    },
  }),
  ...["08", "09"].map((byte, i) => instruction(["INVD", "WBINVD"][i]!, { forms: [`0F ${byte} | | cpl0`], sem: () => undefined })),
  instruction("RDMSR", { forms: ["0F 32 | | cpl0"], sem: (o) => void o.helper(HELPER.rdmsr) }),
  instruction("WRMSR", {
    forms: ["0F 30 | | cpl0"],
    sem: (o) => {
      o.helper(HELPER.wrmsr);
      o.resynchronize();
    },
  }),
  instruction("CPUID", { forms: ["0F A2 | |"], sem: (o) => void o.helper(HELPER.cpuid) }),
  instruction("RDTSC", {
    forms: ["0F 31 | |"],
    sem: (o) => {
      requireCounterAccess(o, has(o, "cr4", CR4.TSD));
      o.helper(HELPER.rdtsc, o.i32(0));
    },
  }),
  instruction("RDTSCP", {
    forms: ["0F 01 F9 | |"],
    feature: "rdtscp",
    sem: (o) => {
      requireCounterAccess(o, has(o, "cr4", CR4.TSD));
      o.helper(HELPER.rdtsc, o.i32(1));
    },
  }),
  // There are no performance counters, so every index is out of range (SDM 2B, RDPMC).
  instruction("RDPMC", { forms: ["0F 33 | |"], sem: (o) => o.fault(VECTOR.GP, o.i32(0)) }),
  random("RDRAND", 6, "rdrand"),
  random("RDSEED", 7, "rdseed"),
  instruction("HLT", { forms: ["F4 | | cpl0 end"], sem: halt }),
  instruction("MONITOR", {
    forms: ["NP 0F 01 C8 | |"],
    feature: "monitor",
    sem: (o) => {
      o.udIf(o.ne(o.state("cpl"), 0));
      o.gpIf(o.ne(o.reg(REG.rcx, 32), 0n));
      const mask = o.addressMask();
      o.loadMemory(o.segmentLinear(o.segmentNumber(), o.and(o.reg(REG.rax, 64), mask), 1, false), 8);
    },
  }),
  instruction("MWAIT", {
    forms: ["NP 0F 01 C9 | | end"],
    feature: "monitor",
    sem: (o) => {
      o.udIf(o.ne(o.state("cpl"), 0));
      o.gpIf(o.gtU(o.reg(REG.rcx, 32), 1n));
      o.helper(HELPER.mwait, o.wrap(o.reg(REG.rcx, 32)));
      o.resynchronize();
    },
  }),
  accessFlag("STAC", "CB", true),
  accessFlag("CLAC", "CA", false),
  baseRegister("RDFSBASE", 0, "fsBase", false),
  baseRegister("RDGSBASE", 1, "gsBase", false),
  baseRegister("WRFSBASE", 2, "fsBase", true),
  baseRegister("WRGSBASE", 3, "gsBase", true),
  instruction("SWAPGS", {
    forms: ["0F 01 F8 | | o64 cpl0"],
    sem: (o) => {
      const gs = o.state64("gsBase");
      const kernel = o.state64("kernelGsBase");
      o.setState64("gsBase", kernel);
      o.setState64("kernelGsBase", gs);
    },
  }),
];
