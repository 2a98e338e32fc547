// Runs sequences on one of Nido's engines and says what they came to.
import { ProgramGenerator } from "../../../src/cpu/engine/generator.ts";
import { memoryLayout, Processor } from "../../../src/cpu/engine/processor.ts";
import { ROUTINE } from "../../../src/cpu/engine-calls.ts";
import type { CpuHost } from "../../../src/cpu/engine/engine.ts";
import type { TranslatorClient } from "../../../src/cpu/engine/translation.ts";
import type { RegionRequest } from "../../../src/cpu/engine/translation.ts";
import { RegionTranslator } from "../../../src/cpu/translate/translator.ts";
import { ARITHMETIC } from "../../../src/cpu/mmu/control.ts";
import { at, type StateName, X87, XMM } from "../../../src/cpu/state.ts";
import { GuestMemory } from "../../../src/memory/guest-memory.ts";
import { NO_DEVICES } from "../../../src/testing/no-devices.ts";
import { Prng } from "../prng.ts";
import type { Assembled } from "./program.ts";
import { fillData, type Schedule, type Sequence } from "./start.ts";
import {
  CODE_BYTES,
  codeBase,
  dataBase,
  DEVICE_PHYSICAL,
  RAM_BYTES,
  SELECTOR,
  SLOT_BYTES,
  slotOffset,
  Space,
  SPARE,
  STATE_BASE,
} from "./space.ts";

/** An exception that was raised on the way. */
export interface Raised {
  readonly vector: number;
  readonly error: number | undefined;
  readonly rip: bigint;
  readonly rsp: bigint;
  readonly rflags: bigint;
  readonly cr2: bigint;
}

/** How a run ended, and all it left. */
export interface Ending {
  readonly kind: "done" | "shutdown" | "timeout";
  readonly raised: readonly Raised[];
  readonly rflags: number;
  /** The processor's state up to the scratch area, and the slot's memory. */
  readonly state: Uint8Array;
  readonly memory: Uint8Array;
  /** What devices were told, as a hash. */
  readonly devices: number;
  readonly retired: number;
  /** Interrupts return at once up to the end: the sequence has not turned paging off, nor taken other tables. */
  readonly isAtHome: boolean;
}

const STATE_BYTES = 0x680;
/** Parts of the state that every run begins with anew: segment bases, control registers and segments. */
const RESTORED: readonly (readonly [from: number, to: number])[] = [
  [0x80, 0xd0],
  [0x200, at("debugCtl") + 8],
  [0x600, 0x680],
];
const MOST_INSTRUCTIONS = 6000;
/** Exceptions behind which a sequence goes on. */
const MOST_RAISED = 4;
const BP = 3;
const TF = 0x100n;
/** Bit 1 of EFLAGS, which the state need not hold. */
const ALWAYS_SET = 2;
const UNHURRIED: Schedule = { budget: MOST_INSTRUCTIONS, interrupts: false, kicks: false, cold: true, rewrite: "none", inner: 0, late: 0 };

/** Bytes of memory in which nothing is: how often they are read, as code is by each engine in its own way, is not to be seen. */
function nothingAt(address: number, bytes: number): number {
  let value = 0;
  for (let i = 0; i < bytes; i++) value |= (Math.imul(address + i, 0x9e37_79b1) >>> 24) << (i * 8);
  return value >>> 0;
}

const isDevice = (address: number): boolean => address >= DEVICE_PHYSICAL && address < DEVICE_PHYSICAL + 0x1000;

/** Answers that depend on what was asked before only. */
class Devices {
  hash = 0;

  note(...values: readonly number[]): number {
    for (const value of values) this.hash = (Math.imul(this.hash ^ value, 0x0100_0193) + 0x9e37) | 0;
    return this.hash >>> 0;
  }
}

/** One processor with the slots of a space. */
export class SequenceRunner {
  readonly processor: Processor;
  readonly #memory: GuestMemory;
  readonly #space: Space;
  readonly #devices = new Devices();
  readonly #worlds = new Map<string, Uint8Array>();
  readonly #translator: RegionTranslator | undefined;
  #client: TranslatorClient | undefined;
  #chance = new Prng(0);
  /** Memory of the slots at the start; code, which comes first, is not in it. */
  readonly #images: Uint8Array[] = [];

