// The task state segment in both layouts, and what a task consists of (SDM 3A §7.2.1, §7.6).
//
//   32-bit                                     16-bit
//   00 link   04–18 stacks of levels 0–2       00 link  02–0C stacks of levels 0–2
//   1C CR3    20 EIP   24 EFLAGS               0E IP    10 FLAGS
//   28 EAX ECX EDX EBX ESP EBP ESI EDI         12 AX CX DX BX SP BP SI DI
//   48 ES CS SS DS FS GS   60 LDT              22 ES CS SS DS   2A LDT
//   64 T (bit 0)   66 I/O map base
import { ROUTINE } from "../engine-calls.ts";
import { VIEW } from "../engine/layout.ts";
import { GPR64 } from "../state.ts";
import type { CpuContext } from "./context.ts";
import { tableAddress } from "./descriptor.ts";

/** Where a layout keeps things, and in units of how many bytes. */
export interface TaskLayout {
  readonly unit: 2 | 4;
  /** Smallest limit of a complete task state segment. */
  readonly minimum: number;
  readonly ip: number;
  readonly flags: number;
  readonly registers: number;
  readonly segments: number;
  readonly segmentCount: 4 | 6;
  readonly ldt: number;
}

/** The 32-bit layout (SDM 3A figure 7-2). */
export const TASK32: TaskLayout = {
  unit: 4,
  minimum: 0x67,
  ip: 0x20,
  flags: 0x24,
  registers: 0x28,
  segments: 0x48,
  segmentCount: 6,
  ldt: 0x60,
};
/** The 16-bit layout (SDM 3A figure 7-10). */
export const TASK16: TaskLayout = {
  unit: 2,
  minimum: 0x2b,
  ip: 0x0e,
  flags: 0x10,
  registers: 0x12,
  segments: 0x22,
  segmentCount: 4,
  ldt: 0x2a,
};

/** Offsets that only the 32-bit layout has. */
const CR3 = 0x1c;
const TRAP = 0x64;

const SEGMENT_ORDER = ["es", "cs", "ss", "ds", "fs", "gs"] as const;

/** A task as its segment describes it. */
export interface TaskState {
  readonly cr3: bigint;
  readonly ip: bigint;
  readonly flags: number;
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  readonly registers: readonly bigint[];
  /** Selectors of ES CS SS DS FS GS. */
  readonly segments: readonly number[];
  readonly ldt: number;
  readonly trap: boolean;
}

/** Reads the task at `base`. A 16-bit task has no FS and GS, and ones in the upper halves of its registers, as on silicon. */
export function readTask(cpu: CpuContext, base: bigint, t: TaskLayout): TaskState {
  const read = (offset: number, bytes: 2 | 4): bigint => cpu.systemLoad(tableAddress(cpu, base, offset), bytes);
  const upper = t.unit === 2 ? 0xffff_0000n : 0n;
  const wide = t.unit === 4;
  return {
    cr3: wide ? read(CR3, 4) : 0n,
    ip: read(t.ip, t.unit),
    flags: Number(read(t.flags, t.unit)),
    registers: Array.from({ length: 8 }, (_, i) => read(t.registers + i * t.unit, t.unit) | upper),
    segments: Array.from({ length: 6 }, (_, i) => (i < t.segmentCount ? Number(read(t.segments + i * t.unit, 2)) : 0)),
    ldt: Number(read(t.ldt, 2)),
    trap: wide && (read(TRAP, 2) & 1n) !== 0n,
  };
}

/** Checks that the running task can be saved at `base`, before anything changes. */
export function probeTask(cpu: CpuContext, base: bigint, t: TaskLayout): void {
  const last = t.segments + t.segmentCount * t.unit;
  cpu.call(ROUTINE.probeWrite, cpu.base + VIEW.supervisor, tableAddress(cpu, base, t.ip), last - t.ip);
}

/** Saves the running task at `base`: the fields that the processor writes (SDM 3A §7.2.1, dynamic fields). */
export function saveTask(cpu: CpuContext, base: bigint, t: TaskLayout, ip: bigint, flags: number): void {
  const write = (offset: number, value: bigint | number): void =>
    cpu.systemStore(tableAddress(cpu, base, offset), t.unit, BigInt.asUintN(t.unit * 8, BigInt(value)));
  write(t.ip, ip);
  write(t.flags, flags);
  for (let i = 0; i < 8; i++) write(t.registers + i * t.unit, cpu.get64(GPR64[i]!));
  // The upper half of a selector's slot is reserved and stays.
  for (let i = 0; i < t.segmentCount; i++) {
    cpu.systemStore(tableAddress(cpu, base, t.segments + i * t.unit), 2, BigInt(cpu.get32(`${SEGMENT_ORDER[i]!}Selector`)));
  }
}
