import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { enumerateHandlers } from "../isa/handlers.ts";
import { INSTRUCTIONS } from "../isa/index.ts";
import { MODE, RIP_PAGE, SEG_BASE, STATE, ZERO } from "../state.ts";
import { Decoder, STATUS } from "./decoder.ts";
import { buildTables } from "./build-tables.ts";

type Bits = 16 | 32 | 64;

const MODES: Readonly<Record<Bits, number>> = { 16: 0, 32: MODE.code32, 64: MODE.long };
const set = enumerateHandlers(INSTRUCTIONS);
const decoder = new Decoder(buildTables(set));
const bytesOf = (hex: string): number[] => hex.split(" ").map((byte) => parseInt(byte, 16));

/** Decodes bytes behind which there is nothing, or `room` bytes of zeros. */
function decode(hex: string, bits: Bits = 64, room = 0): Decoder & { status: number } {
  const bytes = bytesOf(hex);
  const status = decoder.decode(Uint8Array.from([...bytes, ...new Array<number>(room).fill(0)]), 0, bytes.length + room, MODES[bits]);
  return Object.assign(decoder, { status });
}

/** The instruction with its operands' kinds and widths, or what went wrong. */
function text(hex: string, bits: Bits = 64, room = 0): string {
  const d = decode(hex, bits, room);
  if (d.status !== STATUS.ok) return Object.entries(STATUS).find(([, s]) => s === d.status)![0];
  const { instruction, operands } = set.variants[d.row]!;
  return `${instruction.name} ${operands.map((o) => o.kind + o.width).join()} (${d.length})`;
}

/** The address of a memory operand in words. */
function address(hex: string, bits: Bits = 64): string {
  const d = decode(hex, bits);
  expect(d.status).toBe(STATUS.ok);
  const name = (slot: number): string => (slot === RIP_PAGE ? "rip" : Object.entries(STATE).find(([, s]) => s.offset === slot)![0]);
  const segment = ["es", "cs", "ss", "ds", "fs", "gs"][d.segment]!;
  const parts = [d.base, d.index]
    .filter((slot) => slot !== ZERO)
    .map((slot) => name(slot) + (slot === d.index && d.scale ? `*${1 << d.scale}` : ""));
  return `${segment}:${[...parts, d.displacement].join("+")}${d.address16 ? " a16" : d.address32 ? " a32" : ""}`;
}

describe("prefixes", () => {
  it("of the older kind come in any order", () => {
    const prefixes = ["66", "67", "64", "f0"];
    fc.assert(
      fc.property(fc.shuffledSubarray(prefixes, { minLength: 4 }), (list) => {
        expect(text(`${list.join(" ")} 83 00 01`)).toBe("ADD mem16,imm16 (7)");
        expect([decoder.lock, decoder.address32, decoder.segment, decoder.seg]).toEqual([true, true, 4, SEG_BASE + 4 * 8]);
      }),
    );
  });

  it("count when they are repeated once, and of F2 and F3 the last", () => {
    expect(text("66 66 90")).toBe("NOP  (3)");
    expect(text("f2 f3 0f 10 c1")).toBe("MOVSS xmm128,xmm128 (5)");
    expect(text("f3 f2 0f 10 c1")).toBe("MOVSD xmm128,xmm128 (5)");
  });

  it("F2 and F3 are mandatory before 66", () => {
    expect(["0f 10 c1", "66 0f 10 c1", "66 f3 0f 10 c1", "f2 66 0f 10 c1"].map((hex) => text(hex).split(" ")[0])).toEqual([
      "MOVUPS",
      "MOVUPD",
      "MOVSS",
      "MOVSD",
    ]);
  });

  it("REX counts in the last place only", () => {
    expect(text("48 01 c0")).toBe("ADD reg64,reg64 (3)");
    expect(text("66 48 01 c0")).toBe("ADD reg64,reg64 (4)");
    expect(text("48 66 01 c0")).toBe("ADD reg16,reg16 (4)");
    expect(text("48 40 01 c0")).toBe("ADD reg32,reg32 (4)");
    expect(text("48 01 c0", 32)).toBe("DEC reg32 (1)");
  });

  it("REX gives the low bytes of four registers for the high ones", () => {
    const field = (hex: string): number => (decode(hex), decoder.operand[0]!);
    expect([field("88 c4"), field("88 c7"), field("40 88 c4"), field("41 88 c4")]).toEqual([1, 3 * 8 + 1, 4 * 8, 12 * 8]);
  });

  it("ES, CS, SS and DS do nothing in 64-bit code, not even after FS", () => {
    expect(address("64 2e 8b 00")).toBe("fs:rax+0");
    expect(decoder.seg).toBe(SEG_BASE + 4 * 8);
    expect(address("36 8b 00")).toBe("ds:rax+0");
    expect(address("64 2e 8b 00", 32)).toBe("cs:rax+0 a32");
  });

  it("repeat string instructions, and are part of others or none", () => {
    const repeat = (hex: string): string => (decode(hex), set.variants[decoder.row]!.repeat);
    expect([repeat("a4"), repeat("f3 a4"), repeat("f2 a4")]).toEqual(["", "repe", "repne"]);
    expect(text("f3 90")).toBe("PAUSE  (2)");
    expect(text("f2 01 c0")).toBe("ADD reg32,reg32 (3)");
  });

  it("REX.B makes an exchange of NOP", () => {
    expect([text("90"), text("48 90"), text("41 90")]).toEqual(["NOP  (1)", "NOP  (2)", "XCHG reg32,reg32 (2)"]);
  });
});

