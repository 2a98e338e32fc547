// The interrupt services that Linux's 16-bit setup code asks a BIOS for, for boards that start it without one: memory size and
// map by INT 15h, base memory by INT 12h. Video and keyboard calls change nothing; all others answer "not supported" (carry
// set), which setup code copes with. Hardware interrupts return at once; setup code masks them before protected mode.
import type { Gpa } from "../memory/gpa.ts";
import { assert } from "../support/assert.ts";
import { ByteWriter } from "./byte-writer.ts";
import type { GuestWrite } from "./guest-write.ts";
import { EBDA, HIGH_MEMORY, REAL_MODE_SERVICES } from "./layout.ts";
import { RANGE_TYPE, type MemoryRange } from "./memory-map.ts";

const SERVICE_SEGMENT = 0xf000;
const SERVICE_OFFSET: number = REAL_MODE_SERVICES - SERVICE_SEGMENT * 16;
const E820_BYTES = 20;
/** The map's index is compared as a signed byte. */
const MOST_RANGES = 100;

/** BIOS data area: EBDA segment and KiB of base memory. */
const BDA_EBDA: Gpa = 0x40e;
const BDA_BASE_MEMORY: Gpa = 0x413;

/** Conditional and plain short jumps. */
const JE = 0x74;
const JNE = 0x75;
const JAE = 0x73;
const JMP = 0xeb;

/** 16-bit machine code with labels. */
type Code = readonly number[] | { readonly label: string } | { readonly jump: number; readonly to: string };

interface Assembled {
  readonly bytes: readonly number[];
  /** Where a label's code starts. */
  readonly offsetOf: (label: string) => number;
}

function assemble(code: readonly Code[]): Assembled {
  const bytes: number[] = [];
  const labels = new Map<string, number>();
  const jumps: { at: number; to: string }[] = [];
  for (const item of code) {
    if ("label" in item) labels.set(item.label, bytes.length);
    else if ("jump" in item) jumps.push({ at: bytes.push(item.jump, 0) - 1, to: item.to });
    else bytes.push(...item);
  }
  const offsetOf = (label: string): number => {
    const offset = labels.get(label);
    assert(offset !== undefined, `label ${label}`);
    return offset;
  };
  for (const { at, to } of jumps) {
    const distance = offsetOf(to) - (at + 1);
    assert(distance >= -128 && distance < 128, `short jump to ${to}`);
    bytes[at] = distance & 0xff;
  }
  return { bytes, offsetOf };
}

const le16 = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff];

/** INT 15h AX=E820h: one range a call; EBX is the index of the next and 0 after the last (ACPI 6.5 §15.1). */
function queryAddressMap(tableOffset: number, count: number): Code[] {
  return [
    { label: "e820" },
    [0x66, 0x81, 0xfa, 0x50, 0x41, 0x4d, 0x53], // cmp edx, "SMAP"
    { jump: JNE, to: "unsupported" },
    [0x66, 0x83, 0xfb, count], // cmp ebx, count
    { jump: JAE, to: "unsupported" },
    [0x56, 0x57, 0x1e, 0x0e, 0x1f], // push si; push di; push ds; push cs; pop ds
    [0x6b, 0xf3, E820_BYTES], // imul si, bx, 20
    [0x81, 0xc6, ...le16(tableOffset)], // add si, table
    [0xb9, ...le16(E820_BYTES / 2), 0xfc, 0xf3, 0xa5], // mov cx, 10; cld; rep movsw
    [0x1f, 0x5f, 0x5e], // pop ds; pop di; pop si
    [0x66, 0xb9, E820_BYTES, 0, 0, 0], // mov ecx, 20
    [0x66, 0x89, 0xd0], // mov eax, edx
    [0x66, 0x43], // inc ebx
    [0x66, 0x83, 0xfb, count], // cmp ebx, count
    { jump: JNE, to: "supported" },
    [0x66, 0x31, 0xdb], // xor ebx, ebx
    { jump: JMP, to: "supported" },
  ];
}

