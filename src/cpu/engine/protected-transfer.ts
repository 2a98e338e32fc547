// Events into and IRETD out of the kernel in 32-bit protected mode, the common case: flat segments, interrupt and trap gates, level 3
// or 0 to level 0 and back. As in long-transfer.ts, whatever is otherwise is left untouched for the complete TypeScript.
import { ROUTINE } from "../engine-calls.ts";
import type { Builder } from "../ir/builder.ts";
import { implement, routine } from "../ir/builder.ts";
import type { Expr, Label, Routine, Variable } from "../ir/types.ts";
import { getArithmetic, setArithmetic } from "../isa/flags.ts";
import { ARITHMETIC, CR0, EFER, EFLAGS, VECTOR } from "../mmu/control.ts";
import { refreshMode } from "../mmu/mode.ts";
import { at, FAULT, type StateName } from "../state.ts";
import { RECORD, TLB, VIEW } from "./layout.ts";
import { descriptor, FAULT_CLASS, IRET_FLAGS, known, requireFlat, requireQuiet, requireUserData } from "./long-transfer.ts";

/** Access rights, descriptor bits 40–55: present, S, type, accessed, D/B; DPL apart (SDM 3A §3.4.5). */
const RIGHTS = { dpl: 0x60, code32: 0x4099, codeMask: 0x409d, data32: 0x4093, dataMask: 0x409f } as const;
/** Present 32-bit interrupt or trap gate: the upper half's bits (SDM 3A figure 6-2). */
const GATE = { mask: 0x9e00, present32: 0x8e00, trap: 0x100 } as const;
/** Busy 32-bit task state; the inner stack of level 0 lies at its byte 4. */
const TASK = { type: 0x1f, busy32: 0x0b, stack0: 4 } as const;
/** The largest frame: SS ESP EFLAGS CS EIP and an error code. */
const FRAME = 24;

const RSP = 4 * 8;

const get = (b: Builder, base: Expr, name: StateName): Expr => b.load("i32.load", base, at(name));
const put = (b: Builder, base: Expr, name: StateName, e: Expr): void => b.store("i32.store", base, e, at(name));
const is = (b: Builder, e: Expr, mask: number): Expr => b.ne(b.and(e, mask), 0);

/** Protected mode outside IA-32e mode, undisturbed, at level 0 or 3. */
function requireProtected(b: Builder, base: Expr, slow: Label): void {
  requireQuiet(b, base, slow);
  b.br(slow, b.not(b.and(get(b, base, "cr0"), CR0.PE)));
  b.br(slow, is(b, get(b, base, "efer"), EFER.LMA));
}

/** The running stack is flat and 32 bits wide. */
function requireFlatStack(b: Builder, base: Expr, slow: Label): void {
  b.br(slow, b.ne(b.and(get(b, base, "ssAccess"), RIGHTS.dataMask), RIGHTS.data32));
  b.br(slow, b.ne(get(b, base, "ssLimit"), -1));
  b.br(slow, b.ne(b.load("i64.load", base, at("ssBase")), 0n));
}

/** Loads a flat segment into CS or SS. */
function loadFlat(b: Builder, base: Expr, name: "cs" | "ss", selector: Expr, rights: Expr): void {
  put(b, base, `${name}Selector`, selector);
  put(b, base, `${name}Access`, rights);
  put(b, base, `${name}Limit`, b.i32(-1));
  b.store("i64.store", base, b.i64(0), at(`${name}Base`));
}

/** A gate that leads to flat code at level 0. */
interface Gate {
  readonly selector: Expr;
  readonly rights: Expr;
  readonly offset: Expr;
  readonly isTrap: Expr;
}

/** The gate of `vector`; a software interrupt needs a DPL not below CPL. */
function readGate(b: Builder, base: Expr, vector: Expr, software: Expr, slow: Label): Gate {
  const index = b.shl(vector, 3);
  b.br(slow, b.gtU(b.or(index, 7), get(b, base, "idtrLimit")));
  const linear = b.add(b.load("i64.load", base, at("idtrBase")), b.extU(index));
  const gate = known(b, base, b.add(base, VIEW.supervisor), b.and(linear, 0xffff_ffffn), 8, TLB.read, slow);
  const low = b.load("i32.load", gate);
  const high = b.load("i32.load", gate, 4);
  b.br(slow, b.ne(b.and(high, GATE.mask), GATE.present32));
  b.br(slow, b.and(software, b.ltU(b.and(b.shrU(high, 13), 3), get(b, base, "cpl"))));
  const selector = b.shrU(low, 16);
  const cs = descriptor(b, base, selector, slow);
  b.br(slow, b.ne(b.and(cs.rights, RIGHTS.codeMask | RIGHTS.dpl), RIGHTS.code32));
  requireFlat(b, cs, slow);
  const offset = b.or(b.and(low, 0xffff), b.and(high, 0xffff_0000 | 0));
  return { selector: b.and(selector, 0xfffc), rights: cs.rights, offset, isTrap: is(b, high, GATE.trap) };
}