describe("operand size", () => {
  it.each([
    ["b8 00 00", 16, "MOV reg16,imm16 (3)"],
    ["66 b8 00 00 00 00", 16, "MOV reg32,imm32 (6)"],
    ["b8 00 00 00 00", 32, "MOV reg32,imm32 (5)"],
    ["66 b8 00 00", 32, "MOV reg16,imm16 (4)"],
    ["48 b8 00 00 00 00 00 00 00 00", 64, "MOV reg64,imm64 (10)"],
    ["50", 64, "PUSH reg64 (1)"],
    ["66 50", 64, "PUSH reg16 (2)"],
    ["48 50", 64, "PUSH reg64 (2)"],
    ["50", 32, "PUSH reg32 (1)"],
    ["66 e9 00 00 00 00", 64, "JMP imm64 (6)"],
    ["66 e9 00 00", 32, "JMP imm64 (4)"],
    ["06", 64, "undefined"],
    ["06", 32, "PUSH sreg16 (1)"],
    ["0f 05", 32, "undefined"],
    ["0f 05", 64, "SYSCALL  (2)"],
  ] as const)("%s in %d-bit code: %s", (hex, bits, wanted) => {
    expect(text(hex, bits)).toBe(wanted);
  });
});

describe("LOCK", () => {
  it.each([
    ["f0 01 08", "ADD mem32,reg32 (3)"],
    ["f0 0f ab 08", "BTS mem32,reg32 (4)"],
    ["f0 0f c7 08", "CMPXCHG8B mem64 (4)"],
    ["f0 01 c8", "undefined"],
    ["f0 39 08", "undefined"],
    ["f0 89 08", "undefined"],
    ["f0 03 08", "undefined"],
    ["f0 90", "undefined"],
  ])("%s: %s", (hex, wanted) => {
    expect(text(hex)).toBe(wanted);
  });

  it("is judged when all bytes have been fetched", () => {
    expect(text("f0 81 c0 00 00 00")).toBe("more");
    expect(text("f0 81 c0 00 00 00 00")).toBe("undefined");
    expect(decoder.length).toBe(7);
  });
});

