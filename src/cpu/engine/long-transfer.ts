// Exceptions into and IRETQ out of the kernel in 64-bit mode, the common case: everything they read is in the TLB, descriptors are
// the flat ones that every system uses, nothing is being debugged. Whatever is otherwise is left untouched for the complete
// TypeScript (assist/deliver.ts, assist/iret.ts), which gives the same result where both apply.
import { ROUTINE } from "../engine-calls.ts";
import type { Builder } from "../ir/builder.ts";
import { implement, routine } from "../ir/builder.ts";
import type { Expr, Label, Routine } from "../ir/types.ts";
import { getArithmetic, setArithmetic } from "../isa/flags.ts";
import { entryOf, isCanonical, translate } from "../mmu/access.ts";
import { pageEntry } from "../mmu/code-writes.ts";
import { ARITHMETIC, EFLAGS, VECTOR } from "../mmu/control.ts";
import { refreshMode } from "../mmu/mode.ts";
import { ACCESS } from "../mmu/walk.ts";
import { at, FAULT, MODE, type StateName } from "../state.ts";
import { TLB, VIEW } from "./layout.ts";

/** Exceptions of fault class, whose EFLAGS image has RF set (SDM 3A §17.3.1.1): #DE #BR #UD #NM #TS #NP #SS #GP #PF #MF #AC #XM. */
export const FAULT_CLASS: number = [0, 5, 6, 7, 10, 11, 12, 13, 14, 16, 17, 19].reduce((set, v) => set | (1 << v), 0);
/** Access rights, descriptor bits 40–55: present, S, code, not conforming, accessed, L; DPL apart (SDM 3A §3.4.5). */
const RIGHTS = { dpl: 0x60, code64: 0x2099, codeMask: 0x609d, data: 0x93, dataMask: 0x9f } as const;

const get = (b: Builder, base: Expr, name: StateName): Expr => b.load("i32.load", base, at(name));
const put = (b: Builder, base: Expr, name: StateName, e: Expr): void => b.store("i32.store", base, e, at(name));

/** Host address of `size` bytes at `lin` in one page of RAM, or 0; no fault is left pending that was not before: (base, view, lin, size, ACCESS). */
const peek: Routine = routine("long.peek", ["i32", "i32", "i64", "i32", "i32"], "i32", (b, base, view, lin, size, access) => {
  b.if(b.gtU(b.add(b.and(b.wrap(lin), 0xfff), size), 4096), () => b.return(b.i32(0)));
  const fault = get(b, base, "fault");
  const code = get(b, base, "faultCode");
  const address = b.load("i64.load", base, at("faultAddress"));
  put(b, base, "fault", b.i32(0));
  const host = b.callUnchecked(translate, base, view, lin, access);
  const failed = get(b, base, "fault");
  put(b, base, "fault", fault);
  put(b, base, "faultCode", code);
  b.store("i64.store", base, address, at("faultAddress"));
  b.if(b.or(failed, b.not(host)), () => b.return(b.i32(0)));
  // A page with decoded code wants its writes seen.
  b.if(access, () => b.if(b.ne(b.load("i64.load", pageEntry(b, base, host)), 0n), () => b.return(b.i32(0))));
  b.return(host);
});

/** Host address of `size` bytes at `lin`, from the view's TLB or by a walk; to `slow` when they are not in one page that allows it. */
export function known(b: Builder, base: Expr, view: Expr, lin: Expr, size: number, tag: number, slow: Label): Expr {
  const entry = entryOf(b, view, lin);
  const x = b.xor(lin, b.load("i64.load", entry, tag));
  const host = b.choose(
    b.leU(x, BigInt(4096 - size)),
    () => b.add(b.load("i32.load", entry, TLB.host), b.wrap(x)),
    () => b.call(peek, base, view, lin, b.i32(size), b.i32(tag === TLB.write ? ACCESS.write : 0)),
  );
  b.br(slow, b.not(host));
  return host;
}

