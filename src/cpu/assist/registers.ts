// Architectural registers by name, for boot protocols, debuggers, snapshots and tests.
import { VmError } from "../../support/errors.ts";
import type { RegisterAccess, SegmentState } from "../engine/engine.ts";
import { ROUTINE } from "../engine-calls.ts";
import { ARITHMETIC, EFLAGS } from "../mmu/control.ts";
import { MSRS } from "../msr.ts";
import { STATE, type SegmentName, type StateName, X87, XMM } from "../state.ts";
import type { CpuContext } from "./context.ts";

/** MSRs that are kept outside the state table, by their manual's name. */
const MSR_OFFSETS: ReadonlyMap<string, number> = new Map(
  [...MSRS.values()].flatMap(({ name, offset }) => (offset === undefined ? [] : [[name, offset] as const])),
);

/**
 * RegisterAccess over a processor's state. `rflags` and `xmm0`… are composed; every slot of the state table goes by its own name, the MTRRs by
 * the manual's (IA32_MTRR_DEF_TYPE).
 */
export class Registers implements RegisterAccess {
  readonly #cpu: CpuContext;

  constructor(cpu: CpuContext) {
    this.#cpu = cpu;
  }

  get(name: string): bigint {
    if (name === "rflags") return BigInt((this.#cpu.call(ROUTINE.getArithmetic) as number) | this.#cpu.get32("eflags") | 2);
    const wide = this.#wide(name);
    if (wide !== undefined) return this.#cpu.view.getBigUint64(wide, true) | (this.#cpu.view.getBigUint64(wide + 8, true) << 64n);
    const msr = MSR_OFFSETS.get(name);
    return msr === undefined ? this.#cpu.get(this.#slot(name)) : this.#cpu.view.getBigUint64(this.#cpu.base + msr, true);
  }

  set(name: string, value: bigint): void {
    const wide = this.#wide(name);
    if (name === "rflags") {
      this.#cpu.call(ROUTINE.setArithmetic, Number(value & BigInt(ARITHMETIC)));
      this.#cpu.set32("eflags", Number(value & 0xffff_ffffn) & ~ARITHMETIC);
    } else if (wide !== undefined) {
      this.#cpu.view.setBigUint64(wide, BigInt.asUintN(64, value), true);
      this.#cpu.view.setBigUint64(wide + 8, BigInt.asUintN(64, value >> 64n), true);
    } else {
      const msr = MSR_OFFSETS.get(name);
      if (msr === undefined) this.#cpu.set(this.#slot(name), value);
      else this.#cpu.view.setBigUint64(this.#cpu.base + msr, BigInt.asUintN(64, value), true);
    }
  }

  /** Address of an XMM (128 bits) or physical x87 register (`r0`… 80 bits in 16 bytes). */
  #wide(name: string): number | undefined {
    const m = name.match(/^(xmm|fpr)(\d+)$/);
    if (!m) return undefined;
    return this.#cpu.base + (m[1] === "xmm" ? XMM : X87) + Number(m[2]) * 16;
  }

  #slot(name: string): StateName {
    if (!(name in STATE)) throw new VmError("CONFIG_INVALID", `There is no register "${name}"`);
    return name as StateName;
  }

  setSegment(name: SegmentName, s: SegmentState): void {
    this.#cpu.set32(`${name}Selector`, s.selector);
    this.#cpu.set64(`${name}Base`, s.base);
    this.#cpu.set32(`${name}Limit`, s.limit);
    this.#cpu.set32(`${name}Access`, s.access);
    if (name === "ss") this.#cpu.set32("cpl", (s.access >> 5) & 3);
  }

  getSegment(name: SegmentName): SegmentState {
    const c = this.#cpu;
    return {
      selector: c.get32(`${name}Selector`),
      base: c.get64(`${name}Base`),
      limit: c.get32(`${name}Limit`),
      access: c.get32(`${name}Access`),
    };
  }

  commit(): void {
    this.#cpu.set32("stepping", this.#cpu.get32("eflags") & EFLAGS.TF ? 1 : 0);
    this.#cpu.call(ROUTINE.flushTlb);
    this.#cpu.refresh();
  }
}
