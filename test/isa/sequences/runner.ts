// Runs sequences on one of Nido's engines and says what they came to.
import type { ProgramGenerator } from "../../../src/cpu/engine/generator.ts";
import type { Processor } from "../../../src/cpu/engine/processor.ts";
import { ROUTINE } from "../../../src/cpu/engine-calls.ts";
import { TLB } from "../../../src/cpu/engine/layout.ts";
import { ARITHMETIC } from "../../../src/cpu/mmu/control.ts";
import { at, type StateName, X87, XMM } from "../../../src/cpu/state.ts";
import { Prng } from "../prng.ts";
import { Board } from "./board.ts";
import { changedPages, type Ending, type Raised, STATE_BYTES } from "./ending.ts";
import type { Assembled } from "./program.ts";
import type { Schedule, Sequence, Start } from "./sequence.ts";
import { CODE_BYTES, codeBase, DATA, dataBase, type Mapping, otherBase, SPARE, STATE_BASE } from "./space.ts";
import { FIRST_DATA_PAGE, StartPages } from "./start.ts";
import { makeWorlds, type World, worldName } from "./worlds.ts";

const MOST_INSTRUCTIONS = 6000;
/** Exceptions behind which a sequence goes on. */
const MOST_RAISED = 4;
const BP = 3;
const TF = 0x100n;
/** Bit 1 of EFLAGS, which the state need not hold. */
const ALWAYS_SET = 2;
const UNHURRIED: Schedule = { budget: MOST_INSTRUCTIONS, interrupts: false, kicks: false, cold: true, rewrite: "none" };
const SPARE_PAGE: number = SPARE >> 12;

/** What is not pending, half-way or blocked when a run begins. */
const CLEARED: readonly number[] = (
  [
    "fault",
    "faultCode",
    "halted",
    "shadow",
    "nmiPending",
    "nmiBlocked",
    "attention",
    "initialized",
    "debugHits",
    "exit",
    "stepping",
    "resumeFresh",
    "lookedUp",
    "sseFlags",
    "floatHead",
    "floatRaised",
  ] satisfies StateName[]
).map((name) => STATE_BASE + at(name as StateName));

/** Where the processor looks for a run's code and data, other than the device: linear addresses relative to the windows. */
const CODE_OFFSETS: readonly number[] = [0, 0x1000, 0x2000];
const DATA_OFFSETS: readonly number[] = [0, 0x1000, DATA.readOnly, DATA.stack, DATA.stack + 0x1000, DATA.private];

/** One run: what of it is not in the processor. */
interface Run {
  readonly sequence: Sequence;
  readonly start: Start;
  readonly code: Assembled;
  readonly world: World;
}

/** In the middle of a run something else is to be done once. */
export interface Interlude {
  /** Instructions after which it is done. */
  readonly after: number;
  readonly act: () => void;
}

/** Runs starts of sequences, one after the other. */
export class SequenceRunner {
  readonly board: Board;
  readonly #processor: Processor;
  readonly #worlds: ReadonlyMap<string, World>;
  readonly #pages = new StartPages();
  readonly #state: Uint8Array;
  /** What the spare page was, while it is mapped. */
  #spare: Uint8Array | undefined;
  /** The run before has written over tables, which have been put back since. */
  #wentAstray = false;
  #chance = new Prng(0);

  constructor(kind: "evaluator" | "translator", program: ProgramGenerator) {
    this.board = new Board(kind, program);
    this.#processor = this.board.processor;
    this.#worlds = makeWorlds(this.board);
    this.#state = this.board.memory.u8.subarray(STATE_BASE, STATE_BASE + STATE_BYTES);
  }

  worldOf({ program: { mode } }: Sequence, { cpl, segments }: Start): World {
    return this.#worlds.get(worldName(mode, cpl, segments))!;
  }

