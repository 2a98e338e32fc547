// One virtual processor on an executor: host functions, code cache, run and reset. This is what a machine holds.
import { ASSISTS } from "../assist/index.ts";
import { acceptEvents, betweenInstructions } from "../assist/boundary.ts";
import { CpuContext, GuestFault } from "../assist/context.ts";
import { deliverPending } from "../assist/deliver.ts";
import { HALTED_ANY_INTERRUPT } from "../assist/halt.ts";
import { Registers } from "../assist/registers.ts";
import { resetState } from "../assist/reset.ts";
import { Decoder } from "../decode/decoder.ts";
import type { GuestMemory } from "../../memory/guest-memory.ts";
import { ROUTINE } from "../engine-calls.ts";
import { at, ATTENTION, EXIT } from "../state.ts";
import { CodeCache } from "./code-cache.ts";
import type { CpuHost, Engine, ProcessorCounters, RegisterAccess, RunExit } from "./engine.ts";
import type { Executor, HostFunctions } from "./executor.ts";
import { CPU_AREA } from "./layout.ts";
import { type ExecutionObserver, interpretedSamples, sampledPlace } from "./observer.ts";
import { Translation, type TranslationStatistics, type TranslatorFactory } from "./translation.ts";
import type { EnginePlan } from "./plan.ts";
import type { EngineProgram } from "./program.ts";

/** Host offset of the first processor's area: the first 64 KiB stay empty, so that 0 is no address. */
export const CPU_BASE = 0x1_0000;

/** Where the page table and RAM begin for `cpus` processors and `ramBytes` of memory; both multiples of 64 KiB. */
export function memoryLayout(cpus: number, ramBytes: number): { readonly pageTable: number; readonly ramBase: number } {
  const pageTable = CPU_BASE + cpus * CPU_AREA;
  const entries = (ramBytes / 4096) * 8;
  return { pageTable, ramBase: (pageTable + entries + 0xffff) & ~0xffff };
}

const EXITS: Readonly<Record<number, RunExit>> = {
  [EXIT.budget]: "budget",
  [EXIT.halt]: "halt",
  [EXIT.shutdown]: "shutdown",
  [EXIT.kick]: "kick",
};

/** What a processor is made of. Memory must have been laid out by `memoryLayout`. */
export interface ProcessorOptions {
  readonly program: EngineProgram;
  readonly memory: GuestMemory;
  readonly host: CpuHost;
  /** What translates hot code; without it everything is interpreted. */
  readonly translator?: TranslatorFactory | undefined;
  /** Who wants to know where guest code runs. */
  readonly observer?: ExecutionObserver | undefined;
  /** Processors that the memory was laid out for (memoryLayout). */
  readonly cpus?: number;
  /** Number of this processor, 0 for the bootstrap processor. */
  readonly index?: number;
}

/** The virtual processor, run by the interpreter or the evaluator. */
export class Processor implements Engine {
  readonly kind: Engine["kind"];
  readonly registers: RegisterAccess;
  /** For tests, debuggers and helpers; not for devices. */
  readonly context: CpuContext;
  readonly cache: CodeCache;
  readonly translation: Translation | undefined;
  readonly #executor: Executor;
  readonly #memory: GuestMemory;
  readonly #base: number;
  readonly #pageTable: number;
  readonly #host: CpuHost;
  readonly #observer: ExecutionObserver | undefined;

  constructor(options: ProcessorOptions) {
    const { memory, host, program } = options;
    this.kind = options.translator ? "translator" : program.kind;
    this.#memory = memory;
    this.#host = host;
    this.#observer = options.observer;
    this.#base = CPU_BASE + (options.index ?? 0) * CPU_AREA;
    this.#pageTable = memoryLayout(options.cpus ?? 1, memory.ramBytes).pageTable;
    this.#executor = program.execute(memory.wasm, this.#functions());
    this.context = new CpuContext(memory.view, this.#base, host, this.#executor);
    this.translation = this.#makeTranslation(options.translator, program.plan);
    this.cache = this.#makeCache(program.plan);
    this.registers = new Registers(this.context);
    memory.observe((at, length) => this.#deviceWrote(at, length));
    this.reset();
  }

  #makeTranslation(translator: TranslatorFactory | undefined, plan: EnginePlan): Translation | undefined {
    const { linkage } = this.#executor;
    if (!translator || !linkage) return undefined;
    const { view, u8, wasm } = this.#memory;
    const host = {
      view,
      u8,
      memory: wasm,
      base: this.#base,
      linkage,
      code: () => this.cache,
      endsBlock: (handler: number) => plan.endsBlock(handler),
      codePage: (linear: bigint) => this.#codePage(linear),
      observer: this.#observer,
      failed: (error: Error) => this.#host.translationFailed?.(error),
    };
    return new Translation(host, translator);
  }

  /** Fetching ahead of execution, as processors do; not while a fault waits for its delivery. */
  #codePage(linear: bigint): number {
    return this.context.get32("fault") === 0 ? (this.#executor.call(ROUTINE.codePage, this.#base, linear) as number) >>> 0 : 0;
  }

  #makeCache(plan: EnginePlan): CodeCache {
    const memory = this.#memory;
    const context = this.context;
    return new CodeCache({
      view: memory.view,
      u8: memory.u8,
      base: this.#base,
      ramBase: memory.ramBase,
      ramBytes: memory.ramBytes,
      pageTable: this.#pageTable,
      decoder: new Decoder(plan.tables),
      hot: (d, samePage) => plan.hotCase(d, samePage),
      endsBlock: (handler) => plan.endsBlock(handler),
      nextPageHost: () => (this.#executor.call(ROUTINE.codeHost, this.#base, context.get64("ripPage") + 0x1000n) as number) >>> 0,
      fetchDevice: (offset) => this.#host.mmioRead(Number(context.get64("walkPhysical")) + offset, 1),
      requestFlush: () => this.kick(),
      regions: this.translation?.regions,
    });
  }

  #functions(): HostFunctions {
    const host = this.#host;
    const width = (n: number): 1 | 2 | 4 => n as 1 | 2 | 4;
    return {
      mmioRead: (low: number, high: number, n: number) => host.mmioRead((low >>> 0) + high * 0x1_0000_0000, width(n)) | 0,
      mmioWrite: (low: number, high: number, n: number, value: number) =>
        host.mmioWrite((low >>> 0) + high * 0x1_0000_0000, width(n), value >>> 0),
      portRead: (port: number, n: number) => host.portRead(port, width(n)) | 0,
      portWrite: (port: number, n: number, value: number) => host.portWrite(port, width(n), value >>> 0),
      codeWritten: (hostAddress: number, length: number) => this.cache.invalidate(hostAddress >>> 0, length),
      decodeBlock: (_base: number, hostAddress: number) => this.cache.decodeBlock(hostAddress >>> 0),
      helper: (_base: number, number: number, argument: number) => this.#assist(number, argument),
      deliverFault: () => deliverPending(this.context),
      betweenInstructions: (_base: number, completed: number) => betweenInstructions(this.context, completed !== 0),
    };
  }

