import { describe, expect, it } from "vitest";
import { planBoot, type BootPlan, type BootRequest } from "./boot.ts";
import { exampleElf, exampleMultibootHeader } from "./example-images.ts";
import { EXAMPLE_PLATFORM } from "./example-platform.ts";
import { multibootHeader } from "./multiboot.ts";
import { firmwareTables } from "./tables.ts";

const MIB = 0x10_0000;
const tables = firmwareTables(EXAMPLE_PLATFORM, { lowSize: 64 * MIB, highSize: 0 });

function withCode(before: number, header: Uint8Array, after: number): Uint8Array {
  return Uint8Array.from([...Array.from({ length: before }, () => 0xcc), ...header, ...Array.from({ length: after }, () => 0x90)]);
}

function plan(kernel: Uint8Array, request: Partial<BootRequest> = {}): BootPlan {
  return planBoot({ kernel, tables, ...request });
}

function refusal(code: string, text: RegExp): object {
  return expect.objectContaining({ code, message: expect.stringMatching(text) });
}

/** Reads guest memory as a plan leaves it. */
function reader(boot: BootPlan): { u32: (gpa: number) => number; text: (gpa: number) => string } {
  const find = (gpa: number): Uint8Array => {
    const write = boot.writes.find((each) => each.gpa <= gpa && gpa < each.gpa + each.bytes.length)!;
    return write.bytes.subarray(gpa - write.gpa);
  };
  return {
    u32: (gpa) => new DataView(find(gpa).buffer, find(gpa).byteOffset).getUint32(0, true),
    text: (gpa) => Buffer.from(find(gpa).subarray(0, find(gpa).indexOf(0))).toString(),
  };
}

const FLAT = 1 << 16;

describe("multiboot flat binary", () => {
  it("loads what the address fields name", () => {
    const header = exampleMultibootHeader(FLAT, [0x10_0010, 0x10_0000, 0x10_0100, 0x10_0400, 0x10_0030]);
    const boot = plan(withCode(0x10, header, 0x200));
    expect(boot).toMatchObject({ protocol: "multiboot", cpu: { mode: "protected32", rip: 0x10_0030n, cr0: 0x11n } });
    expect(boot.cpu.general.rax).toBe(0x2bad_b002n);
    expect(boot.writes.find(({ gpa }) => gpa === 0x10_0000)!.bytes).toHaveLength(0x100);
    expect(boot.zero).toEqual([{ gpa: 0x10_0100, length: 0x300 }]);
  });

  it("loads the whole file when no load end is given, and may skip bytes before the load address", () => {
    const header = exampleMultibootHeader(FLAT, [0x10_0000, 0x10_0000, 0, 0, 0x10_0020]);
    const boot = plan(withCode(0x40, header, 0x100));
    expect(boot.writes.find(({ gpa }) => gpa === 0x10_0000)!.bytes).toHaveLength(0x20 + 0x100);
    expect(boot.zero).toEqual([]);
  });

  it("keeps its structures off a kernel in low memory", () => {
    const header = exampleMultibootHeader(FLAT, [0x1000, 0x1000, 0, 0x8000, 0x1020]);
    const boot = plan(withCode(0, header, 0x100));
    expect(Number(boot.cpu.general.rbx)).toBe(0x8000);
    expect(Number(boot.cpu.gdtr.base)).toBe(0x9000);
  });

  it.each<[string, readonly number[], RegExp]>([
    ["start before the file", [0x10_0020, 0x10_0000, 0, 0, 0x10_0020], /before the start of the file/],
    ["header below load", [0x0f_0000, 0x10_0000, 0, 0, 0x10_0020], /before the start of the file/],
    ["end before start", [0x10_0000, 0x10_0000, 0x0f_0000, 0, 0x10_0020], /beyond the load end/],
    ["end beyond the file", [0x10_0000, 0x10_0000, 0x20_0000, 0, 0x10_0020], /truncated/],
    ["entry outside", [0x10_0000, 0x10_0000, 0, 0, 0x20_0000], /entry 0x200000 lies outside/],
    ["hole", [0xb_0000, 0xb_0000, 0, 0, 0xb_0000], /not free memory/],
  ])("refuses %s", (_label, addresses, text) => {
    expect(() => plan(withCode(0, exampleMultibootHeader(FLAT, addresses), 0x100))).toThrow(refusal("KERNEL_INVALID", text));
  });

  it("tells a small machine from a bad address", () => {
    const header = exampleMultibootHeader(FLAT, [0x10_0000, 0x10_0000, 0, 0x800_0000, 0x10_0020]);
    expect(() => plan(withCode(0, header, 0x100))).toThrow(refusal("MEMORY_INVALID", /up to 128 MiB/));
  });
});