/** Descriptor of a GDT selector as { low, rights }; LDT and null selectors go to `slow`. */
export function descriptor(b: Builder, base: Expr, selector: Expr, slow: Label): { rights: Expr; host: Expr } {
  const index = b.and(selector, 0xfff8);
  b.br(slow, b.or(b.ne(b.and(selector, 4), 0), b.not(index)));
  b.br(slow, b.gtU(b.or(index, 7), get(b, base, "gdtrLimit")));
  const system = b.add(base, VIEW.supervisor);
  const linear = b.add(b.load("i64.load", base, at("gdtrBase")), b.extU(index));
  const host = known(b, base, system, linear, 8, TLB.read, slow);
  return { rights: b.and(b.shrU(b.load("i32.load", host, 4), 8), 0xf0ff), host };
}

/** Limit of a flat segment's descriptor must be FFFFFh pages: the value that the cached limit gets is then all ones. */
export function requireFlat(b: Builder, d: { rights: Expr; host: Expr }, slow: Label): void {
  const low = b.load("i32.load", d.host);
  const high = b.load("i32.load", d.host, 4);
  b.br(slow, b.ne(low, 0xffff));
  b.br(slow, b.ne(b.and(high, b.i32(0xff8f_00ff | 0)), b.i32(0x008f_0000)));
}

/** Nothing is being traced: no TF, no breakpoints, no shadow; neither a nested task nor virtual-8086 mode. */
export function requireQuiet(b: Builder, base: Expr, slow: Label): void {
  const traced = b.or(b.and(get(b, base, "eflags"), EFLAGS.TF | EFLAGS.NT | EFLAGS.VM), b.and(get(b, base, "dr7"), 0xff));
  b.br(slow, b.ne(b.or(traced, b.or(get(b, base, "shadow"), get(b, base, "debugHits"))), 0));
}

/** Delivers the pending exception or external interrupt when it is the common case → 1; otherwise 0 and nothing has changed: (base). */
export const deliverLongFault: Routine = implement(ROUTINE.deliverLongFault, (b, base) => {
  b.block((slow) => {
    requireQuiet(b, base, slow);
    b.br(slow, b.not(b.and(get(b, base, "mode"), MODE.long)));
    const fault = get(b, base, "fault");
    const vector = b.and(fault, 0xff);
    const external = b.ne(b.and(fault, FAULT.external), 0);
    const isFault = b.and(b.ltU(vector, 32), b.and(b.shrU(b.i32(FAULT_CLASS), vector), 1));
    b.br(slow, b.ne(b.and(fault, FAULT.software), 0));
    b.br(slow, b.not(b.or(external, isFault)));
    const system = b.add(base, VIEW.supervisor);
    const at16 = b.shl(vector, 4);
    b.br(slow, b.gtU(b.or(at16, 15), get(b, base, "idtrLimit")));
    const gate = known(b, base, system, b.add(b.load("i64.load", base, at("idtrBase")), b.extU(at16)), 16, TLB.read, slow);
    const middle = b.load("i32.load", gate, 4);
    // Present, 64-bit interrupt or trap gate, no interrupt stack.
    b.br(slow, b.ne(b.and(middle, 0x9e07), 0x8e00));
    const low = b.load("i32.load", gate);
    const lowOffset = b.extU(b.or(b.and(low, 0xffff), b.and(middle, b.i32(0xffff_0000 | 0))));
    const offset = b.or(lowOffset, b.shl(b.load("i64.load32_u", gate, 8), 32));
    b.br(slow, b.not(isCanonical(b, offset)));
    const selector = b.shrU(low, 16);
    const cs = descriptor(b, base, selector, slow);
    b.br(slow, b.ne(b.and(cs.rights, RIGHTS.codeMask | RIGHTS.dpl), RIGHTS.code64));
    requireFlat(b, cs, slow);

    const inner = b.ne(get(b, base, "cpl"), 0);
    b.br(slow, b.and(inner, b.or(b.ne(get(b, base, "cpl"), 3), b.ltU(get(b, base, "trLimit"), 0x67))));
    const pointer = b.variable(b.load("i64.load", base, 4 * 8));
    b.if(inner, () => {
      const rsp0 = b.add(b.load("i64.load", base, at("trBase")), 4n);
      b.set(pointer, b.load("i64.load", known(b, base, system, rsp0, 8, TLB.read, slow)));
    });
    const top = b.and(b.get(pointer), ~0xfn);
    const hasCode = b.ne(b.and(fault, FAULT.hasCode), 0);
    const frame = b.sub(top, 48n);
    const stack = known(b, base, b.select(inner, system, get(b, base, "tlbView")), frame, 48, TLB.write, slow);

    pushFrame(b, base, { external, hasCode, stack, frame });

    const setCr2 = (): void => b.store("i64.store", base, b.load("i64.load", base, at("faultAddress")), at("cr2"));
    b.if(b.and(b.eq(vector, VECTOR.PF), b.not(external)), setCr2);
    put(b, base, "csSelector", b.and(selector, 0xfffc));
    put(b, base, "csLimit", b.i32(-1));
    put(b, base, "csAccess", cs.rights);
    b.store("i64.store", base, b.i64(0), at("csBase"));
    b.if(inner, () => clearStackSegment(b, base));
    put(b, base, "cpl", b.i32(0));
    b.store("i64.store", base, offset, at("rip"));
    // Interrupt gates clear IF, trap gates keep it (SDM 3A §6.12.1.3).
    const cleared = EFLAGS.TF | EFLAGS.NT | EFLAGS.RF;
    const kept = b.select(b.and(middle, 0x100), b.i32(~cleared), b.i32(~(cleared | EFLAGS.IF)));
    put(b, base, "eflags", b.and(get(b, base, "eflags"), kept));
    for (const done of ["fault", "stepping", "halted"] as const) put(b, base, done, b.i32(0));
    b.call(refreshMode, base);
    b.return(b.i32(1));
  });
  b.return(b.i32(0));
});

