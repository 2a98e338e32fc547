// The vocabulary of a region: one function that holds many instructions, with registers in locals and operands that are constants.
//
// Memory accesses know the TLB only. What they do not find, and everything else that is out of the ordinary, leaves the region at the
// instruction's own address before it has changed anything; the interpreter then executes it. What a meaning does that cannot be part
// of a region makes the whole instruction a call of its complete handler (calls.ts).
import { at as slot, SCRATCH, SEG_BASE, X87, XMM, ZERO } from "../state.ts";
import { TLB } from "../engine/layout.ts";
import { EXCEPTIONS, FSW } from "../float/status.ts";
import type { Callee, Expr, Routine } from "../ir/types.ts";
import type { Operand } from "../isa/instruction.ts";
import { REG, SEG, type World } from "../isa/sem.ts";
import { openExceptions } from "../isa/x87/stack.ts";
import { entryInView, entryOf, isCanonical } from "../mmu/access.ts";
import { isCallable } from "./callable.ts";
import type { GuestInstruction } from "./guest-instruction.ts";
import { notInlinable } from "./kept-sem.ts";
import type { InstructionPart } from "./parameters.ts";
import type { CodeSource } from "./source.ts";
import { X87Sem } from "./x87-sem.ts";

/** Slots that hold values on their way only: writing them changes nothing that a guest can see. */
const TRANSIENT: ReadonlySet<number> = new Set([slot("wideHigh"), slot("floatHead"), slot("floatRaised"), slot("scratchValue"), SCRATCH]);

/** Why a region leaves an instruction to the interpreter: the TLB does not serve its access, or anything else. */
export const LEAVE = { memory: 0, instruction: 1 } as const;
/** One of the values of `LEAVE`. */
export type LeaveCause = (typeof LEAVE)[keyof typeof LEAVE];

/** x87 state beside the stack that regions may change. */
const X87_STATE: ReadonlySet<number> = new Set([slot("fip"), slot("fcw")]);

/** What is found out once on the way. `masked`: x87 exceptions are masked, and none is pending. */
const UNIT = { fpu: 1, mmx: 2, sse: 4, masked: 8 } as const;

/** How a region's code leaves, and where its branches go. */
export interface RegionExits {
  /** To the instruction's own address, when `c` (always when absent); nothing has been changed. */
  atInstruction(c?: Expr, cause?: LeaveCause): void;
  /** To a direct target. */
  toDelta(delta: number): void;
  /** To a linear address. */
  toLinear(linear: Expr): void;
}

/** Segments that the region takes for flat, and segments whose limit it takes for 4 GiB. */
export interface SegmentAssumptions {
  readonly flat: Set<number>;
  readonly unlimited: Set<number>;
}

/** Where a region finds the processor's state, and the TLB view of its accesses when that is always the same: host addresses. */
export type StatePlace = Pick<CodeSource, "base" | "view">;

/** Sem with constants for operands. */
export abstract class RegionSem extends X87Sem implements RegionExits {
  readonly segments: SegmentAssumptions = { flat: new Set(), unlimited: new Set() };
  protected current!: GuestInstruction;
  readonly #linears = new Map<Operand, Expr>();
  readonly #hosts = new Map<Expr, Expr>();
  readonly #direct = new Map<Expr, number>();

  protected readonly place: StatePlace;

  constructor(world: World, place: StatePlace) {
    super(world, place.base);
    this.place = place;
  }

  abstract override atInstruction(c?: Expr, cause?: LeaveCause): void;
  abstract toDelta(delta: number): void;
  abstract toLinear(linear: Expr): void;
  /** Linear address of a delta. */
  protected abstract linearOfDelta(delta: number): Expr;

