// The vocabulary as the fast loop compiles it: the same meanings, with memory accesses that only know the TLB and branches that
// only know links and the jump cache. Whatever they do not find goes to the complete handler, before anything has changed.
//
// Outside 64-bit code there are cases for 32-bit code with flat segments. That they are flat costs nothing to know: where they are
// not the loop's view is the one that never hits, so accesses go to the complete handler, and branches ask for it.
import { assert } from "../../support/assert.ts";
import type { Expr, Label, Signature } from "../ir/types.ts";
import type { Operand } from "../isa/instruction.ts";
import { KIND } from "../isa/flags.ts";
import { REG, Sem, type World } from "../isa/sem.ts";
import { entryOf } from "../mmu/access.ts";
import { at } from "../state.ts";
import { JUMP_CACHE, RECORD, TLB, VIEW } from "./layout.ts";
import { jumpSlot } from "./lookup.ts";

/** Where the code of the fast loop can go. */
export interface HotLabels {
  /** The complete handler of this record. */
  readonly cold: Label;
  /** The dispatch of the next record. */
  readonly again: Label;
  /** The budget is used up. */
  readonly out: Label;
}

/** Parameters of a hot body are the loop's locals: record, base, TLB view, budget. */
export const HOT_SIGNATURE: Signature = { name: "hot", params: ["i32", "i32", "i32", "i32"], result: "i32", faults: true };

/**
 * Shape of what a record needs: 0 is base + displacement, or a direct branch within the page; 1 is any 64-bit address, or any of
 * 32 bits in ES, SS or DS, or a direct branch to another page.
 */
export type HotShape = 0 | 1;

/** The vocabulary of the fast loop's cases: what it cannot do inline leaves for the complete handler of the same record. */
export class HotSem extends Sem {
  readonly #labels: HotLabels;
  readonly #shape: HotShape;
  readonly #view: Expr;
  readonly #hosts = new Map<Expr, Expr>();
  readonly #linearOfTarget = new Map<Expr, Expr>();

  constructor(name: string, world: World, labels: HotLabels, shape: HotShape) {
    super(name, world, { ...HOT_SIGNATURE, name });
    this.#labels = labels;
    this.#shape = shape;
    this.#view = this.params()[2]!;
  }

