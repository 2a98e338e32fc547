// RDMSR and WRMSR against the table of registers.
import { describe, expect, it } from "vitest";
import { MSRS } from "../msr.ts";
import type { StateName } from "../state.ts";
import type { CpuContext } from "./context.ts";
import { rdmsr, wrmsr } from "./msr.ts";

/** A processor that is only its registers. */
class Bare {
  readonly slots: Partial<Record<StateName, bigint>> = {};
  readonly #cpu: CpuContext;

  constructor() {
    const view = new DataView(new ArrayBuffer(0x1000));
    this.#cpu = {
      host: { readMsr: () => undefined, writeMsr: () => undefined, readTsc: () => 1000 },
      base: 0,
      view,
      get32: (name: StateName) => Number(this.slots[name] ?? 0n),
      get64: (name: StateName) => this.slots[name] ?? 0n,
      set64: (name: StateName, value: bigint) => (this.slots[name] = value),
      call: () => 0,
      raise: (vector: number, code?: number): never => {
        throw Object.assign(new Error("guest fault"), { vector, code });
      },
    } as unknown as CpuContext;
  }

  read(index: number): bigint {
    this.slots.rcx = BigInt(index);
    rdmsr(this.#cpu);
    return ((this.slots.rdx ?? 0n) << 32n) | (this.slots.rax ?? 0n);
  }

  write(index: number, value: bigint): void {
    Object.assign(this.slots, { rcx: BigInt(index), rax: value & 0xffff_ffffn, rdx: value >> 32n });
    wrmsr(this.#cpu);
  }
}

/** `value` with so many low bytes saying write-back. */
function withTypes(value: bigint, types: number): bigint {
  const bytes = (1n << BigInt(types * 8)) - 1n;
  return (value & ~bytes) | (0x0606_0606_0606_0606n & bytes);
}

const GP = { vector: 13, code: 0 };

describe("model-specific registers", () => {
  it("give back what was written, and take no reserved bit", () => {
    for (const [index, { name, slot, offset, writable = 0n, address, types }] of MSRS) {
      if ((slot === undefined && offset === undefined) || name === "IA32_EFER") continue;
      const cpu = new Bare();
      const value = address === true ? 0xffff_8000_0000_1000n : withTypes(writable, types ?? 0);
      cpu.write(index, value);
      expect([name, cpu.read(index)]).toEqual([name, value]);
      for (let bit = 0n; bit < 64n; bit++) {
        if (writable & (1n << bit)) continue;
        expect(() => cpu.write(index, 1n << bit), `${name} bit ${bit}`).toThrow(expect.objectContaining(GP));
      }
      expect([name, cpu.read(index)]).toEqual([name, value]);
    }
  });

  it("with memory types take 0, 1, 4, 5 and 6, the PAT 7 as well (SDM 3A §12.11.2, table 12-10)", () => {
    for (const [index, { name, types }] of MSRS) {
      if (types === undefined) continue;
      const accepted = [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n].filter((type) => {
        try {
          new Bare().write(index, type << BigInt(8 * (types - 1)));
          return true;
        } catch {
          return false;
        }
      });
      expect([name, accepted]).toEqual([name, name === "IA32_PAT" ? [0n, 1n, 4n, 5n, 6n, 7n] : [0n, 1n, 4n, 5n, 6n]]);
    }
  });

  it("that do not exist raise #GP(0), as do commands when read and constants when written", () => {
    const cpu = new Bare();
    for (const index of [0x1fb, 0xc000_0105, 0xffff_ffff]) {
      expect(() => cpu.read(index)).toThrow(expect.objectContaining(GP));
      expect(() => cpu.write(index, 0n)).toThrow(expect.objectContaining(GP));
    }
    expect(() => cpu.read(0x49)).toThrow(expect.objectContaining(GP));
    expect(() => cpu.write(0xfe, 0n)).toThrow(expect.objectContaining(GP));
  });

  it("have the one that Linux's idle driver for this family uses without asking", () => {
    const cpu = new Bare();
    expect(cpu.read(0x1fc)).toBe(0n);
    cpu.write(0x1fc, 2n);
    expect(cpu.read(0x1fc)).toBe(2n);
  });
});