/** What a frame is made of: where it lies (`stack` on the host, `frame` for the guest), 48 bytes with room for an error code. */
interface Frame {
  readonly external: Expr;
  readonly hasCode: Expr;
  readonly stack: Expr;
  readonly frame: Expr;
}

/** Writes the frame and moves RSP below it (SDM 3A §6.14.2). */
function pushFrame(b: Builder, base: Expr, { external, hasCode, stack, frame }: Frame): void {
  const flags = b.or(b.or(get(b, base, "eflags"), b.call(getArithmetic, base)), b.select(external, b.i32(2), b.i32(EFLAGS.RF | 2)));
  const shift = b.select(hasCode, b.i32(0), b.i32(8));
  const bottom = b.add(stack, shift);
  b.if(hasCode, () => b.store("i64.store", stack, b.extU(get(b, base, "faultCode"))));
  b.store("i64.store", stack, b.load("i64.load", base, at("rip")), 8);
  b.store("i64.store", stack, b.extU(get(b, base, "csSelector")), 16);
  b.store("i64.store", stack, b.extU(flags), 24);
  b.store("i64.store", stack, b.load("i64.load", base, 4 * 8), 32);
  b.store("i64.store", stack, b.extU(get(b, base, "ssSelector")), 40);
  b.store("i64.store", base, b.add(frame, b.extU(b.sub(bottom, stack))), 4 * 8);
}

/** SS becomes null with the ring's RPL, 0 here, when the privilege changes (SDM 3A §6.14.2). */
function clearStackSegment(b: Builder, base: Expr): void {
  put(b, base, "ssSelector", b.i32(0));
  put(b, base, "ssAccess", b.i32(0));
  b.store("i64.store", base, b.i64(0), at("ssBase"));
}

