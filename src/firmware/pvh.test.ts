import { describe, expect, it } from "vitest";
import { planBoot, type BootPlan, type BootRequest } from "./boot.ts";
import { exampleElf, type ExampleElf } from "./example-images.ts";
import { EXAMPLE_PLATFORM } from "./example-platform.ts";
import { RSDP } from "./layout.ts";
import { firmwareTables } from "./tables.ts";

const MIB = 0x10_0000;
const CODE = Uint8Array.from({ length: 0x2000 }, (_, index) => index & 0xff);
const tables = firmwareTables(EXAMPLE_PLATFORM, { lowSize: 64 * MIB, highSize: 0 });
const KERNEL: ExampleElf = {
  segments: [{ physical: 0x100_0000, virtual: 0xffff_ffff_8100_0000n, bytes: CODE, memoryBytes: 0x5000 }],
  pvhEntry: 0x100_0100,
};

function plan(elf: ExampleElf, request: Partial<BootRequest> = {}): BootPlan {
  return planBoot({ kernel: exampleElf(elf), tables, ...request });
}

function at(boot: BootPlan, gpa: number): DataView {
  const write = boot.writes.find((each) => each.gpa === gpa)!;
  return new DataView(write.bytes.buffer, write.bytes.byteOffset, write.bytes.byteLength);
}

function refusal(code: string, text: RegExp): object {
  return expect.objectContaining({ code, message: expect.stringMatching(text) });
}

describe.each([32, 64] as const)("PVH with a %i-bit ELF", (bits) => {
  const modules = [{ bytes: Uint8Array.of(1, 2, 3), text: "first" }];
  const boot = plan(
    { ...KERNEL, bits, segments: [{ physical: 0x100_0000, bytes: CODE, memoryBytes: 0x5000 }] },
    { commandLine: "a=b", initrd: CODE, modules },
  );
  const base = Number(boot.cpu.general.rbx);
  const info = at(boot, base);
  const text = (gpa: number): string => {
    const bytes = new Uint8Array(info.buffer, info.byteOffset + gpa - base);
    return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString();
  };

  it("enters the note's address in flat protected mode", () => {
    expect(boot).toMatchObject({ protocol: "pvh", cpu: { mode: "protected32", rip: 0x100_0100n, cr0: 0x11n } });
    expect(boot.cpu.segments.tr).toMatchObject({ limit: 0x67, access: 0x8b });
    expect(boot.zero).toEqual([{ gpa: 0x100_2000, length: 0x3000 }]);
    expect(Buffer.from(boot.writes.find(({ gpa }) => gpa === 0x100_0000)!.bytes).equals(CODE)).toBe(true);
  });

  it("hands over start info version 1 with strings, modules, map and RSDP", () => {
    expect([info.getUint32(0, true), info.getUint32(4, true), info.getUint32(12, true)]).toEqual([0x336e_c578, 1, 2]);
    expect(text(Number(info.getBigUint64(24, true)))).toBe("a=b");
    expect(Number(info.getBigUint64(32, true))).toBe(RSDP);
    const list = Number(info.getBigUint64(16, true)) - base;
    const placed = [0, 1].map((index) => [
      Number(info.getBigUint64(list + 32 * index, true)),
      Number(info.getBigUint64(list + 32 * index + 8, true)),
    ]);
    expect(placed.map(([gpa]) => boot.writes.find((write) => write.gpa === gpa)!.bytes)).toEqual([CODE, modules[0]!.bytes]);
    expect(placed.map(([, size]) => size)).toEqual([CODE.length, 3]);
    expect(text(Number(info.getBigUint64(list + 32 + 16, true)))).toBe("first");
    const map = Number(info.getBigUint64(40, true)) - base;
    expect(info.getUint32(48, true)).toBe(tables.memoryMap.length);
    const entries = tables.memoryMap.map((_, index) =>
      [info.getBigUint64(map + 24 * index, true), info.getBigUint64(map + 24 * index + 8, true)].map(Number),
    );
    expect(entries).toEqual(tables.memoryMap.map(({ base: start, length }) => [start, length]));
  });
});

describe("PVH refusals", () => {
  const segment = KERNEL.segments![0]!;
  it.each<[string, ExampleElf, string, RegExp]>([
    ["an entry outside", { ...KERNEL, pvhEntry: 0x200_0000 }, "KERNEL_INVALID", /entry 0x2000000 lies outside/],
    ["no segments", { pvhEntry: 0x100_0000 }, "KERNEL_INVALID", /no loadable segments/],
    [
      "too little memory",
      { ...KERNEL, segments: [segment, { physical: 0x380_0000, bytes: CODE, memoryBytes: 32 * MIB }] },
      "MEMORY_INVALID",
      /memory up to 88 MiB/,
    ],
    [
      "no memory there",
      { ...KERNEL, segments: [segment, { physical: 0xa_0000, bytes: CODE }] },
      "KERNEL_INVALID",
      /0xa0000–0xa2000, which is not free memory/,
    ],
    ["overlap", { ...KERNEL, segments: [segment, { physical: 0x100_1000, bytes: CODE }] }, "KERNEL_INVALID", /0x1001000 overlaps/],
    [
      "more in the file than in memory",
      { ...KERNEL, segments: [{ ...segment, memoryBytes: 16 }] },
      "KERNEL_INVALID",
      /more bytes in the file/,
    ],
    [
      "too many segments",
      { ...KERNEL, segments: Array.from({ length: 200 }, (_, index) => ({ physical: MIB + 16 * index, bytes: Uint8Array.of(1) })) },
      "KERNEL_INVALID",
      /200 ELF segments/,
    ],
  ])("names %s", (_label, elf, code, text) => {
    expect(() => plan(elf)).toThrow(refusal(code, text));
  });

  it("names a file cut short anywhere, and a module that does not fit", () => {
    const whole = exampleElf(KERNEL);
    for (const length of [5, 19, 40, 63, 100, 180, whole.length - 1]) {
      expect(() => planBoot({ kernel: whole.subarray(0, length), tables })).toThrow(refusal("KERNEL_INVALID", /truncated/));
    }
    expect(() => plan(KERNEL, { modules: [{ bytes: new Uint8Array(60 * MIB), text: "" }] })).toThrow(
      refusal("INITRD_INVALID", /module 0 of 60 MiB/),
    );
  });
});
