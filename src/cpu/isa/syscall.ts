// Fast system calls (SDM 2B SYSCALL, SYSRET, SYSENTER, SYSEXIT): no descriptor is read, so all of it is a handful of stores.
import type { Expr } from "../ir/types.ts";
import { isCanonical } from "../mmu/access.ts";
import { ARITHMETIC, CR0, EFER, EFLAGS } from "../mmu/control.ts";
import { type Instruction, instruction } from "./instruction.ts";
import { REG, type Sem } from "./sem.ts";

/** Access rights of the flat segments that these instructions load: G, D/B or L, P, S, type; the DPL is or'ed in. */
const CODE64 = 0xa09b;
const CODE32 = 0xc09b;
const DATA = 0xc093;
const USER = 0x60;

function setSegment(o: Sem, name: "cs" | "ss", selector: Expr, access: number): void {
  o.setState(`${name}Selector`, selector);
  o.setState64(`${name}Base`, o.i64(0));
  o.setState(`${name}Limit`, o.i32(-1));
  o.setState(`${name}Access`, o.i32(access));
}

/** Loads CS and SS for ring 0 or 3 and recomputes what depends on them. */
function enterRing(o: Sem, cs: Expr, ss: Expr, code: number, cpl: 0 | 3): void {
  const dpl = cpl === 3 ? USER : 0;
  setSegment(o, "cs", cs, code | dpl);
  setSegment(o, "ss", ss, DATA | dpl);
  o.setState("cpl", o.i32(cpl));
  o.refresh();
}

/**
 * RFLAGS as SYSCALL and SYSRET leave them. Unlike other instructions they trap by the TF that they set, not by the one they found:
 * a kernel that masks TF is not stepped into, and its SYSRET completes the program's own step.
 */
function setFlags(o: Sem, value: Expr): void {
  o.setArithmetic(value);
  o.setState("eflags", o.and(value, ~ARITHMETIC));
  o.setState("stepping", o.ne(o.and(value, EFLAGS.TF), 0));
}

/** Flags that SYSRET takes from R11 (SDM 2B, SYSRET: 3C7FD7H). */
const SYSRET_FLAGS = 0x3c_7fd7;

const notLong = (o: Sem): Expr => o.not(o.and(o.state("efer"), EFER.LMA));

function sysret(o: Sem, wide: boolean): void {
  o.udIf(o.not(o.and(o.state("efer"), EFER.SCE)));
  o.requireCpl0();
  const target = o.reg(REG.rcx, wide ? 64 : 32);
  // Intel checks the target while still in ring 0.
  if (wide) o.gpIf(o.not(isCanonical(o, target)));
  const selector = o.wrap(o.shrU(o.state64("star"), 48));
  setFlags(o, o.or(o.and(o.wrap(o.reg(REG.r11, 32)), SYSRET_FLAGS), 2));
  enterRing(o, o.or(wide ? o.add(selector, 16) : selector, 3), o.or(o.add(selector, 8), 3), wide ? CODE64 : CODE32, 3);
  o.setState64("rip", target);
  o.leave();
}

/** SYSENTER's and SYSEXIT's selectors follow IA32_SYSENTER_CS. */
function sysenterCs(o: Sem): Expr {
  const cs = o.wrap(o.state64("sysenterCs"));
  o.gpIf(o.not(o.and(cs, 0xfffc)));
  return o.and(cs, 0xfffc);
}

function sysexit(o: Sem, wide: boolean): void {
  o.gpIf(o.not(o.and(o.state("cr0"), CR0.PE)));
  o.requireCpl0();
  const cs = sysenterCs(o);
  const ip = o.reg(REG.rdx, wide ? 64 : 32);
  const sp = o.reg(REG.rcx, wide ? 64 : 32);
  if (wide) o.gpIf(o.not(o.and(isCanonical(o, ip), isCanonical(o, sp))));
  const offset = wide ? 32 : 16;
  enterRing(o, o.or(o.add(cs, offset), 3), o.or(o.add(cs, offset + 8), 3), wide ? CODE64 : CODE32, 3);
  o.setReg(REG.rsp, 64, sp);
  o.setState64("rip", ip);
  o.leave();
}

/** Calls into the kernel without a gate, and the returns. */
export const syscall: readonly Instruction[] = [
  instruction("SYSCALL", {
    forms: ["0F 05 | | o64 end"],
    sem: (o) => {
      o.udIf(o.not(o.and(o.state("efer"), EFER.SCE)));
      const flags = o.eflags();
      const selector = o.and(o.wrap(o.shrU(o.state64("star"), 32)), 0xfffc);
      o.setReg(REG.rcx, 64, o.nextIp());
      o.setReg(REG.r11, 64, o.and(o.extU(flags), ~BigInt(EFLAGS.RF)));
      const mask = o.wrap(o.state64("sfmask"));
      setFlags(o, o.and(o.and(flags, o.xor(mask, -1)), ~EFLAGS.RF));
      enterRing(o, selector, o.add(selector, 8), CODE64, 0);
      o.setState64("rip", o.state64("lstar"));
      o.leave();
    },
  }),
  instruction("SYSRET", {
    forms: ["0F 07 | | o64 any end", "REX.W + 0F 07 | | o64 end"],
    sem: (o, _, form) => sysret(o, form.rexW),
  }),
  instruction("SYSENTER", {
    forms: ["0F 34 | | any end"],
    sem: (o) => {
      o.gpIf(o.not(o.and(o.state("cr0"), CR0.PE)));
      const cs = sysenterCs(o);
      const legacy = notLong(o);
      o.setState("eflags", o.and(o.state("eflags"), ~(EFLAGS.VM | EFLAGS.IF | EFLAGS.RF)));
      const narrow = (e: Expr): Expr => o.select(legacy, o.and(e, 0xffff_ffffn), e);
      o.setReg(REG.rsp, 64, narrow(o.state64("sysenterEsp")));
      o.setState64("rip", narrow(o.state64("sysenterEip")));
      o.if(
        legacy,
        () => enterRing(o, cs, o.add(cs, 8), CODE32, 0),
        () => enterRing(o, cs, o.add(cs, 8), CODE64, 0),
      );
      o.leave();
    },
  }),
  instruction("SYSEXIT", {
    forms: ["0F 35 | | any end", "REX.W + 0F 35 | | end"],
    sem: (o, _, form) => sysexit(o, form.rexW),
  }),
];
