// What a TypeScript helper of a rare instruction sees of the processor. Every engine runs the same helpers over this.
import { ROUTINE } from "../engine-calls.ts";
import { BigIntState, type StateName } from "./state-access.ts";
import type { CpuHost } from "../engine/engine.ts";
import { at, FAULT } from "../state.ts";
import type { Signature } from "../ir/types.ts";
import { VIEW } from "../engine/layout.ts";

/** A guest exception on its way out of a helper; caught where the helper was called. */
export class GuestFault {
  readonly vector: number;
  readonly code: number | undefined;

  /** @param code error code, undefined for exceptions that have none */
  constructor(vector: number, code?: number) {
    this.vector = vector;
    this.code = code;
  }
}

/** A fault that a routine has already noted in the state. */
export const NOTED: GuestFault = new GuestFault(-1);

/** Leaves a helper. Guest exceptions are no errors of ours: frequent, caught where the helper was called, and without a stack trace. */
function leave(fault: GuestFault): never {
  // oxlint-disable-next-line typescript/only-throw-error
  throw fault;
}

/** Runs routines of the definitions: the WebAssembly module's exports, or the evaluator. */
export interface RoutineCaller {
  call(routine: Signature, ...args: (number | bigint)[]): number | bigint | undefined;
}

/** One processor as helpers see it: state, memory by linear address, exceptions, the host. */
export class CpuContext extends BigIntState {
  readonly base: number;
  readonly host: CpuHost;
  readonly #caller: RoutineCaller;

  constructor(view: DataView, base: number, host: CpuHost, caller: RoutineCaller) {
    super(view, base);
    this.base = base;
    this.host = host;
    this.#caller = caller;
  }

  /** Calls a routine; a fault in it becomes a thrown NOTED. */
  call(routine: Signature, ...args: (number | bigint)[]): number | bigint | undefined {
    const result = this.#caller.call(routine, this.base, ...args);
    if (routine.faults && this.get32("fault") !== 0) this.stop();
    return result;
  }

  /** Recomputes derived state; call after changing segments, privilege, control registers or EFLAGS. */
  refresh(): void {
    this.call(ROUTINE.refreshMode);
  }

  /** Reads `bytes` (1, 2, 4, 8) at a linear address with the program's own rights. */
  load(linear: bigint, bytes: 1 | 2 | 4 | 8): bigint {
    return BigInt.asUintN(64, this.call(ROUTINE.load[bytes], this.get32("tlbView"), linear) as bigint);
  }

  store(linear: bigint, bytes: 1 | 2 | 4 | 8, value: bigint): void {
    this.call(ROUTINE.store[bytes], this.get32("tlbView"), linear, value);
  }

  /** Reads as the processor itself, a supervisor access at any privilege level: descriptor tables, task state. */
  systemLoad(linear: bigint, bytes: 1 | 2 | 4 | 8): bigint {
    return BigInt.asUintN(64, this.call(ROUTINE.load[bytes], this.base + VIEW.supervisor, linear) as bigint);
  }

  systemStore(linear: bigint, bytes: 1 | 2 | 4 | 8, value: bigint): void {
    this.call(ROUTINE.store[bytes], this.base + VIEW.supervisor, linear, value);
  }

  /** Raises an exception: does not return. */
  raise(vector: number, code?: number): never {
    return leave(new GuestFault(vector, code));
  }

  /** Ends a helper whose fault is in the state already: does not return. */
  stop(): never {
    return leave(NOTED);
  }

  /** Notes a fault in the state, for the loop to deliver. */
  note(fault: GuestFault): void {
    if (fault === NOTED) return;
    this.set32("fault", fault.vector | FAULT.pending | (fault.code === undefined ? 0 : FAULT.hasCode));
    this.set32("faultCode", fault.code ?? 0);
  }

  /** Offset of a slot in memory, for arrays of registers. */
  address(name: StateName): number {
    return this.base + at(name);
  }
}
