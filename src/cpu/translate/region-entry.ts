// What a region finds in the record that it is entered with, and what has to be as it was when the region was made; else the entry's own
// instruction is executed by a copy of its record.
import type { Expr, Label, Stmt, Variable } from "../ir/types.ts";
import { ENTRY_USED, RECORD } from "../engine/layout.ts";
import { codePage } from "../engine/lookup.ts";
import { SEEN } from "../engine/region-shape.ts";
import { SEG, type World } from "../isa/sem.ts";
import { at as slot, SEG_BASE } from "../state.ts";
import type { RegionGraph } from "./graph.ts";
import { RegionSem, type StatePlace } from "./region-sem.ts";

/** RegionSem with a region's entry. */
export abstract class EntrySem extends RegionSem {
  readonly #pages: RegionGraph["pages"];
  /** The region's end; `nextRecord` is the result. */
  protected readonly done: Label = { kind: "block" };
  protected readonly nextRecord: Variable = { type: "i32", index: 0 };
  /** The entry's record, before `nextRecord` is anything else; the copy of what it was; the map, with the records of called instructions behind it. */
  protected readonly entryRecord: Expr;
  protected readonly entryCopy: Expr;
  protected readonly side: Expr;
  /** Linear address of the entry's page relative to the origin, and of the origin. */
  protected readonly page: Expr;
  protected readonly origin: Expr;

  constructor(world: World, place: StatePlace, pages: RegionGraph["pages"]) {
    super(world, place);
    this.#pages = pages;
    this.entryRecord = this.get(this.nextRecord);
    this.entryCopy = super.load("i32.load", this.entryRecord, RECORD.target);
    this.side = super.load("i32.load", this.entryRecord, RECORD.disp);
    this.page = super.load("i32.load", this.entryRecord, RECORD.imm + 4);
    this.origin = this.sub(this.loadSlot("i64.load", slot("ripPage")), this.extS(this.page));
  }

  protected override linearOfDelta(delta: number): Expr {
    return this.add(this.origin, BigInt(delta));
  }

  /** Counts a way out. */
  protected count(name: "regionMemoryExits" | "regionInstructionExits" | "regionHandlerExits" | "regionRefusals"): void {
    this.storeSlot("i64.store", slot(name), this.add(this.loadSlot("i64.load", slot(name)), 1n));
  }

  /** Leaves to the entry's copy unless everything is as it was when the region was made. */
  protected checks(): Stmt[] {
    return this.collect(() => {
      this.store("i32.store8", this.entryCopy, this.i32(1), RECORD.size + ENTRY_USED);
      this.set(this.nextRecord, this.entryCopy);
      if (this.place.view !== undefined) this.if(this.isOtherView(this.place.view), () => this.#refuseOften());
      this.#checkPages();
      const { flat, unlimited } = this.segments;
      const limited = [
        ...Array.from(flat, (segment) => this.not(this.#isUnlimited(segment, true))),
        ...Array.from(unlimited, (segment) => this.not(this.#isUnlimited(segment, false))),
      ];
      this.#refuseIf(limited);
    });
  }

  /** To the entry's copy when one of these holds. */
  #refuseIf(conditions: readonly Expr[]): void {
    if (conditions.length === 0) return;
    const any = conditions.reduce((all, one) => this.or(all, one));
    this.if(any, () => this.#refuse());
  }

  protected isOtherView(view: number): Expr {
    return this.ne(this.loadSlot("i32.load", slot("tlbView")), view);
  }

  /** To the entry's copy; when that happens again and again, the region is of no use there. */
  #refuseOften(): void {
    this.store("i32.store", this.side, this.add(this.load("i32.load", this.side, SEEN.refusals), 1), SEEN.refusals);
    this.#refuse();
  }

  #refuse(): void {
    this.count("regionRefusals");
    this.br(this.done);
  }

  /** As long as the jump cache holds what it held, its addresses lead where they led. */
  #checkPages(): void {
    // The entry's own page is where its record was decoded.
    if (this.#pages.length < 2) return;
    const tag = this.loadSlot("i64.load", slot("jumpTag"));
    const seen = (offset: number): Expr => this.load("i64.load", this.side, offset);
    const isKnown = this.and(this.eq(seen(SEEN.tag), tag), this.eq(seen(SEEN.origin), this.origin));
    this.if(this.not(isKnown), () => {
      const here: Label = { kind: "block" };
      const elsewhere: Label = { kind: "block" };
      const looked = this.nested(() => {
        for (const [n, { pages: distance }] of this.#pages.entries()) this.br(elsewhere, this.#isElsewhere(distance, n));
        this.store("i32.store", this.side, this.i32(0), SEEN.refusals);
        this.store("i64.store", this.side, tag, SEEN.tag);
        this.store("i64.store", this.side, this.origin, SEEN.origin);
        this.br(here);
      });
      const refused = this.nested(() => {
        this.append([{ k: "block", label: elsewhere, body: looked }]);
        this.#refuseOften();
      });
      this.append([{ k: "block", label: here, body: refused }]);
    });
  }

  #isElsewhere(pages: number, n: number): Expr {
    const linear = this.linearOfDelta(pages << 12);
    const wrapped = this.long ? linear : this.zext(linear, 32);
    const host = this.load("i32.load", this.side, SEEN.hosts + 4 * n);
    return this.ne(this.callDirectly(codePage, this.base(), wrapped), host);
  }

  /** Present, expand-up, writable data (code: any) without limit (SDM 3A §3.4.5.1), and, when asked, from address 0 on. */
  #isUnlimited(segment: number, flat: boolean): Expr {
    const part = (name: "esLimit" | "esAccess"): Expr => this.loadSlot("i32.load", slot(name) + segment * 4);
    let e = this.eq(part("esLimit"), -1);
    if (segment !== SEG.cs) e = this.and(e, this.eq(this.and(part("esAccess"), 0x8e), 0x82));
    return flat ? this.and(e, this.not(this.loadSlot("i64.load", SEG_BASE + segment * 8))) : e;
  }
}