  /** Instructions executed in regions so far. */
  get inRegions(): number {
    return Number(this.#processor.context.get64("regionInstructions"));
  }

  // ── memory ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Puts a slot's memory as a start finds it. The engine is told of code only where it changes. */
  place({ slot }: Sequence, start: Start, code: Uint8Array): void {
    this.#pages.fill(start.state);
    const now = this.board.pages(slot);
    for (let page = FIRST_DATA_PAGE; page < SPARE_PAGE; page++) now[page]!.set(this.#pages.pages[page]!);
    this.writeCode(slot, code, false);
  }

  /** Writes code that is not there yet, or all of it. */
  writeCode(slot: number, code: Uint8Array, always: boolean): void {
    this.#pages.takeCode(code);
    const now = this.board.pages(slot);
    for (let page = 0; page < CODE_BYTES >> 12; page++) {
      const wanted = this.#pages.pages[page]!;
      if (always || Buffer.compare(now[page]!, wanted) !== 0) this.board.writePage(slot, page, wanted);
    }
  }

  /** Maps one of the sequence's code pages otherwise, or as it was; the spare page holds `code` then. */
  remap({ slot }: Sequence, page: number, how: Mapping, code?: Uint8Array): void {
    if (code) this.board.writePage(slot, SPARE_PAGE, code);
    this.#spare = how === "spare" ? code : undefined;
    this.board.space.remap(slot, page, how);
    this.flushTlb();
  }

  /** Forgets all translations of addresses. */
  flushTlb(): void {
    this.#processor.registers.commit();
  }

  /** Lets the processor know the pages of a start, as a program that has run for a while does. A page of code may be missing. */
  warm(sequence: Sequence, start: Start, except?: number): void {
    this.#load(sequence, start, 0);
    const { view } = this.worldOf(sequence, start);
    const [code, data] = windowsOf(sequence, start);
    const { context } = this.#processor;
    for (const offset of CODE_OFFSETS)
      if (offset !== except && !this.#isKnown(view, code + offset, TLB.execute)) context.call(ROUTINE.codeHost, BigInt(code + offset));
    for (const offset of DATA_OFFSETS)
      if (!this.#isKnown(view, data + offset, TLB.read)) context.call(ROUTINE.load[1], view, BigInt(data + offset));
  }

  #isKnown(view: number, linear: number, tag: number): boolean {
    const entry = view + ((linear >>> 12) & (TLB.entries - 1)) * TLB.size;
    return this.board.memory.view.getUint32(entry + tag, true) === linear;
  }

  // ── execution ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #load(s: Sequence, start: Start, entry: number): World {
    const { context } = this.#processor;
    if (this.#wentAstray) this.flushTlb();
    this.#wentAstray = false;
    const { u8, view } = this.board.memory;
    const world = this.worldOf(s, start);
    for (const { at: to, bytes } of world.parts) u8.set(bytes, to);
    const { state } = start;
    for (let i = 0; i < 16; i++) view.setBigUint64(STATE_BASE + i * 8, state.gpr[i]!, true);
    u8.set(state.xmm, STATE_BASE + XMM);
    u8.set(state.x87, STATE_BASE + X87);
    const [code, data] = windowsOf(s, start);
    if (s.program.mode === 64) for (const name of ["fsBase", "gsBase"] as const) context.set64(name, BigInt(data));
    for (const name of ["mxcsr", "fcw", "ftop", "ftw"] as const) context.set32(name, state[name]);
    context.set32("fsw", 0);
    context.set64("rip", BigInt(code + entry - world.codeShift));
    for (const slot of CLEARED) view.setUint32(slot, 0, true);
    context.set32("cpl", start.cpl);
    context.call(ROUTINE.setArithmetic, state.rflags & ARITHMETIC);
    context.set32("eflags", state.rflags & ~ARITHMETIC);
    this.#processor.setInterruptLine(false);
    context.refresh();
    this.board.devices.hash = s.seed | 0;
    this.board.devices.isInterrupting = start.interrupting;
    return world;
  }

  /** Runs a start, whose memory is in place, to its end. What is given is true until the next run. */
  run(sequence: Sequence, start: Start, code: Assembled, schedule: Schedule = UNHURRIED, interlude?: Interlude): Ending {
    const world = this.#load(sequence, start, code.entry);
    const run: Run = { sequence, start, code, world };
    this.#chance = new Prng(sequence.seed ^ 0x1e55);
    const first = this.#processor.instructions;
    const raised: Raised[] = [];
    let left = interlude;
    for (;;) {
      const executed = this.#processor.instructions - first;
      if (left && executed >= left.after) {
        left.act();
        left = undefined;
      }
      const exit = this.#slice(schedule, left ? left.after - executed : Infinity);
      if (exit === "shutdown") return this.#end(run, "shutdown", raised, first);
      if (this.#processor.instructions - first > MOST_INSTRUCTIONS) return this.#end(run, "timeout", raised, first);
      if (exit !== "halt") continue;
      if (!this.#goOn(run, raised)) return this.#end(run, "done", raised, first);
    }
  }

  #slice({ budget, interrupts, kicks }: Schedule, most: number): string {
    const p = this.#chance;
    if (interrupts && p.chance(30)) {
      if (p.chance(15)) this.#processor.nmi();
      else this.#processor.setInterruptLine(true);
    }
    if (kicks && p.chance(30)) this.#processor.kick();
    const hurried = budget < MOST_INSTRUCTIONS ? p.between(1, budget) : MOST_INSTRUCTIONS;
    return this.#processor.run(Math.max(1, Math.min(hurried, most)));
  }

  /** Notes the exception whose handler halted, and lets the sequence go on behind the instruction; false when this is its end. */
  #goOn({ sequence, start, code: { starts }, world }: Run, raised: Raised[]): boolean {
    const { context } = this.#processor;
    const { space, memory } = this.board;
    const vector = space.vectorAt(context.get64("rip"));
    if (vector < 0) return false;
    const found = space.frame(vector, context.get64("rsp"));
    if (!found) return false;
    const { frame, error } = found;
    const rip = memory.readUint64(frame);
    const rflags = memory.readUint64(frame + 16);
    raised.push({ vector, error, rip, rsp: memory.readUint64(frame + 24), rflags, cr2: vector === 14 ? context.get64("cr2") : 0n });
    if (vector === BP || raised.length > MOST_RAISED) return false;
    const base = this.#baseAround(sequence, start, Number(rip) + world.codeShift) - world.codeShift;
    const offset = Number(rip) - base;
    const isTrap = vector === 1 || vector === 4;
    const next = offset < 0 ? undefined : starts.find((at) => (isTrap ? at >= offset : at > offset));
    if (next === undefined) return false;
    memory.writeUint64(frame, BigInt(base + next));
    memory.writeUint64(frame + 16, rflags & ~TF);
    context.set32("halted", 0);
    return true;
  }

  /** That of the two addresses of the code around which a linear address is. */
  #baseAround({ slot }: Sequence, { isAliased }: Start, linear: number): number {
    const base = codeBase(slot);
    const [own, other] = isAliased ? [otherBase(base), base] : [base, otherBase(base)];
    return linear >= other && linear < other + CODE_BYTES ? other : own;
  }

  #end({ sequence: { slot } }: Run, kind: Ending["kind"], raised: readonly Raised[], first: number): Ending {
    const { context, registers } = this.#processor;
    const { space } = this.board;
    this.#wentAstray = space.putBack();
    return {
      kind,
      raised,
      rflags: (context.call(ROUTINE.getArithmetic) as number) | context.get32("eflags") | ALWAYS_SET,
      state: this.#state,
      pages: changedPages(this.board.pages(slot), this.before(slot)),
      devices: this.board.devices.hash,
      retired: this.#processor.instructions - first,
      isAtHome: !this.#wentAstray && space.isInForce(registers),
    };
  }

  /** What the slot's pages were; the spare one is no one's to change unless it is mapped. */
  before(slot: number): readonly Uint8Array[] {
    const before = this.#pages.pages;
    before[SPARE_PAGE] = this.#spare ?? this.board.pages(slot)[SPARE_PAGE]!;
    return before;
  }
}

/** Linear addresses of a start's code and data windows. */
export function windowsOf({ slot }: Sequence, { isAliased }: Start): readonly [code: number, data: number] {
  const [code, data] = [codeBase(slot), dataBase(slot)];
  return isAliased ? [otherBase(code), otherBase(data)] : [code, data];
}
