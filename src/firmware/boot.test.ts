import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GuestMemory } from "../memory/guest-memory.ts";
import { VmError } from "../support/errors.ts";
import { detect, planBoot, type BootPlan, type BootRequest } from "./boot.ts";
import { exampleCpio, exampleElf, exampleLinux, exampleMultibootHeader } from "./example-images.ts";
import { EXAMPLE_PLATFORM } from "./example-platform.ts";
import { writeGuest } from "./guest-write.ts";
import { firmwareTables } from "./tables.ts";

const LOW = 0x400_0000;
const tables = firmwareTables(EXAMPLE_PLATFORM, { lowSize: LOW, highSize: 0 });
const CODE = new Uint8Array(0x400).fill(0x90);
const IMAGES = {
  linux: exampleLinux({ kernelBytes: 0x400 }),
  pvh: exampleElf({ segments: [{ physical: 0x10_0000, bytes: CODE }], pvhEntry: 0x10_0000 }),
  elf: exampleElf({
    bits: 32,
    entry: 0x10_0020n,
    segments: [{ physical: 0x10_0000, bytes: Uint8Array.from([...exampleMultibootHeader(0), ...CODE]) }],
  }),
  flat: Uint8Array.from([...exampleMultibootHeader(1 << 16, [0x10_0000, 0x10_0000, 0, 0, 0x10_0020]), ...CODE]),
};

function bytesAt(at: number, magic: string | number[], length = 0x9000): Uint8Array {
  const bytes = new Uint8Array(length).fill(1);
  bytes.set(typeof magic === "string" ? Buffer.from(magic, "latin1") : magic, at);
  return bytes;
}

describe("detect", () => {
  it("tells the three protocols apart", () => {
    expect(Object.values(IMAGES).map((bytes) => detect(bytes).protocol)).toEqual(["linux", "pvh", "multiboot", "multiboot"]);
  });

  it.each<[string, Uint8Array]>([
    ["an empty file", new Uint8Array(0)],
    ["a Linux Image for arm64", bytesAt(0x38, "ARMd")],
    ["a Linux zImage for 32-bit ARM", bytesAt(0x24, [0x18, 0x28, 0x6f, 0x01])],
    ["a Linux Image for RISC-V", bytesAt(0x38, "RSC\x05")],
    ["an ELF file for arm64", exampleElf({ machine: 183 })],
    ["an ELF file for machine type 999", exampleElf({ machine: 999 })],
    ["an ELF file for a big-endian machine", Uint8Array.from(exampleElf({}), (byte, index) => (index === 5 ? 2 : byte))],
    ["an ELF program for an operating system", exampleElf({ interpreter: true })],
    ["an ELF file with neither a PVH note nor a multiboot header", exampleElf({ segments: [{ physical: 0x10_0000, bytes: CODE }] })],
    ["a multiboot 2 kernel; only multiboot 1 is supported", bytesAt(0x40, [0xd6, 0x50, 0x52, 0xe8])],
    ["gzip data; unpack it first", bytesAt(0, [0x1f, 0x8b])],
    ["an EFI or Windows program", bytesAt(0, "MZ")],
    ["an ISO 9660 image", bytesAt(0x8001, "CD001")],
    ["a qcow2 disk image", bytesAt(0, "QFI\xfb")],
    ["a VDI disk image", bytesAt(0x40, [0x7f, 0x10, 0xda, 0xbe])],
    ["a cpio archive, such as an initrd", exampleCpio({})],
    ["a tar archive", bytesAt(257, "ustar")],
    ["a boot sector or disk image", bytesAt(510, [0x55, 0xaa])],
    ["a text file", Buffer.from("hello\n")],
    ["none of the kernel formats known", bytesAt(0, [0xff, 0xfe])],
  ])("names %s, and planBoot says so", (description, kernel) => {
    expect(detect(kernel)).toEqual({ protocol: "unsupported", description });
    expect(() => planBoot({ kernel, kernelName: "some/path", tables })).toThrow(
      expect.objectContaining({ code: "KERNEL_INVALID", message: `Cannot boot "some/path": it is ${description}` }),
    );
  });
});