  #assist(number: number, argument: number): number {
    const assist = ASSISTS.get(number);
    if (!assist) throw new Error(`Bug in Nido: no helper has number ${number}`);
    try {
      return assist(this.context, argument);
    } catch (error) {
      if (!(error instanceof GuestFault)) throw error;
      this.context.note(error);
      return 0;
    }
  }

  get instructions(): number {
    return Number(this.context.get64("retired"));
  }

  get counters(): ProcessorCounters {
    const c = this.context;
    const { decoded, invalidated: dropped, flushes: codeFlushes } = this.cache;
    return {
      tlbMisses: Number(c.get64("tlbMisses")),
      pageWalks: Number(c.get64("pageWalks")),
      tlbFlushes: Number(c.get64("tlbFlushes")),
      localFlushes: Number(c.get64("localFlushes")),
      pageFlushes: Number(c.get64("pageFlushes")),
      jumpMisses: Number(c.get64("jumpMisses")),
      exceptions: Number(c.get64("exceptions")),
      pageFaults: Number(c.get64("pageFaults")),
      interrupts: Number(c.get64("interrupts")),
      decoded,
      dropped,
      codeFlushes,
    };
  }

  get translated(): TranslationStatistics | undefined {
    return this.translation?.statistics;
  }

  run(budget: number): RunExit {
    const c = this.context;
    if (this.cache.full) this.cache.flushAll();
    this.cache.beginSlice();
    if (c.get32("halted") && !this.#wakes()) return "halt";
    c.set32("halted", 0);
    c.set32("exit", EXIT.none);
    // What arrived between runs comes before the next instruction, unless an exception is still being delivered.
    const accepts = c.get32("attention") !== 0 && c.get32("fault") === 0;
    const exit = EXITS[accepts && !acceptEvents(c) ? c.get32("exit") : this.#executor.run(this.#base, budget)];
    if (exit === undefined) throw new Error("Bug in Nido: the interpreter stopped without a reason");
    this.#look();
    return exit;
  }

  /** Hands on what the interpreter has noted of its way. */
  #look(): void {
    const observer = this.#observer;
    const { view } = this.#memory;
    const count = observer || !this.translation ? this.context.get32("sampleCount") : 0;
    const places = observer ? interpretedSamples(view, this.#base, count) : [];
    if (places.length > 0) observer?.sampled(places.length, (index) => sampledPlace(view, this.#base, places[index]!));
    if (this.translation) this.translation.look();
    else if (count > 0) this.context.set32("sampleCount", 0);
  }

  #wakes(): boolean {
    if (this.context.get32("attention") & ATTENTION.interrupt) return true;
    return this.context.get32("halted") === HALTED_ANY_INTERRUPT && this.context.get32("intr") !== 0;
  }

  setInterruptLine(level: boolean): void {
    if ((this.context.get32("intr") !== 0) === level) return;
    this.context.set32("intr", level ? 1 : 0);
    this.#executor.call(ROUTINE.updateAttention, this.#base);
  }

  nmi(): void {
    this.context.set32("nmiPending", 1);
    this.#executor.call(ROUTINE.updateAttention, this.#base);
  }

  kick(): void {
    const address = this.#base + at("attention");
    this.#memory.view.setUint32(address, this.#memory.view.getUint32(address, true) | ATTENTION.kick, true);
  }

  async keep(): Promise<void> {
    await this.translation?.keep();
  }

  reset(): void {
    this.cache.flushAll();
    resetState(this.context, this.#memory, this.#pageTable);
  }

  #deviceWrote(hostOffset: number, length: number): void {
    const first = (hostOffset - this.#memory.ramBase) >>> 12;
    const last = (hostOffset + length - 1 - this.#memory.ramBase) >>> 12;
    const table = this.context.get32("pageTable");
    for (let page = first; page <= last; page++) {
      if (this.#memory.view.getBigUint64(table + page * 8, true) !== 0n) {
        const start = Math.max(hostOffset, this.#memory.ramBase + page * 4096);
        const end = Math.min(hostOffset + length, this.#memory.ramBase + (page + 1) * 4096);
        this.cache.invalidate(start, end - start);
      }
    }
  }
}