  constructor(kind: "evaluator" | "translator", program: ProgramGenerator) {
    this.#memory = new GuestMemory(RAM_BYTES, memoryLayout(1, RAM_BYTES).ramBase);
    this.#space = new Space(this.#memory);
    this.#translator = kind === "translator" ? new RegionTranslator(program) : undefined;
    this.processor = new Processor({
      program: kind === "evaluator" ? program.evaluator() : program.interpreter(),
      memory: this.#memory,
      host: this.#host(),
      translator: this.#translator
        ? (client) => {
            this.#client = client;
            return { request: (requests) => client.done(requests) };
          }
        : undefined,
    });
    this.#makeWorlds();
  }

  #host(): CpuHost {
    const d = this.#devices;
    return {
      ...NO_DEVICES,
      portRead: (port, width) => d.note(1, port, width),
      portWrite: (port, width, value) => void d.note(2, port, width, value),
      mmioRead: (address, width) => (isDevice(address) ? d.note(3, address, width) : nothingAt(address, width)),
      mmioWrite: (address, width, value) => void d.note(4, address, width, value),
      acknowledgeInterrupt: () => {
        this.processor.setInterruptLine(false);
        return 0x30 + this.#chance.below(8);
      },
    };
  }

  // ── states ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The state of each mode and privilege before any sequence. */
  #makeWorlds(): void {
    const { registers, context } = this.processor;
    for (const mode of [64, 32] as const) {
      for (const cpl of [3, 0] as const) {
        this.#space.enter(registers);
        const code =
          mode === 64 ? (cpl === 3 ? SELECTOR.userCode : SELECTOR.kernelCode) : cpl === 3 ? SELECTOR.userCode32 : SELECTOR.kernelCode32;
        const rights = 0x9b | (cpl << 5) | (mode === 64 ? 0xa000 : 0xc000);
        registers.setSegment("cs", { selector: code, base: 0n, limit: 0xffff_ffff, access: rights });
        const data = { selector: SELECTOR.userData, base: 0n, limit: 0xffff_ffff, access: 0xc0f3 };
        for (const name of ["es", "ds", "fs", "gs"] as const) registers.setSegment(name, data);
        registers.setSegment("ss", cpl === 3 ? data : { ...data, selector: SELECTOR.kernelData, access: 0xc093 });
        registers.commit();
        this.#worlds.set(`${mode} ${cpl}`, this.#memory.u8.slice(context.base, context.base + STATE_BYTES));
      }
    }
  }

  #load(s: Sequence, entry: number): void {
    const { context, registers } = this.processor;
    const { u8 } = this.#memory;
    const { base } = context;
    const world = this.#worlds.get(`${s.program.mode} ${s.cpl}`)!;
    for (const [from, to] of RESTORED) u8.set(world.subarray(from, to), base + from);
    u8.set(new Uint8Array(s.start.gpr.buffer), base);
    u8.set(s.start.xmm, base + XMM);
    u8.set(s.start.x87, base + X87);
    if (s.program.mode === 64) for (const name of ["fsBase", "gsBase"] as const) context.set64(name, BigInt(dataBase(s.slot)));
    for (const name of ["mxcsr", "fcw", "ftop", "ftw"] as const) context.set32(name, s.start[name]);
    context.set64("rip", BigInt(codeBase(s.slot) + entry));
    const others: readonly StateName[] = [
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
      "fsw",
      "sseFlags",
      "floatHead",
      "floatRaised",
    ];
    for (const name of others) context.set32(name, 0);
    context.set32("cpl", s.cpl);
    context.call(ROUTINE.setArithmetic, s.start.rflags & ARITHMETIC);
    context.set32("eflags", s.start.rflags & ~ARITHMETIC);
    this.processor.setInterruptLine(false);
    registers.get("rip");
    context.refresh();
    this.#devices.hash = s.seed | 0;
    this.#space.clearStacks();
  }

  // ── memory ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Works out a slot's memory as the sequence finds it. */
  prepare(s: Sequence): void {
    const image = (this.#images[s.slot] ??= new Uint8Array(SLOT_BYTES));
    fillData(s, image);
  }

  /** Puts a slot's memory as the sequence finds it. The engine is told of code only where it changes. */
  place({ slot }: Sequence, code: Uint8Array): void {
    this.#memory.bytes(this.#space.slot(slot) + CODE_BYTES, SLOT_BYTES - CODE_BYTES).set(this.#images[slot]!.subarray(CODE_BYTES));
    this.writeCode(slot, code, false);
  }

  /** Writes code that is not there yet, or all of it. */
  writeCode(slot: number, code: Uint8Array, always: boolean): void {
    const from = this.#space.slot(slot);
    for (let page = 0; page < CODE_BYTES; page += 0x1000) {
      const wanted = code.subarray(page, page + 0x1000);
      const physical = from + slotOffset("code", page);
      if (always || Buffer.compare(wanted, this.#memory.bytes(physical, 0x1000)) !== 0) this.#memory.write(physical, wanted);
    }
  }

  /** Puts `code` into the spare page and that in place of one of the sequence's pages; without `code`, takes it back. */
  remap({ slot }: Sequence, page: number, code?: Uint8Array): void {
    if (code) this.#memory.write(this.#space.slot(slot) + SPARE, code);
    this.#space.remap(slot, page, code !== undefined);
    this.flushTlb();
  }

  flushTlb(): void {
    this.processor.registers.commit();
  }

  // ── translation ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Requests for regions that begin at offsets in a sequence's code. The TLB must know the code, as after a run. */
  requests(s: Sequence, offsets: readonly number[]): readonly RegionRequest[] {
    const { context } = this.processor;
    this.#load(s, 0);
    const [mode, view] = [context.get32("mode"), context.get32("tlbView")];
    return offsets.map((offset) => {
      const physical = this.#space.slot(s.slot) + slotOffset("code", offset);
      return { host: this.#memory.hostOffset(physical, 1), mode, linearPage: BigInt(codeBase(s.slot) + (offset & ~0xfff)), view };
    });
  }

  /** Translates at once. → regions got */
  translate(requests: readonly RegionRequest[]): number {
    const client = this.#client!;
    // With half of the sequences in mind all of a sequence's places are entries of one region.
    const hot = requests.map((r) => r.host * 8 + r.mode).filter((key) => (key / 0x1_0000) & 1);
    const batch = this.#translator!.translate(client.memory.buffer, client.base, requests, { hot });
    if (batch) client.accept(batch);
    return batch?.regions.length ?? 0;
  }

  // ── execution ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Runs a sequence, whose memory is in place, to its end. */
  run(s: Sequence, code: Assembled, schedule: Schedule = UNHURRIED): Ending {
    this.#load(s, code.entry);
    this.#chance = new Prng(s.seed ^ 0x1e55);
    const first = this.processor.instructions;
    const raised: Raised[] = [];
    let translated = schedule.late === 0;
    for (;;) {
      const executed = this.processor.instructions - first;
      if (!translated && executed >= schedule.late) {
        translated = true;
        this.#translateHere(s, code);
      }
      const exit = this.#slice(schedule, translated ? Infinity : schedule.late - executed);
      if (exit === "shutdown") return this.#end(s, "shutdown", raised, first);
      if (this.processor.instructions - first > MOST_INSTRUCTIONS) return this.#end(s, "timeout", raised, first);
      if (exit !== "halt") continue;
      if (!this.#goOn(s, code, raised)) return this.#end(s, "done", raised, first);
    }
  }

  #slice({ budget, interrupts, kicks }: Schedule, most: number): string {
    const p = this.#chance;
    if (interrupts && p.chance(30)) {
      if (p.chance(15)) this.processor.nmi();
      else this.processor.setInterruptLine(true);
    }
    if (kicks && p.chance(30)) this.processor.kick();
    const hurried = budget < MOST_INSTRUCTIONS ? p.between(1, budget) : budget;
    return this.processor.run(Math.max(1, Math.min(hurried, most)));
  }

  /** Translates the sequence in the middle of its run. */
  #translateHere(s: Sequence, code: Assembled): void {
    const { context } = this.processor;
    const [mode, view] = [context.get32("mode"), context.get32("tlbView")];
    if (context.get32("cpl") !== s.cpl || context.get32("mode") === 0) return;
    const offsets = [code.entry, ...code.labels.values()].slice(0, 4);
    this.translate(
      offsets.map((offset) => {
        const physical = this.#space.slot(s.slot) + slotOffset("code", offset);
        return { host: this.#memory.hostOffset(physical, 1), mode, linearPage: BigInt(codeBase(s.slot) + (offset & ~0xfff)), view };
      }),
    );
  }

  /** Notes the exception whose handler halted, and lets the sequence go on behind the instruction; false when this is its end. */
  #goOn(s: Sequence, { starts }: Assembled, raised: Raised[]): boolean {
    const { context } = this.processor;
    const vector = this.#space.vectorAt(context.get64("rip"));
    if (vector < 0) return false;
    const found = this.#space.frame(vector, context.get64("rsp"));
    if (!found) return false;
    const { frame, error } = found;
    const memory = this.#memory;
    const rip = memory.readUint64(frame);
    const rflags = memory.readUint64(frame + 16);
    raised.push({ vector, error, rip, rsp: memory.readUint64(frame + 24), rflags, cr2: vector === 14 ? context.get64("cr2") : 0n });
    const offset = Number(rip) - codeBase(s.slot);
    const isTrap = vector === 1 || vector === BP || vector === 4;
    const next = starts.find((start) => (isTrap ? start >= offset : start > offset));
    if (vector === BP || raised.length > MOST_RAISED || offset < 0 || next === undefined) return false;
    memory.writeUint64(frame, BigInt(codeBase(s.slot) + next));
    memory.writeUint64(frame + 16, rflags & ~TF);
    context.set32("halted", 0);
    return true;
  }

  #end(s: Sequence, kind: Ending["kind"], raised: readonly Raised[], first: number): Ending {
    const { context } = this.processor;
    const physical = this.#space.slot(s.slot);
    return {
      kind,
      raised,
      rflags: (context.call(ROUTINE.getArithmetic) as number) | context.get32("eflags") | ALWAYS_SET,
      state: this.#memory.u8.slice(STATE_BASE, STATE_BASE + STATE_BYTES),
      memory: this.#memory.bytes(physical, SLOT_BYTES).slice(),
      devices: this.#devices.hash,
      retired: this.processor.instructions - first,
      isAtHome: this.#space.isInForce(this.processor.registers),
    };
  }
}

/** Parts of the state that a guest can see, by name: offset and length. */
export const VISIBLE: readonly (readonly [name: string, offset: number, length: number])[] = [
  ...["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"].map(
    (n, i) => [n, i * 8, 8] as const,
  ),
  ["segment bases", 0x90, 0x40],
  ["rip", at("rip"), 8],
  ["cpl", at("cpl"), 4],
  ["mode", at("mode"), 4],
  ["shadow", at("shadow"), 4],
  ["control registers and segments", 0x200, at("mxcsr") - 0x200],
  ...(["mxcsr", "fcw", "fsw", "ftw", "ftop", "fop", "fip", "fdp", "fcs", "fds"] as const).map(
    (n) => [n, at(n), n === "mxcsr" ? 4 : n.startsWith("fi") || n === "fdp" ? 8 : n === "ftw" || n === "ftop" ? 1 : 2] as const,
  ),
  ["other registers", at("specCtrl"), 0x18],
  ...Array.from({ length: 16 }, (_, i) => [`xmm${i}`, XMM + i * 16, 16] as const),
  ...Array.from({ length: 8 }, (_, i) => [`fpr${i}`, X87 + i * 16, 10] as const),
];