/** Flags that IRET takes from the stack in ring 0: everything but VM, and RF, which serves breakpoints only (SDM 2A, IRET). */
export const IRET_FLAGS: number =
  ARITHMETIC | EFLAGS.TF | EFLAGS.IF | EFLAGS.DF | EFLAGS.IOPL | EFLAGS.NT | EFLAGS.AC | EFLAGS.VIF | EFLAGS.VIP | EFLAGS.ID;

/** A data segment that a return to ring 3 must take away: DPL below 3 (SDM 2A, IRET). */
export function requireUserData(b: Builder, base: Expr, slow: Label): void {
  for (const name of ["es", "ds", "fs", "gs"] as const) {
    const rights = get(b, base, `${name}Access`);
    b.br(slow, b.and(b.ne(b.and(rights, 0x80), 0), b.ne(b.and(rights, RIGHTS.dpl), RIGHTS.dpl)));
  }
}

/** IRETQ from ring 0 to 64-bit code in ring 0 or 3 when it is the common case → 1; otherwise 0 and nothing has changed: (base). */
export const returnLong: Routine = routine("long.return", ["i32"], "i32", (b, base) => {
  b.block((slow) => {
    requireQuiet(b, base, slow);
    b.br(slow, b.not(b.and(get(b, base, "mode"), MODE.long)));
    b.br(slow, b.ne(get(b, base, "cpl"), 0));
    const frame = b.load("i64.load", base, 4 * 8);
    const stack = known(b, base, get(b, base, "tlbView"), frame, 40, TLB.read, slow);
    const ip = b.load("i64.load", stack);
    const selector = b.load("i32.load16_u", stack, 8);
    const flags = b.load("i32.load", stack, 16);
    const stackSelector = b.load("i32.load16_u", stack, 32);
    b.br(slow, b.ne(b.and(flags, EFLAGS.TF | EFLAGS.NT | EFLAGS.VM), 0));
    b.br(slow, b.not(isCanonical(b, ip)));
    const rpl = b.and(selector, 3);
    b.br(slow, b.and(b.ne(rpl, 0), b.ne(rpl, 3)));
    const dpl = b.shl(rpl, 5);
    const cs = descriptor(b, base, selector, slow);
    b.br(slow, b.ne(b.and(cs.rights, RIGHTS.codeMask | RIGHTS.dpl), b.or(dpl, RIGHTS.code64)));
    requireFlat(b, cs, slow);
    const ssRights = b.variable(b.i32(0));
    b.if(b.or(rpl, b.and(stackSelector, 0xfffc)), () => {
      const ss = descriptor(b, base, stackSelector, slow);
      b.br(slow, b.ne(b.and(ss.rights, RIGHTS.dataMask | RIGHTS.dpl), b.or(dpl, RIGHTS.data)));
      b.br(slow, b.ne(b.and(stackSelector, 3), rpl));
      requireFlat(b, ss, slow);
      b.set(ssRights, ss.rights);
    });
    b.if(rpl, () => requireUserData(b, base, slow));

    put(b, base, "csSelector", selector);
    put(b, base, "csLimit", b.i32(-1));
    put(b, base, "csAccess", cs.rights);
    b.store("i64.store", base, b.i64(0), at("csBase"));
    put(b, base, "ssSelector", stackSelector);
    put(b, base, "ssAccess", b.get(ssRights));
    b.if(b.get(ssRights), () => put(b, base, "ssLimit", b.i32(-1)));
    b.store("i64.store", base, b.i64(0), at("ssBase"));
    put(b, base, "cpl", rpl);
    b.store("i64.store", base, b.load("i64.load", stack, 24), 4 * 8);
    b.store("i64.store", base, ip, at("rip"));
    b.call(setArithmetic, base, b.and(flags, ARITHMETIC));
    put(b, base, "eflags", b.and(flags, IRET_FLAGS & ~ARITHMETIC));
    put(b, base, "resumeFresh", b.and(b.shrU(flags, 16), 1));
    put(b, base, "nmiBlocked", b.i32(0));
    b.call(refreshMode, base);
    b.return(b.i32(1));
  });
  b.return(b.i32(0));
});
