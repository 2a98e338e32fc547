// Debug registers at work: breakpoints and what they leave in DR6 (SDM 3A §17.2, §17.3.1).
//
//   DR7   31 30 29 28 … 19 18 17 16     13      7  6 … 1  0
//        ┌─────┬─────┬───┬─────┬─────┬─┬────┬──┬──┬──┬───┬──┬──┐
//        │LEN3 │R/W3 │ … │LEN0 │R/W0 │ │ GD │  │G3│L3│ … │G0│L0│
//        └─────┴─────┴───┴─────┴─────┴─┴────┴──┴──┴──┴───┴──┴──┘
import { SCRATCH } from "../state.ts";
import type { CpuContext } from "./context.ts";

/** Conditions of DR6. B0–B3 are bits 0–3. */
export const DR6 = { hits: 0xf, BD: 0x2000, BS: 0x4000, BT: 0x8000 } as const;

/** Values of R/Wn. 2 (I/O) needs CR4.DE. */
const KIND = { execute: 0, write: 1, io: 2, readWrite: 3 } as const;

/** Bytes that LENn stands for (SDM 3A §17.2.4). */
const LENGTH = [1n, 2n, 8n, 4n] as const;

interface Breakpoint {
  readonly bit: number;
  readonly kind: number;
  readonly address: bigint;
  readonly length: bigint;
}

/** The enabled breakpoints. Addresses are aligned to their lengths. */
function enabled(cpu: CpuContext): Breakpoint[] {
  const dr7 = Number(cpu.get64("dr7") & 0xffff_ffffn);
  const found: Breakpoint[] = [];
  for (let n = 0; n < 4; n++) {
    if (!(dr7 & (3 << (n * 2)))) continue;
    const control = (dr7 >>> (16 + n * 4)) & 0xf;
    const length = LENGTH[control >> 2]!;
    const address = cpu.get64(`dr${n as 0 | 1 | 2 | 3}`) & ~(length - 1n);
    found.push({ bit: 1 << n, kind: control & 3, address, length });
  }
  return found;
}

function note(cpu: CpuContext, b: Breakpoint): void {
  cpu.set32("debugHits", cpu.get32("debugHits") | b.bit);
}

/** HELPER.dataBreakpoint: notes the breakpoints that an access at SCRATCH hits; the argument is its size | write << 8. */
export function noteDataAccess(cpu: CpuContext, sizeAndWrite: number): number {
  const first = cpu.view.getBigUint64(cpu.base + SCRATCH, true);
  const last = first + BigInt((sizeAndWrite & 0xff) - 1);
  const write = (sizeAndWrite & 0x100) !== 0;
  for (const b of enabled(cpu)) {
    const watches = b.kind === KIND.readWrite || (b.kind === KIND.write && write);
    if (watches && first < b.address + b.length && last >= b.address) note(cpu, b);
  }
  return 0;
}

/** Bits of DR6 for the instruction breakpoints at linear address `linear`; 0 when there is none. */
export function hitsInstruction(cpu: CpuContext, linear: bigint): number {
  let hits = 0;
  for (const b of enabled(cpu)) if (b.kind === KIND.execute && b.address === linear) hits |= b.bit;
  return hits;
}

/** HELPER.portBreakpoint: notes the I/O breakpoints that an access hits; the argument is the port | bytes << 16. CR4.DE is set. */
export function notePortAccess(cpu: CpuContext, argument: number): number {
  const first = BigInt(argument & 0xffff);
  const last = first + BigInt((argument >>> 16) - 1);
  for (const b of enabled(cpu)) {
    if (b.kind === KIND.io && first < b.address + b.length && last >= b.address) note(cpu, b);
  }
  return 0;
}

/** Enters conditions into DR6: B0–B3 are those of this exception, the others stay until software clears them (SDM 3A §17.2.3). */
export function enterDr6(cpu: CpuContext, conditions: number): void {
  const kept = cpu.get64("dr6") & ~BigInt(DR6.hits);
  cpu.set64("dr6", kept | BigInt(conditions));
}
