// Which ports a task's bitmap opens (SDM 1 §18.5.2).
import { describe, expect, it } from "vitest";
import type { StateName } from "../state.ts";
import type { CpuContext } from "./context.ts";
import { ioPermission } from "./io-permission.ts";

const MAP = 104;
const TSS_32 = 0x8b;
const TSS_16 = 0x83;

/** A processor that is only a task state: `bitmap` at offset MAP, and a last byte of ones. */
function task(bitmap: readonly number[], access = TSS_32, limit = MAP + bitmap.length): CpuContext {
  const bytes = new Uint8Array(MAP + 64).fill(0);
  const view = new DataView(bytes.buffer);
  view.setUint16(102, MAP, true);
  bytes.set([...bitmap, 0xff], MAP);
  const slots: Partial<Record<StateName, number>> = { trLimit: limit, trAccess: access };
  return {
    get32: (name: StateName) => slots[name] ?? 0,
    get64: () => 0n,
    systemLoad: (linear: bigint, size: number) => BigInt(size === 2 ? view.getUint16(Number(linear), true) : view.getUint8(Number(linear))),
    raise: (vector: number, code?: number): never => {
      throw Object.assign(new Error("guest fault"), { vector, code });
    },
  } as unknown as CpuContext;
}

const isAllowed = (cpu: CpuContext, port: number, bytes: number): boolean => {
  try {
    return ioPermission(cpu, port | (bytes << 16)) === 0;
  } catch (error) {
    expect(error).toMatchObject({ vector: 13, code: 0 });
    return false;
  }
};

describe("I/O permission bitmap", () => {
  it("opens ports whose bits are clear, and an access only when all its ports are open", () => {
    const cpu = task([0b1000_0000, 0b0000_0001]);
    expect([0, 3, 6].map((port) => isAllowed(cpu, port, 1))).toEqual([true, true, true]);
    expect([7, 8].map((port) => isAllowed(cpu, port, 1))).toEqual([false, false]);
    expect([isAllowed(cpu, 3, 4), isAllowed(cpu, 4, 4), isAllowed(cpu, 9, 4)]).toEqual([true, false, true]);
  });

  it("looks at two bytes, so that an access may cross a byte but not the end of the task state", () => {
    expect(isAllowed(task([0, 0]), 6, 4)).toBe(true);
    expect(isAllowed(task([0, 0], TSS_32, MAP + 1), 6, 4)).toBe(true);
    expect(isAllowed(task([0, 0], TSS_32, MAP + 1), 8, 1)).toBe(false);
    expect(isAllowed(task([0]), 16, 1)).toBe(false);
  });

  it("has nothing to say in task states without bitmap: those all stay closed", () => {
    expect(isAllowed(task([0, 0], TSS_16), 0, 1)).toBe(false);
    expect(isAllowed(task([0, 0], TSS_32, 101), 0, 1)).toBe(false);
  });
});