/** The stack of a handler; `selector` is 0 when it is the running one. */
interface HandlerStack {
  readonly pointer: Variable;
  readonly selector: Variable;
  readonly rights: Variable;
  readonly view: Expr;
}

function handlerStack(b: Builder, base: Expr, inner: Expr, slow: Label): HandlerStack {
  const [selector, rights] = [b.variable(b.i32(0)), b.variable(b.i32(0))];
  const pointer = b.variable(b.and(b.load("i64.load", base, RSP), 0xffff_ffffn));
  const system = b.add(base, VIEW.supervisor);
  b.if(
    inner,
    () => {
      b.br(slow, b.ne(get(b, base, "cpl"), 3));
      b.br(slow, b.ne(b.and(get(b, base, "trAccess"), TASK.type), TASK.busy32));
      b.br(slow, b.ltU(get(b, base, "trLimit"), TASK.stack0 + 7));
      const linear = b.and(b.add(b.load("i64.load", base, at("trBase")), BigInt(TASK.stack0)), 0xffff_ffffn);
      const stack = b.load("i64.load", known(b, base, system, linear, 8, TLB.read, slow));
      b.set(pointer, b.and(stack, 0xffff_ffffn));
      b.set(selector, b.and(b.wrap(b.shrU(stack, 32)), 0xffff));
      b.br(slow, b.and(b.get(selector), 3));
      const ss = descriptor(b, base, b.get(selector), slow);
      b.br(slow, b.ne(b.and(ss.rights, RIGHTS.dataMask | RIGHTS.dpl), RIGHTS.data32));
      requireFlat(b, ss, slow);
      b.set(rights, ss.rights);
    },
    () => requireFlatStack(b, base, slow),
  );
  return { pointer, selector, rights, view: b.select(inner, system, get(b, base, "tlbView")) };
}

/** What is pending, as the frame needs it. */
interface Pending {
  readonly fault: Expr;
  readonly vector: Expr;
  readonly software: Expr;
  /** RF for the EFLAGS image, or 0. */
  readonly rf: Expr;
}

/** Software and external interrupts, and exceptions of fault class. */
function pendingEvent(b: Builder, base: Expr, slow: Label): Pending {
  const fault = get(b, base, "fault");
  const vector = b.and(fault, 0xff);
  const interrupt = is(b, fault, FAULT.software | FAULT.external);
  const isFault = b.and(b.ltU(vector, 32), b.and(b.shrU(b.i32(FAULT_CLASS), vector), 1));
  b.br(slow, b.not(b.or(interrupt, isFault)));
  return { fault, vector, software: is(b, fault, FAULT.software), rf: b.select(interrupt, b.i32(0), b.i32(EFLAGS.RF)) };
}

/** Address to return to: software interrupts return behind themselves. */
function returnAddress(b: Builder, base: Expr, software: Expr): Expr {
  const rip = b.load("i32.load", base, at("rip"));
  const record = b.select(software, get(b, base, "currentRecord"), base);
  const length = b.select(software, b.load("i32.load8_u", record, RECORD.len), b.i32(0));
  return b.and(b.add(rip, length), b.wrap(b.load("i64.load", base, at("ipMask"))));
}

/** Pushes the frame and sets ESP. */
function pushFrame(b: Builder, base: Expr, event: Pending, stack: HandlerStack, slow: Label): void {
  const low = b.and(b.sub(b.get(stack.pointer), BigInt(FRAME)), 0xffff_ffffn);
  const host = known(b, base, stack.view, low, FRAME, TLB.write, slow);
  const cursor = b.variable(b.add(host, FRAME));
  const push = (e: Expr): void => {
    b.set(cursor, b.sub(b.get(cursor), 4));
    b.store("i32.store", b.get(cursor), e);
  };
  b.if(b.get(stack.selector), () => {
    push(get(b, base, "ssSelector"));
    push(b.load("i32.load", base, RSP));
  });
  push(b.or(b.or(get(b, base, "eflags"), b.call(getArithmetic, base)), b.or(event.rf, 2)));
  push(get(b, base, "csSelector"));
  push(returnAddress(b, base, event.software));
  b.if(b.and(is(b, event.fault, FAULT.hasCode), b.not(is(b, event.fault, FAULT.software | FAULT.external))), () =>
    push(get(b, base, "faultCode")),
  );
  b.store("i64.store", base, b.add(low, b.extU(b.sub(b.get(cursor), host))), RSP);
}

