import { describe, expect, it } from "vitest";
import { FOUR_GIB, LOW_RAM_LIMIT } from "../memory/gpa.ts";
import { planBoot, type BootPlan, type BootRequest } from "./boot.ts";
import { exampleCpio, exampleLinux, type ExampleLinux } from "./example-images.ts";
import { EXAMPLE_PLATFORM } from "./example-platform.ts";
import { BOOT_PARAMS, COMMAND_LINE, PAGE_TABLES, RSDP } from "./layout.ts";
import { firmwareTables } from "./tables.ts";

const MIB = 0x10_0000;
const INITRD = exampleCpio({ init: new Uint8Array(5000) });

function plan(linux: ExampleLinux = {}, request: Partial<BootRequest> = {}, memory = 128 * MIB, highSize = 0): BootPlan {
  const tables = firmwareTables(EXAMPLE_PLATFORM, { lowSize: memory, highSize });
  return planBoot({ kernel: exampleLinux(linux), kernelName: "vmlinuz", tables, ...request });
}

function at(boot: BootPlan, gpa: number): Uint8Array {
  return boot.writes.find((write) => write.gpa === gpa)!.bytes;
}

function params(boot: BootPlan): DataView {
  const bytes = at(boot, BOOT_PARAMS);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function refusal(code: string, text: RegExp): object {
  return expect.objectContaining({ code, message: expect.stringMatching(text) });
}

describe("Linux 64-bit entry", () => {
  const boot = plan({}, { commandLine: "console=ttyS0", initrd: INITRD });

  it("enters 200h past the preferred address in long mode with boot_params in RSI", () => {
    expect(boot.cpu).toMatchObject({
      mode: "long64",
      rip: 0x100_0200n,
      cr0: 0x8000_0011n,
      cr3: BigInt(PAGE_TABLES),
      cr4: 0x20n,
      efer: 0x500n,
    });
    expect(boot.cpu.general).toEqual({ rsi: BigInt(BOOT_PARAMS) });
    expect([boot.cpu.segments.cs.selector, boot.cpu.segments.ds.selector]).toEqual([0x10, 0x18]);
    expect(at(boot, 0x100_0000)).toHaveLength(0x8000);
  });

  it("maps 4 GiB onto itself", () => {
    const tables = at(boot, PAGE_TABLES);
    const view = new DataView(tables.buffer);
    expect(tables).toHaveLength(6 * 4096);
    expect(view.getBigUint64(0, true)).toBe(BigInt(PAGE_TABLES + 0x1003));
    expect([0, 3, 4].map((index) => view.getBigUint64(0x1000 + 8 * index, true))).toEqual([
      BigInt(PAGE_TABLES + 0x2003),
      BigInt(PAGE_TABLES + 0x5003),
      0n,
    ]);
    expect([0, 1, 2047].map((index) => view.getBigUint64(0x2000 + 8 * index, true))).toEqual([0x83n, 0x20_0083n, 0xffe0_0083n]);
  });

  it("has a GDT that agrees with the segment registers", () => {
    const gdt = at(boot, Number(boot.cpu.gdtr.base));
    const view = new DataView(gdt.buffer);
    expect(boot.cpu.gdtr.limit).toBe(gdt.length - 1);
    expect([2, 3].map((index) => view.getBigUint64(8 * index, true))).toEqual([0x00af_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn]);
    expect([boot.cpu.segments.cs.access, boot.cpu.segments.ds.access]).toEqual([0xa09b, 0xc093]);
  });

  it("fills boot_params: header, command line, initrd, memory map, RSDP", () => {
    const view = params(boot);
    expect(view.byteLength).toBe(4096);
    expect([view.getUint8(0x210), view.getUint16(0x206, true), view.getUint32(0x214, true), view.getUint32(0x228, true)]).toEqual([
      0xff,
      0x20f,
      0x100_0000,
      COMMAND_LINE,
    ]);
    expect(Buffer.from(at(boot, COMMAND_LINE)).toString()).toBe("console=ttyS0\0");
    expect(Number(view.getBigUint64(0x70, true))).toBe(RSDP);
    const initrdAt = view.getUint32(0x218, true);
    expect(view.getUint32(0x21c, true)).toBe(INITRD.length);
    expect(at(boot, initrdAt)).toBe(INITRD);
    expect([initrdAt % 4096, initrdAt + INITRD.length <= 128 * MIB - 0x2_0000]).toEqual([0, true]);
    expect(view.getUint8(0x1e8)).toBe(6);
    expect([view.getBigUint64(0x2d0, true), view.getBigUint64(0x2d8, true), view.getUint32(0x2e0, true)]).toEqual([0n, 0x9_fc00n, 1]);
    expect([view.getUint8(0x0f), view.getUint8(0x1ef)]).toEqual([0, 0]);
  });

  it("tells of a text-mode VGA only when there is one", () => {
    const view = params(plan({}, { vgaText: true }));
    expect([view.getUint8(6), view.getUint8(7), view.getUint8(14), view.getUint8(15), view.getUint16(16, true)]).toEqual([
      3, 80, 25, 1, 16,
    ]);
  });

  it("places the initrd above 4 GiB when the kernel can and there is no room below", () => {
    const high = plan({ initrdMax: 0x10_0fff }, { initrd: INITRD }, 128 * MIB, 64 * MIB);
    const view = params(high);
    const gpa = view.getUint32(0xc0, true) * FOUR_GIB + view.getUint32(0x218, true);
    expect(gpa).toBe(FOUR_GIB + 64 * MIB - 8192);
    expect(at(high, gpa)).toBe(INITRD);
  });

  it("keeps the initrd below the kernel's limit and off the range it unpacks into", () => {
    const view = params(plan({ initrdMax: 0x1ff_ffff, initBytes: 0xf0_0000 }, { initrd: INITRD }));
    expect(view.getUint32(0x218, true)).toBe(0x200_0000 - 8192);
  });
});

describe("Linux 32-bit entry", () => {
  it("enters at the load address with paging off", () => {
    const boot = plan({}, { entry: "32" });
    expect(boot.cpu).toMatchObject({
      mode: "protected32",
      rip: 0x100_0000n,
      cr0: 0x11n,
      cr4: 0n,
      efer: 0n,
      general: { rsi: BigInt(BOOT_PARAMS) },
    });
    expect(boot.cpu.segments.cs).toMatchObject({ access: 0xc09b, limit: 0xffff_ffff });
    expect(boot.writes.some(({ gpa }) => gpa === PAGE_TABLES)).toBe(false);
  });

  it("is what a kernel without a 64-bit entry gets", () => {
    expect(plan({ xloadflags: 0 }).cpu.mode).toBe("protected32");
    expect(plan({ version: 0x206, relocatable: false }).cpu).toMatchObject({ mode: "protected32", rip: 0x10_0000n });
    expect(plan({ version: 0x205 }).cpu.mode).toBe("real16");
  });

  it("loads an unrelocatable kernel at 1 MiB and keeps its preferred range free", () => {
    const boot = plan({ relocatable: false, xloadflags: 0 }, { initrd: INITRD });
    expect(params(boot).getUint32(0x214, true)).toBe(0x10_0000);
    expect(() => plan({ relocatable: false, xloadflags: 0, preferred: 0x780_0000 })).toThrow(
      refusal("MEMORY_INVALID", /memory up to 136 MiB/),
    );
  });

  it("aligns a relocatable kernel that names no preferred address", () => {
    expect(plan({ version: 0x209, alignment: 0x40_0000 }).cpu.rip).toBe(0x40_0000n);
  });
});

describe("Linux 16-bit entry", () => {
  const boot = plan({}, { entry: "16", commandLine: "quiet", initrd: INITRD });
  const setup = new DataView(at(boot, 0x9_0000).buffer);

  it("starts the setup code in real mode as the protocol's sample does", () => {
    expect(boot.cpu).toMatchObject({ mode: "real16", rip: 0n, rsp: 0xe000n, cr0: 0x10n });
    expect(boot.cpu.segments.cs).toEqual({ selector: 0x9020, base: 0x9_0200n, limit: 0xffff, access: 0x9b });
    expect(boot.cpu.segments.ss).toEqual({ selector: 0x9000, base: 0x9_0000n, limit: 0xffff, access: 0x93 });
    expect([setup.getUint8(0x210), setup.getUint8(0x211), setup.getUint16(0x224, true), setup.getUint32(0x228, true)]).toEqual([
      0xff, 0x81, 0xde00, 0x9_e000,
    ]);
    expect(Buffer.from(at(boot, 0x9_e000)).toString()).toBe("quiet\0");
    expect(at(boot, 0x10_0000)).toHaveLength(0x8000);
    expect(at(boot, setup.getUint32(0x218, true))).toBe(INITRD);
  });

  it("does not write into the caller's kernel", () => {
    const kernel = exampleLinux();
    const before = kernel.slice();
    plan({}, { kernel, entry: "16" });
    expect(kernel).toEqual(before);
  });

  it("loads a low kernel at 64 KiB", () => {
    expect(at(plan({ version: 0x202, loadflags: 0 }), 0x1_0000)).toHaveLength(0x8000);
    expect(() => plan({ version: 0x202, loadflags: 0, kernelBytes: 0x9_0000 })).toThrow(refusal("KERNEL_INVALID", /not free memory/));
  });

  it("refuses setup code that fills its segment", () => {
    expect(() => plan({ setupSectors: 120 }, { entry: "16" })).toThrow(refusal("KERNEL_INVALID", /setup code of 61952 bytes/));
  });
});

describe("Linux refusals", () => {
  it.each<[string, ExampleLinux, Partial<BootRequest>, number, string, RegExp]>([
    ["old protocol", { version: 0x201 }, {}, 128, "KERNEL_INVALID", /"vmlinuz".* 2\.01 is too old/],
    ["damaged version", { version: 0x9999 }, {}, 128, "KERNEL_INVALID", /damaged \(boot protocol version 0x9999\)/],
    ["odd alignment", { alignment: 3 }, {}, 128, "KERNEL_INVALID", /kernel alignment 0x3/],
    ["little memory", {}, {}, 16, "MEMORY_INVALID", /needs 16 MiB from 0x1000000 on; .* ends at 15 MiB/],
    ["greedy kernel", { initBytes: 0xffff_ffff }, {}, 128, "MEMORY_INVALID", /needs 4096 MiB/],
    ["far preference", { preferred: 2 ** 50 }, {}, 128, "MEMORY_INVALID", /0x4000000000000/],
    ["long command line", { commandLineMax: 10 }, { commandLine: "12345678901" }, 128, "CONFIG_INVALID", /11 bytes; this kernel takes 10/],
    ["null in it", {}, { commandLine: "a\0b" }, 128, "CONFIG_INVALID", /null character/],
    ["missing entry", { xloadflags: 0 }, { entry: "64" }, 128, "CONFIG_INVALID", /no 64-bit entry.*widest entry 32-bit/],
    ["modules", {}, { modules: [{ bytes: INITRD, text: "" }] }, 128, "CONFIG_INVALID", /one initrd/],
    [
      "large initrd",
      {},
      { initrd: exampleCpio({ a: new Uint8Array(30 * MIB) }), initrdName: "big" },
      48,
      "INITRD_INVALID",
      /"big".* 31 MiB.* 15 MiB/,
    ],
    ["initrd limit", { initrdMax: 0x10_0000, xloadflags: 1 }, { initrd: INITRD }, 128, "INITRD_INVALID", /0 MiB of guest memory/],
  ])("names %s", (_label, linux, request, mib, code, text) => {
    expect(() => plan(linux, request, mib * MIB)).toThrow(refusal(code, text));
  });

  it("names a file cut short anywhere", () => {
    const whole = exampleLinux();
    for (const length of [0x208, 0x240, 0x261, 2000, 2560, 2561, whole.length - 16]) {
      expect(() => plan({}, { kernel: whole.subarray(0, length) })).toThrow(refusal("KERNEL_INVALID", /truncated/));
    }
    expect(plan({}, { kernel: whole.subarray(0, whole.length - 15) }).protocol).toBe("linux");
  });
});

describe("memory above 4 GiB", () => {
  it("is in the map and does not attract a kernel", () => {
    const boot = plan({}, {}, LOW_RAM_LIMIT, 1024 * MIB);
    expect(params(boot).getUint8(0x1e8)).toBe(7);
    expect(boot.cpu.rip).toBe(0x100_0200n);
  });
});