describe("length", () => {
  const prefixed = (n: number, rest: string): string => [...new Array<string>(n).fill("66"), rest].join(" ");

  it("is at most 15 bytes", () => {
    expect(text(prefixed(14, "90"), 64, 8)).toBe("NOP  (15)");
    expect(text(prefixed(15, "90"), 64, 8)).toBe("tooLong");
    expect(text(prefixed(9, "81 00 00 00"), 32, 8)).toBe("ADD mem16,imm16 (13)");
    expect(text(prefixed(11, "81 80 00 00 00 00 00 00"), 64, 8)).toBe("tooLong");
  });

  it("is not decided before 15 bytes were seen", () => {
    expect(text(prefixed(14, "66"), 64)).toBe("tooLong");
    expect(text(prefixed(13, "66"), 64)).toBe("more");
  });

  it("is never reached by fewer bytes", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 15, maxLength: 15 }),
      fc
        .tuple(
          fc.constantFrom([0x48], [0x66], [0x0f], [0x66, 0x0f], [0x0f, 0x38], [0xf3, 0x0f]),
          fc.uint8Array({ minLength: 15, maxLength: 15 }),
        )
        .map(([head, rest]) => Uint8Array.from([...head, ...rest])),
    );
    fc.assert(
      fc.property(bytes, fc.constantFrom<Bits>(16, 32, 64), (code, bits) => {
        if (decoder.decode(code, 0, 15, MODES[bits]) !== STATUS.ok) return;
        const { length, handler } = decoder;
        for (let n = 0; n < length; n++) expect(decoder.decode(code, 0, n, MODES[bits])).toBe(STATUS.more);
        expect([decoder.decode(code, 0, length, MODES[bits]), decoder.length, decoder.handler]).toEqual([STATUS.ok, length, handler]);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("addresses", () => {
  it.each([
    // Without SIB: RIP-relative in 64-bit code, absolute elsewhere.
    ["8b 05 fc ff ff ff", 64, "ds:rip+-4"],
    ["67 8b 05 fc ff ff ff", 64, "ds:rip+-4 a32"],
    ["8b 05 fc ff ff ff", 32, "ds:-4 a32"],
    ["8b 45 80", 64, "ss:rbp+-128"],
    ["41 8b 45 00", 64, "ds:r13+0"],
    ["65 8b 45 00", 64, "gs:rbp+0"],
    ["8b 80 00 00 00 80", 64, "ds:rax+-2147483648"],
    // With SIB: index 4 is none, whatever the scale; R12 is one.
    ["8b 04 24", 64, "ss:rsp+0"],
    ["8b 04 e4", 64, "ss:rsp+0"],
    ["42 8b 04 e4", 64, "ss:rsp+r12*8+0"],
    ["41 8b 04 24", 64, "ds:r12+0"],
    ["8b 04 88", 64, "ds:rax+rcx*4+0"],
    ["8b 44 48 7f", 64, "ds:rax+rcx*2+127"],
    // Base 5 without displacement is no base but a displacement, also for R13.
    ["8b 04 25 10 00 00 00", 64, "ds:16"],
    ["41 8b 04 25 10 00 00 00", 64, "ds:16"],
    ["8b 04 2d 10 00 00 00", 64, "ds:rbp+16"],
    ["8b 44 25 10", 64, "ss:rbp+16"],
    ["41 8b 44 25 10", 64, "ds:r13+16"],
    ["8b 04 2c", 32, "ss:rsp+rbp+0 a32"],
    // 16 bits.
    ["8b 00", 16, "ds:rbx+rsi+0 a16"],
    ["8b 02", 16, "ss:rbp+rsi+0 a16"],
    ["8b 07", 16, "ds:rbx+0 a16"],
    ["8b 06 34 12", 16, "ds:4660 a16"],
    ["8b 46 ff", 16, "ss:rbp+-1 a16"],
    ["8b 81 00 80", 16, "ds:rbx+rdi+-32768 a16"],
    ["67 8b 06 34 12", 32, "ds:4660 a16"],
    ["67 8b 00", 16, "ds:rax+0 a32"],
  ] as const)("%s in %d-bit code: %s", (hex, bits, wanted) => {
    expect(address(hex, bits)).toBe(wanted);
  });

  it.each([
    ["a1 34 12", 16, 3, 0x1234n],
    ["a1 34 82", 16, 3, 0x8234n],
    ["a1 78 56 34 92", 32, 5, 0x9234_5678n],
    ["67 a1 34 82", 32, 4, 0x8234n],
    ["a1 88 77 66 55 44 33 22 91", 64, 9, 0x9122_3344_5566_7788n],
    ["67 a1 78 56 34 92", 64, 6, 0x9234_5678n],
  ] as const)("%s: whole addresses in %d-bit code", (hex, bits, length, wanted) => {
    const d = decode(hex, bits);
    const low = BigInt(d.immLow >>> 0);
    expect([d.status, d.length, bits === 64 && !d.address32 ? (BigInt(d.immHigh >>> 0) << 32n) | low : low]).toEqual([
      STATUS.ok,
      length,
      wanted,
    ]);
  });

  it("of control and debug registers are none, whatever ModRM.mod says", () => {
    expect([text("0f 20 c3"), text("0f 20 03"), text("0f 23 44", 32)]).toEqual([
      "MOV CR reg64,cr64 (3)",
      "MOV CR reg64,cr64 (3)",
      "MOV to DR dr64,reg32 (3)",
    ]);
  });
});

describe("immediates", () => {
  it("are sign-extended", () => {
    const immediate = (hex: string, bits: Bits = 64): number[] => (decode(hex, bits), [decoder.immLow, decoder.immHigh]);
    expect(immediate("6a 80")).toEqual([-128, -1]);
    expect(immediate("48 c7 c0 00 00 00 80")).toEqual([-(2 ** 31), -1]);
    expect(immediate("48 b8 01 00 00 00 00 00 00 80")).toEqual([1, -(2 ** 31)]);
    expect(immediate("d1 e0")).toEqual([1, 0]);
  });

  it("come in pairs for ENTER and far pointers", () => {
    decode("c8 34 12 85");
    expect([decoder.immLow, decoder.displacement]).toEqual([0x1234, 0x85]);
    decode("ea 78 56 34 12 cd ab", 32);
    expect([decoder.immLow, decoder.displacement]).toEqual([0x1234_5678, 0xabcd]);
  });

  it("are displacements of branches where a row says so", () => {
    decode("eb fe");
    expect([decoder.relative, decoder.immLow]).toEqual([true, -2]);
    decode("04 fe");
    expect(decoder.relative).toBe(false);
  });
});