  #ip(e: Expr): void {
    this.set({ type: "i32", index: 0 }, e);
  }

  override address(op: Operand): Expr {
    const known = this.#operandAddress.get(op);
    if (known) return known;
    const address = this.#shape === 0 ? this.effectiveAddress() : this.#fullAddress();
    this.#operandAddress.set(op, address);
    return address;
  }
  readonly #operandAddress = new Map<Operand, Expr>();

  /** A register that the record names, of the address's width. */
  #slot(field: number): Expr {
    return this.load(this.long ? "i64.load" : "i32.load", this.add(this.base(), this.load("i32.load8_u", this.record(), field)));
  }

  #baseDisplacement(): Expr {
    return this.add(this.#slot(RECORD.base), this.load(this.long ? "i64.load32_s" : "i32.load", this.record(), RECORD.disp));
  }

  #fullAddress(): Expr {
    return this.long ? this.add(this.effectiveAddress(), this.#slot(RECORD.seg)) : this.effectiveAddress();
  }

  override effectiveAddress(): Expr {
    const e = this.#shape === 0 ? this.#baseDisplacement() : this.add(this.#baseDisplacement(), this.#scaledIndex());
    return this.long ? e : this.extU(e);
  }

  #scaledIndex(): Expr {
    return this.shl(this.#slot(RECORD.index), this.load(this.long ? "i64.load8_u" : "i32.load8_u", this.record(), RECORD.scale));
  }

  override addressMask(): Expr {
    return this.i64(this.long ? -1 : 0xffff_ffff);
  }

  /** Implicit operands and moffs: in ES, SS or DS (plan.ts), which are flat. */
  override segmentLinear(segment: Expr, offset: Expr, bytes: number, write: boolean): Expr {
    return this.long ? super.segmentLinear(segment, offset, bytes, write) : this.and(offset, 0xffff_ffffn);
  }

  override view(): Expr {
    return this.#view;
  }

  /** Host address of `linear`, when the TLB knows it for `tag`. */
  #host(linear: Expr, bytes: number, tag: number): Expr {
    const known = this.#hosts.get(linear);
    if (known) return known;
    const entry = entryOf(this, this.#view, linear);
    const x = this.xor(linear, this.load("i64.load", entry, tag));
    this.br(this.#labels.cold, this.gtU(x, BigInt(4096 - bytes)));
    return this.add(this.load("i32.load", entry, TLB.host), this.wrap(x));
  }

  override probe(linear: Expr, width: number): void {
    this.#hosts.set(linear, this.#host(linear, width >> 3, TLB.write));
  }

  override loadMemory(linear: Expr, width: number): Expr {
    const op = width === 64 ? "i64.load" : width === 32 ? "i64.load32_u" : width === 16 ? "i64.load16_u" : "i64.load8_u";
    return this.load(op, this.#host(linear, width >> 3, TLB.read));
  }

  override storeMemory(linear: Expr, width: number, e: Expr): void {
    const op = width === 64 ? "i64.store" : width === 32 ? "i64.store32" : width === 16 ? "i64.store16" : "i64.store8";
    this.store(op, this.#host(linear, width >> 3, TLB.write), e);
  }

  override load128(linear: Expr): Expr {
    return this.load("v128.load", this.#host(linear, 16, TLB.read));
  }

  override store128(linear: Expr, e: Expr): void {
    this.store("v128.store", this.#host(linear, 16, TLB.write), e);
  }

  override alignedAddress(op: Operand): Expr {
    const address = this.address(op);
    this.requireAligned(address, 16);
    return address;
  }

  override requireAligned(linear: Expr, bytes: number): void {
    this.br(this.#labels.cold, this.wrap(this.and(linear, BigInt(bytes - 1))));
  }

  override requireUnit(unit: "fpu" | "mmx" | "sse"): void {
    this.br(this.#labels.cold, this.state(`${unit}Trap`));
  }

  override stackLinear(offset: Expr): Expr {
    return this.long ? offset : this.and(offset, 0xffff_ffffn);
  }

  override stackPointer(): Expr {
    return this.reg(REG.rsp, this.long ? 64 : 32);
  }

  override setStackPointer(e: Expr): void {
    this.setReg(REG.rsp, this.long ? 64 : 32, e);
  }

  /** Conditions of the subtract class, which nearly all are, without a call. */
  override condition(cc: number): Expr {
    if (cc >> 1 === 2) return cc & 1 ? this.not(this.zf()) : this.zf();
    const compare = this.#comparison(cc);
    if (compare === undefined) return super.condition(cc);
    const simple = this.eq(this.load("i32.load", this.base(), at("flagKind")), KIND.subtract);
    return this.choose(simple, compare, () => super.condition(cc));
  }

  #comparison(cc: number): (() => Expr) | undefined {
    const a = (): Expr => this.load("i64.load", this.base(), at("flagA"));
    const b = (): Expr => this.load("i64.load", this.base(), at("flagB"));
    const result = (): Expr => this.load("i64.load", this.base(), at("flagResult"));
    // oxfmt-ignore
    switch (cc) {
      case 2: return () => this.ltU(a(), b());
      case 3: return () => this.geU(a(), b());
      case 6: return () => this.leU(a(), b());
      case 7: return () => this.gtU(a(), b());
      case 8: return () => this.ltS(result(), 0n);
      case 9: return () => this.geS(result(), 0n);
      case 12: return () => this.ltS(a(), b());
      case 13: return () => this.geS(a(), b());
      case 14: return () => this.leS(a(), b());
      case 15: return () => this.gtS(a(), b());
      default: return undefined;
    }
  }

  // ── branches ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Branches look at CS's base and limit, which the record of a target says nothing about. */
  #requireFlat(): void {
    if (!this.long) this.br(this.#labels.cold, this.eq(this.#view, this.add(this.base(), VIEW.none)));
  }

  override nextIp(): Expr {
    const next = this.add(this.linear(), this.load("i64.load8_u", this.record(), RECORD.len));
    return this.long ? next : this.and(next, 0xffff_ffffn);
  }

  override relativeTarget(width: number): Expr {
    assert(width >= 32, "branches of 16 bits are not hot");
    if (this.#shape === 1) return this.branchTarget(this.zext(this.add(this.state64("ripPage"), this.imm()), width));
    this.#requireFlat();
    const linked = this.load("i32.load", this.record(), RECORD.target);
    this.br(this.#labels.cold, this.not(linked));
    return linked;
  }

  /** The target's record, when the jump cache knows it. */
  override branchTarget(linear: Expr): Expr {
    this.#requireFlat();
    const slot = jumpSlot(this, this.base(), linear);
    const key = this.xor(linear, this.state64("jumpTag"));
    this.br(this.#labels.cold, this.ne(this.load("i64.load", slot, JUMP_CACHE), key));
    const record = this.load("i32.load", slot, JUMP_CACHE + 8);
    this.#linearOfTarget.set(record, linear);
    return record;
  }

  override branch(target: Expr): void {
    const budget = { type: "i32", index: 3 } as const;
    const linear = this.#linearOfTarget.get(target);
    // The target may stand in the middle of a block: what is before it there has not been executed.
    const left = this.sub(this.get(budget), this.load("i32.load16_u", this.record(), RECORD.n));
    this.set(budget, this.sub(this.add(left, this.load("i32.load16_u", target, RECORD.n)), 1));
    if (linear) this.setState64("ripPage", this.and(linear, ~0xfffn));
    this.#ip(target);
    this.br(this.#labels.out, this.ltS(left, 0));
    this.br(this.#labels.again);
  }

  override next(): void {
    this.#ip(this.add(this.record(), RECORD.size));
    this.br(this.#labels.again);
  }

  override fault(): void {
    this.br(this.#labels.cold);
  }

  override checkFault(): void {
    // Routines that a hot body calls do not fault.
  }
}
