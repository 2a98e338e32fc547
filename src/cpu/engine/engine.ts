// The door between a machine and whatever runs its guest code. The interpreter implements it; so can the translator and a
// KVM engine, which is why it assumes no in-engine interrupt controller and no access to registers while running.

import type { TranslationStatistics } from "./translation.ts";

/** What a processor needs from its machine. Calls come from the thread that called `run`. */
export interface CpuHost {
  portRead(port: number, width: 1 | 2 | 4): number;
  portWrite(port: number, width: 1 | 2 | 4, value: number): void;
  /** A physical access that is not RAM; 8-byte accesses arrive as two of 4, low half first. */
  mmioRead(gpa: number, width: 1 | 2 | 4): number;
  mmioWrite(gpa: number, width: 1 | 2 | 4, value: number): void;
  /** The vector of the interrupt that is accepted now (INTA cycle), or -1 when the request has gone. */
  acknowledgeInterrupt(): number;
  /** The time-stamp counter before the guest's offset, in ticks of `tscHz`. */
  readTsc(): number;
  /** MSRs that belong to devices of the machine (local APIC base, x2APIC, TSC deadline); undefined = not theirs (#GP unless the processor has it). */
  readMsr(index: number): bigint | undefined;
  /** True when taken; false raises #GP(0); undefined = not theirs. */
  writeMsr(index: number, value: bigint): boolean | undefined;
  /** CR8 is the local APIC's task-priority class, 0..15. */
  readCr8(): number;
  writeCr8(priority: number): void;
  /** 64 random bits for RDRAND and RDSEED. */
  random(): bigint;
  /** Called when a processor executes a shutdown cycle (triple fault) and when FERR# is driven by the x87 with CR0.NE = 0. */
  ferr(level: boolean): void;
  /** Translation has ended before its time: the guest goes on, slower. */
  translationFailed?(error: Error): void;
}

/** What a processor did off its fast paths. */
export interface ProcessorCounters {
  /** Addresses that the TLB did not serve (also those of devices, of pages that hold code, across pages), and walks of page tables. */
  readonly tlbMisses: number;
  readonly pageWalks: number;
  /** Times that the TLB was emptied; of all but global pages; pages that it forgot singly. */
  readonly tlbFlushes: number;
  readonly localFlushes: number;
  readonly pageFlushes: number;
  /** Targets of branches that the jump cache did not know. */
  readonly jumpMisses: number;
  /** Blocks decoded; of these dropped because they were written; times that all were dropped. */
  readonly decoded: number;
  readonly dropped: number;
  readonly codeFlushes: number;
  /** Exceptions and software interrupts delivered, page faults among them; interrupts accepted. */
  readonly exceptions: number;
  readonly pageFaults: number;
  readonly interrupts: number;
}

/** Why `run` came back. */
export type RunExit =
  /** The instruction budget is used up; call again. */
  | "budget"
  /** HLT or MWAIT: nothing to do until an interrupt. */
  | "halt"
  /** Triple fault: the processor has shut down. */
  | "shutdown"
  /** `kick` was called. */
  | "kick";

/** One virtual processor, however it runs guest code. */
export interface Engine {
  readonly kind: "evaluator" | "interpreter" | "translator" | "kvm";
  /** Runs until the budget of instructions (approximate) is used up or something else wants attention. */
  run(budget: number): RunExit;
  /** Instructions retired since creation, approximate. */
  readonly instructions: number;
  /** What else it did so far; undefined when it does not count. */
  readonly counters: ProcessorCounters | undefined;
  /** What translation did so far; undefined when there is none. */
  readonly translated: TranslationStatistics | undefined;
  /** The INTR pin: an interrupt controller has (or no longer has) something for this processor. */
  setInterruptLine(level: boolean): void;
  /** Edge on NMI. */
  nmi(): void;
  /** Power-on reset (SDM 3A §10.1.1, table 10-1). */
  reset(): void;
  /** Makes `run` return soon. */
  kick(): void;
  /** Keeps for the next start what can be of use then; resolves when it is done, as far as it can be. */
  keep(): Promise<void>;
  readonly registers: RegisterAccess;
}

/** Architectural registers by name, for boot protocols, debuggers, snapshots and tests. Names as in the state table. */
export interface RegisterAccess {
  get(name: string): bigint;
  set(name: string, value: bigint): void;
  /** Sets a segment register with its hidden part. */
  setSegment(name: "es" | "cs" | "ss" | "ds" | "fs" | "gs" | "ldtr" | "tr", segment: SegmentState): void;
  getSegment(name: "es" | "cs" | "ss" | "ds" | "fs" | "gs" | "ldtr" | "tr"): SegmentState;
  /** Recomputes everything derived from control registers and segments. Call after `set`s and before `run`. */
  commit(): void;
}

/** A segment register with its hidden part (SDM 3A §3.4.3). */
export interface SegmentState {
  readonly selector: number;
  readonly base: bigint;
  /** Effective limit in bytes (granularity applied), inclusive. */
  readonly limit: number;
  /** Access rights as in a descriptor's bits 40–55: type, S, DPL, P in 0–7; AVL, L, D/B, G in 12–15. */
  readonly access: number;
}
