// The vocabulary with the x87 stack known along straight lines (x87-line.ts): what a meaning loads of it is often an expression already,
// and what it asks of tags has been asked before.
//
// Meanings find a register by base + 16 ((TOP + i) & 7), a tag by a shift of the tags (isa/x87/stack.ts). Expressions of these forms
// are recognized as they are made.
import type { Expr, Label, Routine, Type } from "../ir/types.ts";
import { at, X87 } from "../state.ts";
import { FlagSem } from "./flag-sem.ts";
import { endsInJump } from "./kept-sem.ts";
import { X87Line } from "./x87-line.ts";

const SLOT = { top: at("ftop"), tags: at("ftw"), status: at("fsw") } as const;
const SLOTS: ReadonlySet<number> = new Set(Object.values(SLOT));

/**
 * What an expression stands for, of register `n`: its physical number and one that is not cut to three bits yet, 16 times that, its
 * address, its place in the tags and all others, the tags from its own on, its tag and the opposite, the tags with it and without it.
 */
interface Form {
  readonly kind: "number" | "sum" | "scaled" | "address" | "bit" | "others" | "shifted" | "full" | "empty" | "filled" | "cleared";
  readonly n: number;
  /** TOP where the line began: forms of another line mean nothing. */
  readonly first: Expr;
}

type Num = number | bigint;

const constant = (e: Expr | Num): number | undefined =>
  typeof e === "object" ? (e.op === "const" && e.type === "i32" ? Number(e.imm) : undefined) : Number(e);

/** FlagSem with the x87 stack. */
export abstract class X87Sem extends FlagSem {
  #line: X87Line | undefined;
  readonly #forms = new Map<Expr, Form>();
  /** How often the stack has been changed. */
  #changes = 0;

  /** Leaves at the instruction's own address when `c`. */
  abstract atInstruction(c?: Expr): void;