/** INT 15h AX=E801h: KiB from 1 to 16 MiB, 64 KiB blocks above. AH=88h: KiB above 1 MiB, 16 bits. */
function querySizes(extendedKib: number): Code[] {
  const below16 = Math.min(extendedKib, 0x3c00);
  const blocks = Math.min(Math.floor((extendedKib - below16) / 64), 0xffff);
  return [
    { label: "e801" },
    [0xb8, ...le16(below16), 0xbb, ...le16(blocks)], // mov ax, KiB; mov bx, blocks
    [0x89, 0xc1, 0x89, 0xda], // mov cx, ax; mov dx, bx
    { jump: JMP, to: "supported" },
    { label: "88" },
    [0xb8, ...le16(Math.min(extendedKib, 0xffff))], // mov ax, KiB
    { jump: JMP, to: "supported" },
  ];
}

/** The ways back: carry clear or set in the caller's flags, which lie 6 bytes above the pushed BP. */
const RETURNS: readonly Code[] = [
  { label: "supported" },
  [0x55, 0x89, 0xe5, 0x80, 0x66, 0x06, 0xfe, 0x5d, 0xcf], // push bp; mov bp, sp; and byte [bp+6], FEh; pop bp; iret
  { label: "unsupported" },
  [0x55, 0x89, 0xe5, 0x80, 0x4e, 0x06, 0x01, 0x5d], // push bp; mov bp, sp; or byte [bp+6], 1; pop bp
  { label: "unchanged" },
  [0xcf], // iret
  { label: "base-memory" },
  [0xb8, ...le16(EBDA / 1024), 0xcf], // mov ax, KiB; iret
];

function extendedKib(map: readonly MemoryRange[]): number {
  const range = map.find(({ base, kind }) => base === HIGH_MEMORY && kind === "ram");
  return range === undefined ? 0 : Math.floor(range.length / 1024);
}

/** Which label an interrupt vector leads to: processor and 8259 vectors, video and keyboard change nothing. */
function handlerOf(vector: number): string {
  if (vector < 0x11 || vector === 0x16 || (vector >= 0x70 && vector < 0x78)) return "unchanged";
  if (vector === 0x12) return "base-memory";
  return vector === 0x15 ? "system" : "unsupported";
}

/** The service code with its copy of the memory map, the interrupt vectors that lead to it, and the BIOS data area. */
export function realModeServices(memoryMap: readonly MemoryRange[]): GuestWrite[] {
  const map = memoryMap.slice(0, MOST_RANGES);
  const table = new ByteWriter();
  for (const { base, length, kind } of map) table.u64(base).u64(length).u32(RANGE_TYPE[kind]);
  const code = assemble([
    { label: "system" },
    [0x3d, 0x20, 0xe8], // cmp ax, E820h
    { jump: JE, to: "e820" },
    [0x3d, 0x01, 0xe8], // cmp ax, E801h
    { jump: JE, to: "e801" },
    [0x80, 0xfc, 0x88], // cmp ah, 88h
    { jump: JE, to: "88" },
    { jump: JMP, to: "unsupported" },
    ...queryAddressMap(SERVICE_OFFSET, map.length),
    ...querySizes(extendedKib(map)),
    ...RETURNS,
  ]);
  const vectors = new ByteWriter();
  for (let vector = 0; vector < 256; vector++) {
    vectors.u16(SERVICE_OFFSET + table.length + code.offsetOf(handlerOf(vector))).u16(SERVICE_SEGMENT);
  }
  return [
    { gpa: REAL_MODE_SERVICES, bytes: table.bytes(code.bytes).finish() },
    { gpa: 0, bytes: vectors.finish() },
    { gpa: BDA_EBDA, bytes: new ByteWriter().u16(EBDA / 16).finish() },
    { gpa: BDA_BASE_MEMORY, bytes: new ByteWriter().u16(EBDA / 1024).finish() },
  ];
}