/** Everything a plan touches lies in RAM below the tables' map, and nothing but tables is written twice. */
function checkPlan(plan: BootPlan): void {
  const kernel = plan.writes.slice(tables.writes.length).map(({ gpa, bytes }) => ({ gpa, length: bytes.length }));
  const spans = [...kernel, ...plan.zero].filter(({ length }) => length > 0).sort((a, b) => a.gpa - b.gpa);
  for (const [index, { gpa, length }] of spans.entries()) {
    expect(gpa).toBeGreaterThanOrEqual(0);
    expect(gpa + length).toBeLessThanOrEqual(spans[index + 1]?.gpa ?? LOW);
  }
}

function attempt(request: BootRequest): void {
  let plan: BootPlan;
  try {
    plan = planBoot(request);
  } catch (error) {
    if (!VmError.is(error)) throw error;
    expect(error.code).toMatch(/^(KERNEL|INITRD|MEMORY|CONFIG)_INVALID$/);
    return;
  }
  checkPlan(plan);
}

const image = fc.constantFrom(...Object.values(IMAGES));
const patch = fc.record({ at: fc.nat(0x700), bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }) });

describe("untrusted files", () => {
  it("never throw anything but VmError when random", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (kernel) => attempt({ kernel, tables })),
      { numRuns: 300 },
    );
  });

  it("never throw anything but VmError when damaged or cut short", () => {
    fc.assert(
      fc.property(image, fc.array(patch, { maxLength: 6 }), fc.nat(), fc.boolean(), (whole, patches, cut, shorten) => {
        const kernel = whole.slice(0, shorten ? cut % whole.length : whole.length);
        for (const { at, bytes } of patches) kernel.set(bytes.subarray(0, Math.max(0, kernel.length - at)), Math.min(at, kernel.length));
        attempt({ kernel, tables, initrd: exampleCpio({ a: CODE }), commandLine: "x" });
      }),
      { numRuns: 1000 },
    );
  });

  it("never throw anything but VmError when header fields are extreme", () => {
    const field = fc.constantFrom(0, 1, 2, 0xff, 0x200, 0xffff, 0x10_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff);
    fc.assert(
      fc.property(image, fc.array(fc.tuple(fc.nat(0xff), field), { maxLength: 5 }), (whole, fields) => {
        const kernel = whole.slice();
        const view = new DataView(kernel.buffer);
        const start = whole === IMAGES.linux ? 0x1f0 : 0;
        for (const [at, value] of fields) view.setUint32(start + (at & ~3), value, true);
        attempt({ kernel, tables, entry: "auto", modules: whole === IMAGES.linux ? [] : [{ bytes: CODE, text: "m" }] });
      }),
      { numRuns: 1000 },
    );
  });

  it.each(["16", "32", "64"] as const)("give disjoint places for the %s-bit Linux entry", (entry) => {
    checkPlan(planBoot({ kernel: IMAGES.linux, tables, entry, initrd: exampleCpio({ a: CODE }), commandLine: "x" }));
  });
});

describe("the choice of an entry", () => {
  it("is for Linux kernels only", () => {
    for (const kernel of [IMAGES.pvh, IMAGES.elf, IMAGES.flat]) {
      expect(() => planBoot({ kernel, tables, entry: "32" })).toThrow(/^Cannot boot the kernel: it is a.*, which has one entry/);
      expect(planBoot({ kernel, tables, entry: "auto" }).protocol).not.toBe("linux");
    }
  });
});

describe("writeGuest", () => {
  it("clears, writes, and tells the engines", () => {
    const memory = new GuestMemory(0x20_0000, 0x1_0000);
    const seen: number[][] = [];
    memory.u8.fill(0xaa);
    memory.observe((offset, length) => seen.push([offset, length]));
    writeGuest(memory, [{ gpa: 0x1000, bytes: Uint8Array.of(1, 2) }], [{ gpa: 0x1000, length: 4 }]);
    expect(Array.from(memory.bytes(0x0fff, 6))).toEqual([0xaa, 1, 2, 0, 0, 0xaa]);
    expect(seen).toEqual([
      [0x1_1000, 4],
      [0x1_1000, 2],
    ]);
    expect(() => writeGuest(memory, [{ gpa: 0x1f_ffff, bytes: Uint8Array.of(1, 2) }])).toThrow(
      expect.objectContaining({ code: "GUEST_MEMORY" }),
    );
  });
});