  #note(e: Expr, kind: Form["kind"], n: number): Expr {
    const first = this.#line?.first;
    if (first && e.op !== "const") this.#forms.set(e, { kind, n, first });
    return e;
  }

  #form(e: Expr | Num, kind: Form["kind"]): number | undefined {
    if (this.#forms.size === 0 || typeof e !== "object") return undefined;
    const form = this.#forms.get(e);
    return form && form.kind === kind && form.first === this.#line?.first ? form.n : undefined;
  }

  protected override beginInstruction(): void {
    super.beginInstruction();
    if (this.#forms.size > 0) this.#forms.clear();
  }

  // ── lines ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Forgets the stack: something else may have changed it. */
  protected forgetStack(): void {
    this.#line = undefined;
  }

  protected override forgetValues(): void {
    super.forgetValues();
    this.forgetStack();
  }

  protected override nested(body: () => unknown): ReturnType<FlagSem["nested"]> {
    const line = this.#line;
    const changes = this.#changes;
    this.#line = line?.copy();
    const list = super.nested(body);
    this.#line = this.#changes === changes || endsInJump(list) ? line : undefined;
    return list;
  }

  override loop(body: Parameters<FlagSem["loop"]>[0]): void {
    this.forgetStack();
    super.loop(body);
    this.forgetStack();
  }

  protected override isInlined(routine: Routine): boolean {
    return routine.inlined !== "never" || super.isInlined(routine);
  }

  /** A routine that touches nothing that is kept becomes part of the line when its one return stands at its end. */
  protected override inline(routine: Routine, args: readonly Expr[]): Expr {
    if (routine.inlined === "never") return super.inline(routine, args);
    const line = this.#line?.copy();
    const changes = this.#changes;
    const label: Label = { kind: "block" };
    const result = this.declare(routine.result as Type);
    const returned: Expr[] = [];
    const returns = (e: Expr | undefined): void => {
      if (e) super.set(result, e);
      if (e) returned.push(e);
      this.br(label);
    };
    const list = this.collect(() => this.returning(returns, () => routine.build(this, ...args)));
    const [first] = returned;
    const last = list.at(-1);
    if (first && returned.length === 1 && last?.k === "br" && last.label === label) {
      this.append(list.slice(0, -2));
      return first;
    }
    this.append([{ k: "block", label, body: list }]);
    this.#line = this.#changes === changes ? line : undefined;
    return first && returned.every(({ op, imm }) => op === "const" && imm === first.imm) ? first : this.get(result);
  }

  // ── state ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  override load(op: string, addr: Expr, offset = 0): Expr {
    if (addr === this.base() && SLOTS.has(offset)) return this.#loadSlot(op, addr, offset);
    const line = this.#line;
    const n = this.#form(addr, "address");
    if (!line || n === undefined) return super.load(op, addr, offset);
    const known = offset === X87 ? line.significands : line.heads;
    return (known[n] ??= super.load(op, addr, offset));
  }

  #loadSlot(op: string, addr: Expr, offset: number): Expr {
    const line = (this.#line ??= new X87Line());
    if (offset === SLOT.tags) return (line.tags ??= super.load(op, addr, offset));
    if (offset === SLOT.status) return (line.status ??= super.load(op, addr, offset));
    line.first ??= line.names[0] = super.load(op, addr, offset);
    return this.#name(line, line.first, line.distance);
  }

  /** Physical number of the line's register `n`. */
  #name(line: X87Line, first: Expr, n: number): Expr {
    const e = (line.names[n] ??= super.and(super.add(first, n), 7));
    return this.#note(e, "number", n);
  }

  override store(op: string, addr: Expr, e: Expr, offset = 0): void {
    if (addr !== this.base() || !SLOTS.has(offset)) return super.store(op, addr, e, offset);
    if (this.isDead || (offset === SLOT.tags && this.#isKnownTag(e))) return;
    this.#changes++;
    this.noteChange();
    this.storeSlot(op, offset, e);
    const line = (this.#line ??= new X87Line());
    if (offset === SLOT.status) line.status = this.and(e, 0xffff);
    else if (offset === SLOT.tags) this.#noteTags(line, e);
    else this.#noteTop(line, e);
  }

  #noteTop(line: X87Line, e: Expr): void {
    const n = this.#form(e, "number");
    if (n === undefined) this.forgetStack();
    else line.distance = n;
  }

  /** Whether the tags that are stored are the ones that are there. */
  #isKnownTag(e: Expr): boolean {
    const { full, empty } = this.#line ?? { full: 0, empty: 0 };
    const [filled, cleared] = [this.#form(e, "filled"), this.#form(e, "cleared")];
    if (filled !== undefined) return ((full >> filled) & 1) !== 0;
    return cleared !== undefined && ((empty >> cleared) & 1) !== 0;
  }

  #noteTags(line: X87Line, e: Expr): void {
    const [filled, cleared] = [this.#form(e, "filled"), this.#form(e, "cleared")];
    line.tags = this.and(e, 0xff);
    if (filled !== undefined) line.fill(filled);
    else if (cleared !== undefined) line.clear(cleared);
    else line.forgetTags();
  }

  protected override storeElsewhere(op: string, addr: Expr, e: Expr, offset: number): void {
    super.storeElsewhere(op, addr, e, offset);
    this.#changes++;
    const line = this.#line;
    const n = this.#form(addr, "address");
    if (!line || n === undefined) return this.forgetStack();
    if (offset === X87) line.significands[n] = e;
    else line.heads[n] = this.and(e, 0xffff);
  }

  override unlikely(c: Expr): Expr {
    if (c.op === "const" && Number(c.imm) === 0) return c;
    this.atInstruction(c);
    const [full, empty] = [this.#form(c, "full"), this.#form(c, "empty")];
    if (full !== undefined) this.#line?.clear(full);
    if (empty !== undefined) this.#line?.fill(empty);
    return this.i32(0);
  }

  // ── forms ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  override add(a: Expr, b: Expr | Num): Expr {
    const e = super.add(a, b);
    if (this.#forms.size === 0) return e;
    const n = this.#form(a, "number");
    const by = constant(b);
    if (n !== undefined && by !== undefined) return this.#note(e, "sum", n + by);
    const scaled = a === this.base() ? this.#form(b, "scaled") : undefined;
    return scaled === undefined ? e : this.#note(e, "address", scaled);
  }

  override sub(a: Expr, b: Expr | Num): Expr {
    const e = super.sub(a, b);
    const n = this.#form(a, "number");
    const by = n === undefined ? undefined : constant(b);
    return n !== undefined && by !== undefined ? this.#note(e, "sum", n - by) : e;
  }

  override and(a: Expr, b: Expr | Num): Expr {
    const line = this.#line;
    if (!line?.first || this.#forms.size === 0) return super.and(a, b);
    const n = this.#form(a, "sum") ?? this.#form(a, "number");
    if (n !== undefined && constant(b) === 7) return this.#name(line, line.first, n & 7);
    const tag = this.#form(a, "shifted");
    if (tag !== undefined && constant(b) === 1) return this.#tag(line, tag, super.and(a, b));
    const others = a === line.tags ? this.#form(b, "others") : undefined;
    return others === undefined ? super.and(a, b) : this.#note(super.and(a, b), "cleared", others);
  }

  #tag({ full, empty }: X87Line, n: number, e: Expr): Expr {
    if (((full | empty) >> n) & 1) return this.i32((full >> n) & 1);
    return this.#note(e, "full", n);
  }

  override or(a: Expr, b: Expr | Num): Expr {
    const e = super.or(a, b);
    const n = a === this.#line?.tags ? this.#form(b, "bit") : undefined;
    return n === undefined ? e : this.#note(e, "filled", n);
  }

  override xor(a: Expr, b: Expr | Num): Expr {
    const e = super.xor(a, b);
    const n = this.#form(a, "bit");
    return n !== undefined && constant(b) === -1 ? this.#note(e, "others", n) : e;
  }

  override shl(a: Expr, b: Expr | Num): Expr {
    const e = super.shl(a, b);
    if (this.#forms.size === 0) return e;
    const n = this.#form(a, "number");
    if (n !== undefined && constant(b) === 4) return this.#note(e, "scaled", n);
    const bit = constant(a) === 1 ? this.#form(b, "number") : undefined;
    return bit === undefined ? e : this.#note(e, "bit", bit);
  }

  override shrU(a: Expr, b: Expr | Num): Expr {
    const e = super.shrU(a, b);
    const n = a === this.#line?.tags ? this.#form(b, "number") : undefined;
    return n === undefined ? e : this.#note(e, "shifted", n);
  }

  override not(a: Expr): Expr {
    const e = super.not(a);
    const n = this.#form(a, "full");
    return n === undefined ? e : this.#note(e, "empty", n);
  }
}
