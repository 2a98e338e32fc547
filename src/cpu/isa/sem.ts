// The vocabulary of instruction meanings: a Builder that knows operands, flags, memory, the stack and branches.
//
// One meaning is built once for each kind of operands (register or memory, width) and each of two worlds: `long` (64-bit code:
// flat segments) and `legacy` (16- and 32-bit code: segment limits, truncated addresses). The result is a handler
// (record, base) → next record, or 0 when the loop has to look: a pending exception, a changed mode, a new address in `rip`.
//
// Rules for meanings: all memory reads and checks first, then writes to memory, then registers and flags, so that a fault in the
// middle leaves no trace (SDM 3A §6.6, faults are restartable).
import { RECORD, RECORD_FLAGS, VIEW, WAYS_GONE } from "../engine/layout.ts";
import { enter } from "../engine/lookup.ts";
import { FSW } from "../float/status.ts";
import { helper } from "../host-calls.ts";
import { Builder } from "../ir/builder.ts";
import type { Expr, Signature } from "../ir/types.ts";
import { isCanonical, load128, LOADS, probeWrite, store128, STORES } from "../mmu/access.ts";
import { EFLAGS, VECTOR } from "../mmu/control.ts";
import { raise } from "../mmu/fault.ts";
import { refreshMode, updateAttention } from "../mmu/mode.ts";
import { legacyAddress, linearAddress, linearAddress16, segmentAddress } from "../mmu/segment.ts";
import { at, FAULT, SEG_BASE, type StateName, X87, XMM } from "../state.ts";
import { getAf, getArithmetic, getCf, getCondition, getOf, KIND, KIND_BIT, pf, setArithmetic, sf, zf } from "./flags.ts";
import type { Operand } from "./instruction.ts";

/** 64-bit code, or 16- and 32-bit code. */
export type World = "long" | "legacy";

/** Register numbers of general registers that instructions name implicitly. */
export const REG = { rax: 0, rcx: 1, rdx: 2, rbx: 3, rsp: 4, rbp: 5, rsi: 6, rdi: 7, r11: 11 } as const;
/** Segment register numbers (encoding of Sreg). */
export const SEG = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5 } as const;

const LOAD_REG: Readonly<Record<number, string>> = { 8: "i64.load8_u", 16: "i64.load16_u", 32: "i64.load32_u", 64: "i64.load" };

/** The signature of a handler: (record, base) → next record, or 0. */
export function handlerSignature(name: string): Signature {
  return { name, params: ["i32", "i32"], result: "i32", faults: true };
}

/** The vocabulary of one handler under construction. */
export class Sem extends Builder {
  readonly world: World;
  /** Repeat prefix of a string instruction: "", "repe" (also plain REP) or "repne". */
  repeat: "" | "repe" | "repne" = "";
  readonly #record: Expr;
  readonly #base: Expr;
  /** Checked targets of direct branches. */
  readonly #direct = new Set<Expr>();
  readonly #addresses = new Map<Operand, Expr>();

  constructor(name: string, world: World, signature: Signature = handlerSignature(name)) {
    super(signature);
    this.world = world;
    const params = this.params();
    this.#record = params[0]!;
    this.#base = params[1]!;
  }

  /** Whether this is 64-bit code. */
  get long(): boolean {
    return this.world === "long";
  }

  override base(): Expr {
    return this.#base;
  }

  /** The record being executed. */
  record(): Expr {
    return this.#record;
  }

  // ── state ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A 32-bit (or narrower) state slot as i32. */
  state(name: StateName): Expr {
    return this.load("i32.load", this.base(), at(name));
  }
  /** A 64-bit state slot. */
  state64(name: StateName): Expr {
    return this.load("i64.load", this.base(), at(name));
  }
  setState(name: StateName, e: Expr): void {
    this.store("i32.store", this.base(), e, at(name));
  }
  setState64(name: StateName, e: Expr): void {
    this.store("i64.store", this.base(), e, at(name));
  }