  protected override beginInstruction(): void {
    super.beginInstruction();
    this.#hasStored = false;
    // Emptying an empty map is not for nothing.
    if (this.#linears.size > 0) this.#linears.clear();
    if (this.#hosts.size > 0) this.#hosts.clear();
    if (this.#direct.size > 0) this.#direct.clear();
  }

  // ── operands ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  override field(op: Operand): Expr {
    return this.i32(this.current.fields[op.slot as 0]);
  }

  override registerAddress(op: Operand): Expr {
    const offset = op.kind === "xmm" ? XMM : op.kind === "mm" ? X87 : 0;
    return this.add(this.base(), offset + this.current.fields[op.slot as 0]);
  }

  /** A number in the present instruction's bytes, when it may be another one where the same code lies elsewhere (parameters.ts). */
  protected abstract parameter(part: InstructionPart): Expr | undefined;

  override imm(): Expr {
    return this.parameter("immediate") ?? this.i64(this.current.immediate);
  }

  override imm2(): Expr {
    return this.i32(this.current.displacement);
  }

  override record(): Expr {
    throw notInlinable("needs its record");
  }

  #slot(offset: number): Expr {
    return this.load("i64.load", this.base(), offset);
  }

  override effectiveAddress(): Expr {
    const i = this.current;
    const parameter = this.parameter("displacement");
    if (i.ripRelative) {
      const next = i.delta + i.length;
      return this.#cut(parameter ? this.add(this.linearOfDelta(next), parameter) : this.linearOfDelta(next + i.displacement));
    }
    const displacement = parameter ?? this.i64(BigInt(i.displacement));
    let sum = i.base === ZERO ? undefined : this.#slot(i.base);
    if (i.index !== ZERO) {
      const scaled = this.shl(this.#slot(i.index), i.scale);
      sum = sum ? this.add(sum, scaled) : scaled;
    }
    return this.#cut(sum ? this.add(sum, displacement) : displacement);
  }

  #cut(e: Expr): Expr {
    return this.zext(e, this.current.addressBits);
  }

  override addressMask(): Expr {
    return this.i64((1n << BigInt(this.current.addressBits)) - 1n);
  }

  override segmentNumber(): Expr {
    return this.i32(this.current.segment);
  }

  override baseIsStackPointer(): Expr {
    return this.i32(this.current.base === REG.rsp * 8 ? 1 : 0);
  }

  override address(op: Operand, _write?: boolean): Expr {
    const known = this.#linears.get(op);
    if (known) return known;
    const linear = this.#segmented(this.current.segment, this.effectiveAddress());
    this.#linears.set(op, linear);
    return linear;
  }

  override alignedAddress(op: Operand): Expr {
    const address = this.address(op);
    this.requireAligned(address, 16);
    return address;
  }

  override segmentLinear(segment: Expr, offset: Expr, _bytes: number, _write: boolean): Expr {
    if (segment.op !== "const") throw notInlinable("a segment that is not constant");
    return this.#segmented(Number(segment.imm), offset);
  }

  /** Non-canonical addresses are in no TLB, so that they leave the region by themselves. */
  #segmented(segment: number, offset: Expr): Expr {
    if (this.long) return segment >= SEG.fs ? this.add(offset, this.#slot(SEG_BASE + segment * 8)) : offset;
    // Code cannot be written, and not always read (SDM 3A §3.4.5.1): the complete handler knows.
    if (segment === SEG.cs) throw notInlinable("an operand in the code segment");
    if (segment < SEG.fs) {
      this.segments.flat.add(segment);
      return this.zext(offset, 32);
    }
    this.segments.unlimited.add(segment);
    return this.zext(this.add(offset, this.#slot(SEG_BASE + segment * 8)), 32);
  }

  // ── memory ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Host address of `linear`, when the TLB knows it for `tag`. */
  #host(linear: Expr, bytes: number, tag: number): Expr {
    const known = this.#hosts.get(linear);
    if (known) return known;
    const { view } = this.place;
    const [entry, from] = view === undefined ? [entryOf(this, this.view(), linear), 0] : [entryInView(this, linear), view];
    const x = this.xor(linear, super.load("i64.load", entry, from + tag));
    this.atInstruction(this.gtU(x, BigInt(4096 - bytes)), LEAVE.memory);
    return this.add(super.load("i32.load", entry, from + TLB.host), this.wrap(x));
  }

  override probe(linear: Expr, width: number): void {
    this.#hosts.set(linear, this.#host(linear, width >> 3, TLB.write));
  }

  /** What has been stored may not be read before an exit: executed again, the instruction would find it. */
  #requireUnstored(): void {
    if (this.#hasStored) throw notInlinable("a load behind a store");
  }
  #hasStored = false;

  override loadMemory(linear: Expr, width: number): Expr {
    this.#requireUnstored();
    const op = width === 64 ? "i64.load" : width === 32 ? "i64.load32_u" : width === 16 ? "i64.load16_u" : "i64.load8_u";
    return this.load(op, this.#host(linear, width >> 3, TLB.read));
  }

  override storeMemory(linear: Expr, width: number, e: Expr): void {
    const op = width === 64 ? "i64.store" : width === 32 ? "i64.store32" : width === 16 ? "i64.store16" : "i64.store8";
    this.#toMemory(op, this.#host(linear, width >> 3, TLB.write), e);
  }

  override load128(linear: Expr): Expr {
    this.#requireUnstored();
    return this.load("v128.load", this.#host(linear, 16, TLB.read));
  }

  override store128(linear: Expr, e: Expr): void {
    this.#toMemory("v128.store", this.#host(linear, 16, TLB.write), e);
  }

  /** Doing it again does no harm, so that an exit may follow. */
  #toMemory(op: string, host: Expr, e: Expr): void {
    this.#hasStored = true;
    if (!this.isDead) this.storeHost(op, host, e);
  }

  override requireAligned(linear: Expr, bytes: number): void {
    this.atInstruction(this.wrap(this.and(linear, BigInt(bytes - 1))));
  }

  // ── state ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  protected override instructionPage(): Expr {
    return this.linearOfDelta(this.current.delta & ~0xfff);
  }

  protected override storeOther(op: string, offset: number, e: Expr): void {
    if (this.isDead) return;
    // The exact way of an SSE instruction: the complete handler's.
    if (offset === slot("sseFlags")) return this.#giveUp("exact arithmetic");
    if (X87_STATE.has(offset)) this.noteChange();
    else if (!TRANSIENT.has(offset)) throw notInlinable(`writes state at ${offset.toString(16)}`);
    this.storeSlot(op, offset, e);
  }

  /** Units that have been found to be there, on the way here: bits of UNIT. */
  #units = 0;

  protected override forgetValues(): void {
    super.forgetValues();
    this.#units = 0;
  }

  protected override nested(body: () => unknown): ReturnType<X87Sem["nested"]> {
    const units = this.#units;
    try {
      return super.nested(body);
    } finally {
      this.#units = units;
    }
  }

  override requireUnit(unit: "fpu" | "mmx" | "sse"): void {
    if (this.#units & UNIT[unit]) return;
    this.#units |= UNIT[unit];
    this.atInstruction(this.state(`${unit}Trap`));
  }

  override ifExceptionPends(): void {
    if (this.#units & UNIT.masked) return;
    this.#units |= UNIT.masked;
    const [status, control] = [this.load("i32.load16_u", this.base(), slot("fsw")), this.load("i32.load16_u", this.base(), slot("fcw"))];
    const open = this.and(this.xor(control, -1), EXCEPTIONS);
    this.atInstruction(this.or(open, this.and(status, FSW.ES)));
  }

  /** A called instruction may have changed anything of the x87. */
  protected forgetUnit(): void {
    this.#units &= ~UNIT.masked;
    this.forgetStack();
  }

  override requireCpl0(): void {
    this.atInstruction(this.ne(this.state("cpl"), 0));
  }

  // ── stack ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  override stackPointer(): Expr {
    return this.reg(REG.rsp, this.long ? 64 : 32);
  }

  override setStackPointer(e: Expr): void {
    this.setReg(REG.rsp, this.long ? 64 : 32, e);
  }

  override stackLinear(offset: Expr, bytes: number, write: boolean): Expr {
    return this.segmentLinear(this.i32(SEG.ss), offset, bytes, write);
  }

  // ── branches ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  override linear(): Expr {
    return this.linearOfDelta(this.current.delta);
  }

  override nextIp(): Expr {
    this.#assumeFlatCode();
    const next = this.linearOfDelta(this.current.delta + this.current.length);
    return this.long ? next : this.zext(next, 32);
  }

  override relativeTarget(width: number): Expr {
    if (width === 16) throw notInlinable("a 16-bit branch");
    this.#assumeFlatCode();
    const target = this.linearOfDelta(this.current.target);
    this.#direct.set(target, this.current.target);
    return target;
  }

  #assumeFlatCode(): void {
    if (!this.long) this.segments.flat.add(SEG.cs);
  }

  override branchTarget(ip: Expr): Expr {
    this.#assumeFlatCode();
    if (this.long) this.atInstruction(this.not(isCanonical(this, ip)));
    return ip;
  }

  /** Only the interpreter takes notes. */
  override noteWay(): void {}

  /** A region has no record to note it in. */
  override indirectTarget(ip: Expr): Expr {
    return this.branchTarget(ip);
  }

  override branch(target: Expr): void {
    this.commit();
    this.settleAllFlags();
    const delta = this.#direct.get(target);
    if (delta === undefined) this.toLinear(target);
    else this.toDelta(delta);
    this.noteDead();
  }

  /** The region goes on by itself. */
  override next(): void {}

  override resynchronize(): void {
    throw notInlinable("a change of modes or mappings");
  }

  override leave(): void {
    throw notInlinable("leaves the loop");
  }

  // ── exceptions, routines ────────────────────────────────────────────────────────────────────────────────────────────────

  override fault(): void {
    this.atInstruction();
  }

  override gpIf(c: Expr): void {
    this.atInstruction(c);
  }

  override udIf(c: Expr): void {
    this.atInstruction(c);
  }

  override checkFault(): void {
    // Routines that a region calls raise nothing.
  }

  override helper(): Expr {
    throw notInlinable("a helper");
  }

  override callUnchecked(target: Callee, ...args: Expr[]): Expr {
    if (target.kind === "routine") {
      if (target === openExceptions) return this.i32(0);
      if (this.isInlined(target)) return this.inline(target, args);
      if (isCallable(target)) return super.callUnchecked(target, ...args);
    }
    this.#giveUp(target.name);
    return this.#anything(target as Routine);
  }

  /** A call of whatever it is. */
  protected callDirectly(target: Callee, ...args: Expr[]): Expr {
    return super.callUnchecked(target, ...args);
  }

  /** On a way that is not always taken: leaves to the complete handler. */
  #giveUp(why: string): void {
    if (!this.isConditional) throw notInlinable(why);
    this.atInstruction();
  }

  /** A value of the right type, for what is not reached. */
  #anything({ result }: Routine): Expr {
    if (result === "i64") return this.i64(0);
    return result === "v128" ? this.v128(new Uint8Array(16)) : this.i32(0);
  }
}