describe("multiboot ELF", () => {
  const code = withCode(4, exampleMultibootHeader(7), 0x100);
  const CODE_WITH_HEADERS = withCode(4, exampleMultibootHeader(7), 0x11f0);
  const segments = [{ physical: 0x10_0000, virtual: 0xc010_0000n, bytes: code, memoryBytes: 0x1000 }];

  it.each([32, 64] as const)("loads %i-bit segments and translates a high entry", (bits) => {
    const boot = plan(exampleElf({ bits, entry: 0xc010_0040n, segments }));
    expect(boot.cpu.rip).toBe(0x10_0040n);
    expect(boot.zero).toEqual([{ gpa: 0x10_0000 + code.length, length: 0x1000 - code.length }]);
  });

  it("loads ELF headers that the linker put below 1 MiB, but not over the tables", () => {
    const linked = (physical: number): Uint8Array =>
      exampleElf({ bits: 32, entry: 0x10_0040n, segments: [{ physical, bytes: CODE_WITH_HEADERS }] });
    const boot = plan(linked(0xf_f000));
    expect(boot.writes.find(({ gpa }) => gpa === 0xf_f000)!.bytes).toHaveLength(CODE_WITH_HEADERS.length);
    expect(() => plan(linked(0xf_0000))).toThrow(refusal("KERNEL_INVALID", /0xf0000–0xf1200, which is not free memory/));
  });

  it("describes memory, command line, loader and modules", () => {
    const modules = [{ bytes: Uint8Array.of(9, 8, 7), text: "second" }];
    const boot = plan(exampleElf({ bits: 32, entry: 0x10_0040n, segments }), {
      commandLine: "kernel x=1",
      initrd: Uint8Array.of(1, 2),
      modules,
    });
    const { u32, text } = reader(boot);
    const info = Number(boot.cpu.general.rbx);
    expect(u32(info)).toBe(0b10_0100_1101);
    expect([u32(info + 4), u32(info + 8)]).toEqual([639, 64 * 1024 - 1024 - 128]);
    expect([text(u32(info + 16)), text(u32(info + 64))]).toEqual(["kernel x=1", "Nido"]);
    const list = u32(info + 24);
    expect(u32(info + 20)).toBe(2);
    expect([u32(list + 4) - u32(list), u32(list + 20) - u32(list + 16)]).toEqual([2, 3]);
    expect([u32(list) % 4096, text(u32(list + 24))]).toEqual([0, "second"]);
    const entries: number[][] = [];
    for (let at = u32(info + 48); at < u32(info + 48) + u32(info + 44); at += u32(at) + 4)
      entries.push([u32(at + 4), u32(at + 12), u32(at + 20)]);
    expect(entries).toHaveLength(tables.memoryMap.length);
    expect(entries[0]).toEqual([0, 0x9_fc00, 1]);
  });

  it("leaves the module fields empty without modules", () => {
    const boot = plan(exampleElf({ bits: 32, entry: 0x10_0040n, segments }));
    const { u32 } = reader(boot);
    const info = Number(boot.cpu.general.rbx);
    expect([u32(info) & 8, u32(info + 20), u32(info + 24)]).toEqual([0, 0, 0]);
  });
});

describe("multiboot header", () => {
  it("is searched in 8 KiB, on 4-byte borders, with a right checksum", () => {
    const header = exampleMultibootHeader(3);
    expect(multibootHeader(withCode(8180, header, 0))).toBe(8180);
    expect(multibootHeader(withCode(8184, header, 100))).toBeUndefined();
    expect(multibootHeader(withCode(2, header, 0))).toBeUndefined();
    expect(multibootHeader(Uint8Array.from(header, (byte, index) => (index === 8 ? byte ^ 1 : byte)))).toBeUndefined();
  });

  it("is refused with unknown demands, or without addresses in a file that is not ELF", () => {
    expect(() => plan(withCode(0, exampleMultibootHeader(0x18), 64))).toThrow(
      refusal("KERNEL_INVALID", /demands features that do not exist \(flags 0x18\)/),
    );
    expect(() => plan(withCode(0, exampleMultibootHeader(3), 64))).toThrow(refusal("KERNEL_INVALID", /no load addresses/));
  });
});