  /** A general register by number, zero-extended from `width` bits. */
  reg(n: number, width: number): Expr {
    return this.load(LOAD_REG[width]!, this.base(), n * 8);
  }

  /** Writes a general register; 32-bit writes clear the upper half, narrower ones keep the rest (SDM 1 §3.4.1.1). */
  setReg(n: number, width: number, e: Expr): void {
    if (width >= 32) this.store("i64.store", this.base(), this.zext(e, width), n * 8);
    else this.store(width === 16 ? "i64.store16" : "i64.store8", this.base(), e, n * 8);
  }

  /** AH. */
  ah(): Expr {
    return this.load("i64.load8_u", this.base(), 1);
  }
  setAh(e: Expr): void {
    this.store("i64.store8", this.base(), e, 1);
  }

  // ── operands ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The operand's byte in the record: a state offset or 16 × a number, see layout.ts. */
  field(op: Operand): Expr {
    return this.load("i32.load8_u", this.#record, RECORD.a + op.slot);
  }

  /** Host address of a register operand. XMM, MMX and x87 registers count from their own tables. */
  registerAddress(op: Operand): Expr {
    const offset = op.kind === "xmm" ? XMM : op.kind === "mm" ? X87 : 0;
    return this.add(this.add(this.base(), this.field(op)), offset);
  }

  /** The immediate, sign-extended to 64 bits by the decoder. */
  imm(): Expr {
    return this.load("i64.load", this.#record, RECORD.imm);
  }

  /** Second immediate of ENTER and far pointers: kept where a displacement would be. */
  imm2(): Expr {
    return this.load("i32.load", this.#record, RECORD.disp);
  }

  /** Reads an operand: integers zero-extended to i64 (immediates sign-extended, then cut to the width), XMM registers and m128 as v128. */
  read(op: Operand): Expr {
    if (op.kind === "imm") return this.zext(this.imm(), op.width);
    if (op.kind === "mem") return op.width === 128 ? this.load128(this.address(op)) : this.#readMemory(op);
    if (op.kind === "xmm") return this.load("v128.load", this.registerAddress(op));
    if (op.kind === "mm") return this.load("i64.load", this.registerAddress(op));
    return this.load(LOAD_REG[op.width]!, this.registerAddress(op));
  }

  #readMemory(op: Operand): Expr {
    if (op.access === "rw") this.probe(this.address(op, true), op.width);
    return this.loadMemory(this.address(op), op.width);
  }

  /** Writes an operand; 32-bit register writes clear the upper half, narrower ones keep it (SDM 1 §3.4.1.1). */
  write(op: Operand, e: Expr): void {
    if (op.kind === "mem")
      return op.width === 128 ? this.store128(this.address(op, true), e) : this.storeMemory(this.address(op, true), op.width, e);
    const address = this.registerAddress(op);
    if (op.kind === "xmm") this.store("v128.store", address, e);
    else if (op.kind === "mm") this.setMm(op, e);
    else if (op.width >= 32) this.store("i64.store", address, this.zext(e, op.width));
    else this.store(op.width === 16 ? "i64.store16" : "i64.store8", address, e);
  }

  /** Writes an MMX register: its x87 sign and exponent become all ones (SDM 1 §9.6.2). */
  setMm(op: Operand, e: Expr): void {
    this.store("i64.store", this.registerAddress(op), e);
    this.store("i32.store16", this.registerAddress(op), this.i32(0xffff), 8);
  }

  // ── memory ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Linear address of a memory operand, computed and checked once. Legacy code checks segment type and limit for the operand's size. */
  address(op: Operand, write: boolean = op.access !== "r"): Expr {
    const known = this.#addresses.get(op);
    if (known) return known;
    const size = Math.max(1, op.width >> 3);
    const address = this.long
      ? this.call(linearAddress, this.base(), this.#record, this.i32(size))
      : this.call(legacyAddress, this.base(), this.#record, this.i32(size | (write ? 0x100 : 0)));
    this.#addresses.set(op, address);
    return address;
  }

  /** Linear address of a 16-byte operand, #GP(0) unless it is a multiple of 16. */
  alignedAddress(op: Operand): Expr {
    if (this.long && !this.#addresses.has(op)) this.#addresses.set(op, this.call(linearAddress16, this.base(), this.#record));
    else this.requireAligned(this.address(op), 16);
    return this.address(op);
  }

  /** Effective address (offset, without segment), cut to the address size: LEA, and instructions that add to it. */
  effectiveAddress(): Expr {
    const r = this.#record;
    const slot = (field: number): Expr => this.load("i64.load", this.add(this.base(), this.load("i32.load8_u", r, field)));
    const scaled = this.shl(slot(RECORD.index), this.extU(this.load("i32.load8_u", r, RECORD.scale)));
    const sum = this.add(this.add(slot(RECORD.base), scaled), this.load("i64.load32_s", r, RECORD.disp));
    return this.and(sum, this.addressMask());
  }

  /** All ones, FFFFFFFFh or FFFFh by the address size in force. */
  addressMask(): Expr {
    const flags = this.load("i32.load8_u", this.#record, RECORD.flags);
    const narrow = this.select(this.and(flags, RECORD_FLAGS.address16), this.i64(0xffff), this.i64(0xffff_ffff));
    return this.select(this.and(flags, RECORD_FLAGS.address16 | RECORD_FLAGS.address32), narrow, this.i64(-1));
  }

  /** Number of the memory operand's segment register. */
  segmentNumber(): Expr {
    return this.and(this.shrU(this.load("i32.load8_u", this.#record, RECORD.flags), RECORD_FLAGS.segShift), 7);
  }

  /** 1 when the memory operand's base register is rSP. */
  baseIsStackPointer(): Expr {
    return this.eq(this.load("i32.load8_u", this.#record, RECORD.base), REG.rsp * 8);
  }

  /** Selector of segment register number `n` (i32), as i64. */
  selector(n: Expr): Expr {
    return this.load("i64.load16_u", this.add(this.base(), this.shl(n, 2)), at("esSelector"));
  }

  /**
   * Linear address of `offset` in segment register number `segment` (i32), checked for `bytes` in legacy code. For implicit
   * operands (strings, XLAT, stack); the offset is already cut to its size.
   */
  segmentLinear(segment: Expr, offset: Expr, bytes: number, write: boolean): Expr {
    return this.call(segmentAddress, this.base(), segment, offset, this.i32(bytes | (write ? 0x100 : 0)));
  }

  /** The TLB view of the guest's own accesses. */
  view(): Expr {
    return this.state("tlbView");
  }
  /** The view of accesses that the processor makes itself: always supervisor. */
  systemView(): Expr {
    return this.add(this.base(), VIEW.supervisor);
  }

  /** Reads `width` bits at a linear address, zero-extended. */
  loadMemory(linear: Expr, width: number): Expr {
    return this.call(LOADS[width >> 3]!, this.base(), this.view(), linear);
  }
  storeMemory(linear: Expr, width: number, e: Expr): void {
    this.call(STORES[width >> 3]!, this.base(), this.view(), linear, e);
  }
  load128(linear: Expr): Expr {
    return this.call(load128, this.base(), this.view(), linear);
  }
  store128(linear: Expr, e: Expr): void {
    this.call(store128, this.base(), this.view(), linear, e);
  }
  /** Checks that `width` bits can be written. */
  probe(linear: Expr, width: number): void {
    this.call(probeWrite, this.base(), this.view(), linear, this.i32(width >> 3));
  }

  // ── stack ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** RSP, ESP or SP by the stack's size. */
  stackPointer(): Expr {
    return this.long ? this.reg(REG.rsp, 64) : this.and(this.reg(REG.rsp, 64), this.state64("stackMask"));
  }

  /** Writes the stack pointer, keeping bits above a 16-bit SP. */
  setStackPointer(e: Expr): void {
    if (this.long) return this.setReg(REG.rsp, 64, e);
    const mask = this.state64("stackMask");
    const kept = this.and(this.reg(REG.rsp, 64), this.xor(mask, 0xffff_ffffn));
    this.setReg(REG.rsp, 64, this.or(kept, this.and(e, mask)));
  }

  /** Linear address of `offset` on the stack; #SS(0) when it is outside (legacy: limit; long: not canonical). */
  stackLinear(offset: Expr, bytes: number, write: boolean): Expr {
    if (!this.long) return this.segmentLinear(this.i32(SEG.ss), this.and(offset, this.state64("stackMask")), bytes, write);
    const end = this.add(offset, BigInt(bytes - 1));
    this.if(this.not(this.and(isCanonical(this, offset), isCanonical(this, end))), () => this.fault(VECTOR.SS, this.i32(0)));
    return offset;
  }

  /** Pushes `width` bits: memory first, then the stack pointer. */
  push(width: number, e: Expr): void {
    const top = this.sub(this.stackPointer(), BigInt(width >> 3));
    this.storeMemory(this.stackLinear(top, width >> 3, true), width, e);
    this.setStackPointer(top);
  }

  /** Reads the top of the stack without moving it; `release` moves. */
  peek(width: number, depth = 0): Expr {
    return this.loadMemory(this.stackLinear(this.add(this.stackPointer(), BigInt(depth)), width >> 3, false), width);
  }

  /** Adds `bytes` (a number or an i64) to the stack pointer. */
  release(bytes: number | Expr): void {
    this.setStackPointer(this.add(this.stackPointer(), typeof bytes === "number" ? BigInt(bytes) : bytes));
  }

  // ── flags ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #flags(kind: Expr, result: Expr, a?: Expr, b?: Expr): void {
    const base = this.base();
    this.store("i64.store", base, result, at("flagResult"));
    if (a) this.store("i64.store", base, a, at("flagA"));
    if (b) this.store("i64.store", base, b, at("flagB"));
    this.store("i32.store", base, kind, at("flagKind"));
  }

  /** Flags of a + b = result. All are cut to `width`. */
  flagsAdd(width: number, a: Expr, b: Expr, result: Expr): void {
    this.#flags(this.i32(KIND.add), this.sext(result, width), this.sext(a, width), this.sext(b, width));
  }

  /** Flags of a - b = result. */
  flagsSub(width: number, a: Expr, b: Expr, result: Expr): void {
    this.#flags(this.i32(KIND.subtract), this.sext(result, width), this.sext(a, width), this.sext(b, width));
  }

  /** Flags of a logic result: CF = OF = AF = 0. */
  flagsLogic(width: number, result: Expr): void {
    const r = this.sext(result, width);
    this.#flags(this.i32(KIND.subtract), r, r, this.i64(0));
  }

  /** ZF, SF and PF from a result; CF, OF and AF (each i32 0 or 1, or absent = 0) as given. */
  flagsExplicit(width: number, result: Expr, flags: { cf?: Expr; of?: Expr; af?: Expr }): void {
    let kind = this.i32(KIND.explicit);
    if (flags.cf) kind = this.or(kind, this.shl(flags.cf, 8));
    if (flags.af) kind = this.or(kind, this.shl(flags.af, 12));
    if (flags.of) kind = this.or(kind, this.shl(flags.of, 19));
    this.#flags(kind, this.sext(result, width));
  }

  /** CF, OF and AF (each i32 0 or 1, or absent = 0) as given; ZF, SF and PF stay. */
  flagsCarry(flags: { cf: Expr; of?: Expr; af?: Expr }): void {
    const kept = this.and(this.state("flagKind"), (1 << KIND_BIT.sfFlip) | (1 << KIND_BIT.pfFlip));
    let kind = this.or(this.or(kept, KIND.explicit), this.shl(flags.cf, KIND_BIT.cf));
    if (flags.of) kind = this.or(kind, this.shl(flags.of, KIND_BIT.of));
    if (flags.af) kind = this.or(kind, this.shl(flags.af, KIND_BIT.af));
    this.setState("flagKind", kind);
  }

  /** All six at once from EFLAGS positions (i32). */
  setArithmetic(value: Expr): void {
    this.call(setArithmetic, this.base(), value);
  }
  arithmetic(): Expr {
    return this.call(getArithmetic, this.base());
  }

  /** Changes some of the six: bits of `mask` from `value` (EFLAGS positions), the others stay. */
  changeArithmetic(mask: number, value: Expr): void {
    this.setArithmetic(this.or(this.and(this.arithmetic(), ~mask), this.and(value, mask)));
  }

  cf(): Expr {
    return this.call(getCf, this.base());
  }
  of(): Expr {
    return this.call(getOf, this.base());
  }
  af(): Expr {
    return this.call(getAf, this.base());
  }
  zf(): Expr {
    return zf(this, this.base());
  }
  sf(): Expr {
    return sf(this, this.base());
  }
  pf(): Expr {
    return pf(this, this.base());
  }

  /** Condition code 0..15 as 0 or 1 (SDM 1 appendix B). */
  condition(cc: number): Expr {
    return this.call(getCondition, this.base(), this.i32(cc));
  }

  /** EFLAGS as PUSHF sees them before VM and RF are cleared. */
  eflags(): Expr {
    return this.or(this.or(this.state("eflags"), 2), this.arithmetic());
  }

  /** DF as +1 or -1 times `bytes`. */
  direction(bytes: number): Expr {
    return this.select(this.and(this.state("eflags"), EFLAGS.DF), this.i64(-bytes), this.i64(bytes));
  }

  // ── control flow ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Linear address of this instruction. */
  linear(): Expr {
    return this.add(this.state64("ripPage"), this.load("i64.load16_u", this.#record, RECORD.offset));
  }

  /** RIP (EIP, IP) of the next instruction. */
  nextIp(): Expr {
    const next = this.add(this.linear(), this.load("i64.load8_u", this.#record, RECORD.len));
    return this.long ? next : this.and(this.sub(next, this.state64("csBase")), this.state64("ipMask"));
  }

  /** Linear address of a direct branch's target; legacy code checks the code segment's limit (#GP(0) on this instruction). */
  relativeTarget(width: number): Expr {
    const linear = this.add(this.state64("ripPage"), this.imm());
    const ip = this.long ? linear : this.zext(this.sub(linear, this.state64("csBase")), width);
    this.#direct.add(this.branchTarget(ip));
    return ip;
  }

  /** Checks a near branch target (an IP) before anything is changed; pass the result to `branch`. */
  branchTarget(ip: Expr): Expr {
    if (this.long) this.if(this.not(isCanonical(this, ip)), () => this.fault(VECTOR.GP, this.i32(0)));
    else this.if(this.gtU(ip, this.extU(this.state("csLimit"))), () => this.fault(VECTOR.GP, this.i32(0)));
    return ip;
  }

  /** The same for an indirect branch. The record remembers where it went lately, relative to its page: whoever translates it looks there. */
  indirectTarget(ip: Expr): Expr {
    const target = this.branchTarget(ip);
    const record = this.record();
    const distance = this.sub(this.wrap(ip), this.load("i32.load", this.base(), at("ripPage")));
    const last = this.load("i32.load", record, RECORD.target);
    this.if(this.ne(last, distance), () => {
      this.store("i32.store", record, this.load("i32.load", record, RECORD.imm), RECORD.imm + 4);
      this.store("i32.store", record, last, RECORD.imm);
      this.store("i32.store", record, distance, RECORD.target);
    });
    return target;
  }

  /** Which way a conditional branch goes: its record counts both, up to a bound, for whoever translates it. */
  noteWay(way: keyof typeof WAYS_GONE): void {
    const count = this.load("i32.load16_u", this.record(), WAYS_GONE[way]);
    this.store("i32.store16", this.record(), this.add(count, this.ltU(count, 0xffff)), WAYS_GONE[way]);
  }

  /** Goes to a checked target. Last in a meaning (or in a branch of it). */
  branch(target: Expr): void {
    if (this.#direct.has(target)) return this.#branchDirect(target);
    this.return(this.callUnchecked(enter, this.base(), this.#linearOf(target)));
  }

  /** A direct branch remembers its target's record while both lie in one page; other pages may be mapped away. */
  #branchDirect(target: Expr): void {
    const linked = this.load("i32.load", this.#record, RECORD.target);
    this.if(linked, () => this.return(linked));
    const found = this.callUnchecked(enter, this.base(), this.#linearOf(target));
    this.if(this.ltU(this.imm(), 4096n), () => this.store("i32.store", this.#record, found, RECORD.target));
    this.return(found);
  }

  #linearOf(target: Expr): Expr {
    return this.long ? target : this.and(this.add(target, this.state64("csBase")), 0xffff_ffffn);
  }

  /** Goes on with the next instruction. */
  next(): void {
    this.return(this.add(this.#record, RECORD.size));
  }

  /**
   * Leaves with `rip` = the next instruction, so that the loop looks the code up again: after whatever changes modes, mappings
   * or privileges.
   */
  resynchronize(): void {
    this.setState64("rip", this.nextIp());
    this.return(this.i32(0));
  }

  /** Leaves with `rip` already set to where execution goes on. */
  leave(): void {
    this.return(this.i32(0));
  }

  // ── exceptions and helpers ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Raises a fault of this instruction; with `code` it has an error code. */
  fault(vector: number, code?: Expr): void {
    this.call(raise, this.base(), this.i32(code === undefined ? vector : vector | FAULT.hasCode), code ?? this.i32(0));
    this.return(this.i32(0));
  }

  /** Raises #GP(0) when `c`. */
  gpIf(c: Expr): void {
    this.if(c, () => this.fault(VECTOR.GP, this.i32(0)));
  }
  udIf(c: Expr): void {
    this.if(c, () => this.fault(VECTOR.UD));
  }

  /** #GP(0) unless CPL is 0. */
  requireCpl0(): void {
    this.gpIf(this.ne(this.state("cpl"), 0));
  }

  /** Raises what x87 (`fpu`), MMX or SSE instructions raise under the present CR0 and CR4. */
  requireUnit(unit: "fpu" | "mmx" | "sse"): void {
    const trap = this.state(`${unit}Trap`);
    this.if(trap, () => {
      this.call(raise, this.base(), trap, this.i32(0));
      this.return(this.i32(0));
    });
  }

  /** Does what `body` does when an unmasked x87 exception is pending. */
  ifExceptionPends(body: () => void): void {
    this.if(this.and(this.load("i32.load16_u", this.base(), at("fsw")), FSW.ES), body);
  }

  /** #GP(0) unless `linear` is a multiple of `bytes` (a power of two). */
  requireAligned(linear: Expr, bytes: number): void {
    this.gpIf(this.wrap(this.and(linear, BigInt(bytes - 1))));
  }

  /** Calls a TypeScript helper (assist/numbers.ts) with one i32. `rip` and the record are stored for it. */
  helper(number: number, argument: Expr = this.i32(0)): Expr {
    this.setState("currentRecord", this.#record);
    return this.call(helper, this.base(), this.i32(number), argument);
  }

  /** Recomputes derived state after changes of segments, privilege, control registers or EFLAGS.AC. */
  refresh(): void {
    this.call(refreshMode, this.base());
  }
  updateAttention(): void {
    this.call(updateAttention, this.base());
  }

  /** Base of segment register `n` (a number). */
  segmentBase(n: number): Expr {
    return this.load("i64.load", this.base(), SEG_BASE + n * 8);
  }
}