/** Delivers the pending event when it is the common case → 1; otherwise 0 and nothing has changed: (base). */
export const deliverProtectedEvent: Routine = implement(ROUTINE.deliverProtectedEvent, (b, base) => {
  b.block((slow) => {
    requireProtected(b, base, slow);
    const event = pendingEvent(b, base, slow);
    const gate = readGate(b, base, event.vector, event.software, slow);
    const stack = handlerStack(b, base, b.ne(get(b, base, "cpl"), 0), slow);
    pushFrame(b, base, event, stack, slow);
    b.if(b.and(b.eq(event.vector, VECTOR.PF), b.ne(event.rf, 0)), () => {
      b.store("i64.store", base, b.load("i64.load", base, at("faultAddress")), at("cr2"));
    });
    b.if(b.get(stack.selector), () => loadFlat(b, base, "ss", b.get(stack.selector), b.get(stack.rights)));
    loadFlat(b, base, "cs", gate.selector, gate.rights);
    put(b, base, "cpl", b.i32(0));
    b.store("i64.store", base, b.extU(gate.offset), at("rip"));
    const cleared = EFLAGS.TF | EFLAGS.NT | EFLAGS.RF;
    const kept = b.select(gate.isTrap, b.i32(~cleared), b.i32(~(cleared | EFLAGS.IF)));
    put(b, base, "eflags", b.and(get(b, base, "eflags"), kept));
    for (const name of ["fault", "stepping", "halted"] as const) put(b, base, name, b.i32(0));
    b.call(refreshMode, base);
    b.return(b.i32(1));
  });
  b.return(b.i32(0));
});

/** IRETD from level 0 to flat 32-bit code at level 0 or 3 when it is the common case → 1; otherwise 0 and nothing has changed: (base). */
export const returnProtected: Routine = routine("protected.return", ["i32"], "i32", (b, base) => {
  b.block((slow) => {
    requireProtected(b, base, slow);
    b.br(slow, get(b, base, "cpl"));
    requireFlatStack(b, base, slow);
    const frame = b.and(b.load("i64.load", base, RSP), 0xffff_ffffn);
    const stack = known(b, base, get(b, base, "tlbView"), frame, 20, TLB.read, slow);
    const selector = b.load("i32.load16_u", stack, 4);
    const flags = b.load("i32.load", stack, 8);
    b.br(slow, is(b, flags, EFLAGS.TF | EFLAGS.NT | EFLAGS.VM));
    const rpl = b.and(selector, 3);
    b.br(slow, b.and(b.ne(rpl, 0), b.ne(rpl, 3)));
    const cs = descriptor(b, base, selector, slow);
    b.br(slow, b.ne(b.and(cs.rights, RIGHTS.codeMask | RIGHTS.dpl), b.or(b.shl(rpl, 5), RIGHTS.code32)));
    requireFlat(b, cs, slow);
    const pointer = b.variable(b.and(b.add(frame, 12n), 0xffff_ffffn));
    b.if(rpl, () => returnOuter(b, base, stack, pointer, slow));
    loadFlat(b, base, "cs", selector, cs.rights);
    put(b, base, "cpl", rpl);
    b.store("i64.store", base, b.get(pointer), RSP);
    b.store("i64.store", base, b.load("i64.load32_u", stack), at("rip"));
    b.call(setArithmetic, base, b.and(flags, ARITHMETIC));
    put(b, base, "eflags", b.and(flags, IRET_FLAGS & ~ARITHMETIC));
    put(b, base, "resumeFresh", b.and(b.shrU(flags, 16), 1));
    put(b, base, "nmiBlocked", b.i32(0));
    b.call(refreshMode, base);
    b.return(b.i32(1));
  });
  b.return(b.i32(0));
});

/** SS:ESP of a return to level 3. The last checks come first. */
function returnOuter(b: Builder, base: Expr, stack: Expr, pointer: Variable, slow: Label): void {
  requireUserData(b, base, slow);
  const selector = b.load("i32.load16_u", stack, 16);
  b.br(slow, b.ne(b.and(selector, 3), 3));
  const ss = descriptor(b, base, selector, slow);
  b.br(slow, b.ne(b.and(ss.rights, RIGHTS.dataMask | RIGHTS.dpl), RIGHTS.dpl | RIGHTS.data32));
  requireFlat(b, ss, slow);
  b.set(pointer, b.load("i64.load32_u", stack, 12));
  loadFlat(b, base, "ss", selector, ss.rights);
}
