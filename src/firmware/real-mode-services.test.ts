import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { describeWithPeers } from "../../test/peers.ts";
import { REAL_MODE_SERVICES } from "./layout.ts";
import { memoryMap } from "./memory-map.ts";
import { realModeServices } from "./real-mode-services.ts";

const MAP = memoryMap({ lowSize: 0x400_0000, highSize: 0 });
const TABLE_BYTES = MAP.length * 20;
const writes = new Map(realModeServices(MAP).map(({ gpa, bytes }) => [gpa, bytes]));
const services = writes.get(REAL_MODE_SERVICES)!;
const view = new DataView(services.buffer);

function vector(number: number): { segment: number; code: Uint8Array } {
  const table = new DataView(writes.get(0)!.buffer);
  const offset = table.getUint16(number * 4, true);
  return { segment: table.getUint16(number * 4 + 2, true), code: services.subarray(offset - 0xe000) };
}

describe("real-mode services", () => {
  it("hold the memory map as 20-byte records", () => {
    const records = MAP.map((_, index) => [view.getBigUint64(index * 20, true), view.getBigUint64(index * 20 + 8, true)].map(Number));
    expect(records).toEqual(MAP.map(({ base, length }) => [base, length]));
    expect(MAP.map((_, index) => view.getUint32(index * 20 + 16, true))).toEqual([1, 2, 2, 1, 3, 4]);
  });

  it("point every vector into the code", () => {
    const at = Array.from({ length: 256 }, (_, number) => vector(number));
    expect(at.every(({ segment, code }) => segment === 0xf000 && code.length > 0 && code.length <= services.length - TABLE_BYTES)).toBe(
      true,
    );
    expect([8, 0x10, 0x16, 0x70].map((number) => at[number]!.code[0])).toEqual([0xcf, 0xcf, 0xcf, 0xcf]);
    expect(Array.from(at[0x12]!.code.subarray(0, 4))).toEqual([0xb8, 0x7f, 0x02, 0xcf]);
    expect(Array.from(at[0x13]!.code.subarray(0, 9))).toEqual([0x55, 0x89, 0xe5, 0x80, 0x4e, 0x06, 0x01, 0x5d, 0xcf]);
  });

  it("fill the BIOS data area", () => {
    expect([writes.get(0x40e), writes.get(0x413)].map((bytes) => Array.from(bytes!))).toEqual([
      [0xc0, 0x9f],
      [0x7f, 0x02],
    ]);
  });
});

const EXPECTED = [
  "cmp ax,0xe820",
  "je",
  "cmp ax,0xe801",
  "je",
  "cmp ah,0x88",
  "je",
  "jmp",
  "cmp edx,0x534d4150",
  "jne",
  "cmp ebx,0x6",
  "jae",
  "push si",
  "push di",
  "push ds",
  "push cs",
  "pop ds",
  "imul si,bx,0x14",
  "add si,0xe000",
  "mov cx,0xa",
  "cld",
  "rep movs WORD PTR es:[di],WORD PTR ds:[si]",
  "pop ds",
  "pop di",
  "pop si",
  "mov ecx,0x14",
  "mov eax,edx",
  "inc ebx",
  "cmp ebx,0x6",
  "jne",
  "xor ebx,ebx",
  "jmp",
  "mov ax,0x3c00",
  "mov bx,0x2fe",
  "mov cx,ax",
  "mov dx,bx",
  "jmp",
  "mov ax,0xfb80",
  "jmp",
  "push bp",
  "mov bp,sp",
  "and BYTE PTR [bp+0x6],0xfe",
  "pop bp",
  "iret",
  "push bp",
  "mov bp,sp",
  "or BYTE PTR [bp+0x6],0x1",
  "pop bp",
  "iret",
  "mov ax,0x27f",
  "iret",
];

describeWithPeers(["objdump"], "real-mode services against objdump", () => {
  it("disassembles to the instructions meant, with jumps to their labels", () => {
    const folder = mkdtempSync(join(tmpdir(), "nido-services-"));
    const file = join(folder, "code.bin");
    writeFileSync(file, services.subarray(TABLE_BYTES));
    const text = execFileSync("objdump", ["-D", "-b", "binary", "-m", "i8086", "-M", "intel", "--no-show-raw-insn", file], {
      encoding: "utf8",
    });
    rmSync(folder, { recursive: true });
    const lines = Array.from(text.matchAll(/^\s*([0-9a-f]+):\s+(.*?)\s*$/gm), ([, at, line]) => ({
      at: Number.parseInt(at!, 16),
      line: line!.replaceAll(/\s+/g, " "),
    }));
    expect(lines.map(({ line }) => (line.startsWith("j") ? line.split(" ")[0] : line))).toEqual(EXPECTED);
    const instructionAt = new Map(lines.map(({ at }, index) => [at, index]));
    const jumps = lines.filter(({ line }) => line.startsWith("j"));
    const twoOn = jumps.map(({ line }) => EXPECTED[instructionAt.get(Number.parseInt(line.split(" ")[1]!, 16))! + 2]);
    const [e820, e801, size88] = ["cmp ebx,0x6", "mov cx,ax", "push bp"];
    const [supported, unsupported] = ["and BYTE PTR [bp+0x6],0xfe", "or BYTE PTR [bp+0x6],0x1"];
    expect(twoOn).toEqual([e820, e801, size88, unsupported, unsupported, unsupported, supported, supported, supported, supported]);
  });
});
