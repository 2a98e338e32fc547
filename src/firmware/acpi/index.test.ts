import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { describeWithPeers } from "../../../test/peers.ts";
import { EXAMPLE_PLATFORM } from "../example-platform.ts";
import { RSDP } from "../layout.ts";
import type { PlatformDescription } from "../platform.ts";
import { acpiTables } from "./index.ts";

const AREA = { tables: 0x1ffe_0000, nvs: 0x1fff_f000 };
const { pci: _pci, ...WITHOUT_PCI } = EXAMPLE_PLATFORM;
const { gpe0: _gpe0, ...BARE_POWER } = EXAMPLE_PLATFORM.power;
const PLATFORMS: Record<string, PlatformDescription> = {
  pc: EXAMPLE_PLATFORM,
  microvm: {
    ...WITHOUT_PCI,
    power: { ...BARE_POWER, timerBits: 32 },
    rtc: false,
    keyboard: false,
    mouse: false,
    vga: false,
    serialPorts: [],
  },
  ecam: { ...EXAMPLE_PLATFORM, pci: { ...EXAMPLE_PLATFORM.pci!, ecam: 0xb000_0000, lastBus: 0x7f } },
  large: { ...EXAMPLE_PLATFORM, apicIds: Array.from({ length: 300 }, (_, index) => index) },
};

function text(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}

function sum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
}

function build(platform: PlatformDescription): { root: Uint8Array; at: (gpa: number) => Uint8Array; tables: Map<string, Uint8Array> } {
  const writes = acpiTables(platform, AREA);
  const byAddress = new Map(writes.map(({ gpa, bytes }) => [gpa, bytes]));
  const at = (gpa: number): Uint8Array => byAddress.get(gpa)!;
  return { root: at(RSDP), at, tables: new Map(writes.map(({ bytes }) => [text(bytes, 0, 4), bytes])) };
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

describe.each(Object.entries(PLATFORMS))("ACPI tables of %s", (_name, platform) => {
  const { root, at, tables } = build(platform);

  it("have right lengths and checksums", () => {
    const described = [...tables].filter(([signature]) => signature !== "RSD " && signature !== "FACS");
    expect(described.map(([, bytes]) => view(bytes).getUint32(4, true))).toEqual(described.map(([, bytes]) => bytes.length));
    expect(described.map(([signature, bytes]) => [signature, sum(bytes)])).toEqual(described.map(([signature]) => [signature, 0]));
    expect(sum(root.subarray(0, 20))).toBe(0);
    expect(sum(root)).toBe(0);
    expect(tables.get("FACS")).toHaveLength(64);
  });

  it("point at one another from RSDP, RSDT and XSDT", () => {
    const expected = platform.pci?.ecam === undefined ? ["FACP", "APIC"] : ["FACP", "APIC", "MCFG"];
    const rsdt = at(view(root).getUint32(16, true));
    const xsdt = at(Number(view(root).getBigUint64(24, true)));
    expect([text(rsdt, 0, 4), text(xsdt, 0, 4)]).toEqual(["RSDT", "XSDT"]);
    const pointers = expected.map((_, index) => Number(view(xsdt).getBigUint64(36 + 8 * index, true)));
    expect(expected.map((_, index) => view(rsdt).getUint32(36 + 4 * index, true))).toEqual(pointers);
    expect(pointers.map((gpa) => text(at(gpa), 0, 4))).toEqual(expected);
    const fadt = view(at(pointers[0]!));
    expect(text(at(fadt.getUint32(36, true)), 0, 4)).toBe("FACS");
    expect(text(at(fadt.getUint32(40, true)), 0, 4)).toBe("DSDT");
    expect(Number(fadt.getBigUint64(140, true))).toBe(fadt.getUint32(40, true));
  });
});

describe("FADT", () => {
  const fadt = view(build(EXAMPLE_PLATFORM).tables.get("FACP")!);

  it("puts registers where ACPI 6.5 table 5.9 says", () => {
    expect(fadt.byteLength).toBe(276);
    expect([
      fadt.getUint16(46, true),
      fadt.getUint32(56, true),
      fadt.getUint32(64, true),
      fadt.getUint32(76, true),
      fadt.getUint32(80, true),
    ]).toEqual([9, 0x600, 0x604, 0x608, 0xafe0]);
    expect([fadt.getUint8(88), fadt.getUint8(89), fadt.getUint8(91), fadt.getUint8(92), fadt.getUint8(108)]).toEqual([4, 2, 4, 4, 0x32]);
    expect(fadt.getUint16(109, true) & 0x27).toBe(0x03);
    expect([fadt.getUint8(116), Number(fadt.getBigUint64(120, true)), fadt.getUint8(128)]).toEqual([1, 0xcf9, 6]);
    expect([148, 172, 208, 220].map((at) => Number(fadt.getBigUint64(at + 4, true)))).toEqual([0x600, 0x604, 0x608, 0xafe0]);
  });

  it("tells absent hardware in its flags", () => {
    const bare = view(build(PLATFORMS["microvm"]!).tables.get("FACP")!);
    expect(bare.getUint16(109, true)).toBe(0x34);
    expect([bare.getUint32(80, true), bare.getUint8(92), bare.getUint8(108)]).toEqual([0, 0, 0]);
    expect(bare.getUint32(112, true) & 0x100).toBe(0x100);
    expect(fadt.getUint32(112, true) & 0x100).toBe(0);
  });
});

describe("MADT", () => {
  it("lists processors, the IO-APIC, overrides and NMI", () => {
    const madt = build(EXAMPLE_PLATFORM).tables.get("APIC")!;
    expect(Buffer.from(madt.subarray(36)).toString("hex")).toBe(
      "0000e0fe01000000" +
        "0008000001000000" +
        "0008010101000000" +
        "010c02000000c0fe00000000" +
        "020a0000020000000000" +
        "020a0009090000000d00" +
        "0406ff000001",
    );
  });

  it("describes an active-low SCI and large identifiers", () => {
    const power = { ...EXAMPLE_PLATFORM.power, sci: { irq: 9, polarity: "low" as const } };
    const madt = Buffer.from(build({ ...EXAMPLE_PLATFORM, power, apicIds: [0, 255] }).tables.get("APIC")!).toString("hex");
    expect(madt).toContain("020a0009090000000f00");
    expect(madt).toContain("09100000ff0000000100000001000000");
    expect(madt).toContain("0a0c0000ffffffff01000000");
  });
});

const CASES = Object.entries(PLATFORMS).flatMap(([label, platform]) =>
  ["DSDT", "FACP", "FACS", "APIC", "RSDT", "XSDT"].map((signature) => ({
    label,
    signature,
    bytes: build(platform).tables.get(signature)!,
  })),
);

describeWithPeers(["iasl"], "ACPI tables against iasl", () => {
  const folder = mkdtempSync(join(tmpdir(), "nido-acpi-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(CASES)("takes the $signature of $label apart and makes the same again", ({ label, signature, bytes }) => {
    const file = join(folder, `${label}-${signature}`);
    writeFileSync(`${file}.aml`, bytes);
    execFileSync("iasl", ["-d", `${file}.aml`], { stdio: "pipe" });
    const output = execFileSync("iasl", ["-oa", "-p", `${file}-again`, `${file}.dsl`], { encoding: "utf8", stdio: "pipe" });
    expect(output).not.toMatch(/[1-9]\d* (Errors|Warnings)/);
    const body = signature === "FACS" ? 0 : 36;
    expect(readFileSync(`${file}-again.aml`).subarray(body).toString("hex")).toBe(Buffer.from(bytes.subarray(body)).toString("hex"));
  });
});
