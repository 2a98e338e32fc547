// Files of symbols as users and attackers give them.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VmError } from "../../support/errors.ts";
import { exampleSymbols } from "./example-symbols.ts";
import { GuestSymbols } from "./guest-symbols.ts";
import { readElfSymbols } from "./symbol-elf.ts";
import { readSymbolText } from "./symbol-text.ts";
import { LONGEST_NAME, MOST_SYMBOLS, SymbolList } from "./symbols.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (lines: string): ReturnType<typeof readSymbolText> => readSymbolText("map", bytes(lines));

/** Why a file is refused. */
function refusal(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (VmError.is(error, "SYMBOLS_INVALID") && error.remedy.includes("System.map")) return error.message;
    throw error;
  }
  throw new Error("accepted");
}

describe("symbols as text", () => {
  it("cover the code from one to the next", () => {
    const table = text("ffffffff81000000 T first\nffffffff81000010 t second\n");
    expect(table.find(0xffff_ffff_8100_000fn)).toEqual({ name: "first", offset: 15 });
    expect(table.find(0xffff_ffff_8100_0010n)).toEqual({ name: "second", offset: 0 });
    expect(table.find(0xffff_ffff_80ff_ffffn)).toBeUndefined();
  });

  it("do not reach far beyond the last", () => {
    const table = text("1000 T last\n");
    expect(table.find(0x1000n + 0xf_ffffn)?.name).toBe("last");
    expect(table.find(0x1000n + 0x10_0000n)).toBeUndefined();
  });

  it("are those of code, of modules too, in any order", () => {
    const table = text("3000 t far\t[mod]\n1000 T near\n1800 D data\n0000 A absolute\n2000 W weak\n                 U printf\n\n");
    expect([0x1900n, 0x2001n, 0x3001n, 1n].map((a) => table.find(a)?.name)).toEqual(["near", "weak", "far [mod]", undefined]);
    expect(table.size).toBe(3);
  });

  it("at one address answer with the first", () => {
    expect(text("1000 T a\n1000 T b\n1000 t c\n2000 T d\n").find(0x1001n)?.name).toBe("a");
  });

  it.each([
    ["empty", "", /names no code/],
    ["of data only", "1000 D jiffies\n", /names no code/],
    ["hidden from its reader", "0000000000000000 T a\n0000000000000000 t b\n", /kptr_restrict/],
    ["something else", "#!/bin/sh\n", /line 1 is not an address, a type and a name: "#!\/bin\/sh"/],
    ["with an address of 17 digits", "1000 T a\n12345678123456781 T b\n", /line 2/],
    ["one endless line", "1".repeat(100_000), /line 1 is longer than 4096 bytes/],
  ])("that are %s are refused", (_case, lines, why) => {
    expect(refusal(() => text(lines))).toMatch(why);
  });

  it("with long names are cut, and with too many refused", () => {
    expect(text(`1000 T ${"n".repeat(4000)}\n`).find(0x1000n)?.name).toBe("n".repeat(LONGEST_NAME));
    const list = new SymbolList("huge");
    const fill = (): void => {
      for (let i = 0; i <= MOST_SYMBOLS; i++) list.add(BigInt(i), 0, "x");
    };
    expect(refusal(fill)).toContain(`more than ${MOST_SYMBOLS} symbols`);
    const wordy = new SymbolList("wordy");
    const talk = (): void => {
      for (let i = 0; i < MOST_SYMBOLS; i++) wordy.add(BigInt(i), 0, "n".repeat(LONGEST_NAME));
    };
    expect(refusal(talk)).toContain("characters");
  });

  it("are read or refused, whatever they hold", () => {
    const line = fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f]{1,17} [A-Za-z] \S{1,8}$/));
    fc.assert(
      fc.property(fc.array(line), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (lines, address) => {
        try {
          expect(text(lines.join("\n")).find(address)?.offset ?? 0).toBeGreaterThanOrEqual(0);
        } catch (error) {
          expect(VmError.is(error, "SYMBOLS_INVALID")).toBe(true);
        }
      }),
    );
  });
});

describe.each([32, 64] as const)("symbols of a %i-bit ELF file", (bits) => {
  const symbols = [
    { name: "main", address: 0x40_1000n, bytes: 0x20n },
    { name: "entry", address: 0x40_2000n, bytes: 0n, type: 0 },
    { name: "object", address: 0x40_1040n, bytes: 8n, type: 1 },
    { name: ".Llabel", address: 0x40_1050n, bytes: 0n, type: 0 },
    { name: "elsewhere", address: 0x40_1060n, bytes: 8n, section: 0 },
  ];

  it("cover as much as they say", () => {
    const table = readElfSymbols("prog", exampleSymbols(bits, symbols));
    expect(table.find(0x40_101fn)).toEqual({ name: "main", offset: 0x1f });
    expect([0x40_1020n, 0x40_1041n, 0x40_1050n, 0x40_1060n].map((a) => table.find(a))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(table.find(0x40_2fffn)?.name).toBe("entry");
  });

  it("are refused where they are cut off, wherever that is", () => {
    const whole = exampleSymbols(bits, symbols);
    for (let length = 0; length < whole.length; length++)
      expect(refusal(() => readElfSymbols("prog", whole.slice(0, length)))).toMatch(/truncated|stripped/);
  });

  it("are read or refused, whatever is wrong with them", () => {
    const whole = exampleSymbols(bits, symbols);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }), (changes) => {
        const damaged = whole.slice();
        for (const [at, value] of changes) damaged[at] = value;
        try {
          expect(readElfSymbols("prog", damaged).size).toBeGreaterThan(0);
        } catch (error) {
          expect(VmError.is(error, "SYMBOLS_INVALID")).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("of a stripped file, and of another machine's, are refused", () => {
    expect(refusal(() => readElfSymbols("prog", exampleSymbols(bits, [])))).toMatch(/names no code/);
    const arm = exampleSymbols(bits, symbols);
    arm[18] = 183;
    expect(refusal(() => readElfSymbols("prog", arm))).toMatch(/not for x86/);
  });
});

describe("the symbols of a guest", () => {
  const KERNEL = "ffffffff81000000 T _stext\nffffffff81c00000 T entry_SYSCALL_64\n";
  const guest = (...files: readonly [string, Uint8Array, bigint | undefined][]): GuestSymbols => {
    const symbols = new GuestSymbols();
    for (const [label, content, bias] of files) symbols.add(label, content, bias);
    return symbols;
  };

  it("lie where the user says", () => {
    const symbols = guest(["prog", exampleSymbols(64, [{ name: "main", address: 0x1000n, bytes: 16n }]), 0x5555_5555_4000n]);
    expect(symbols.find(0x5555_5555_5004n)).toEqual({ name: "main", offset: 4, file: "prog" });
    expect(symbols.find(0x1004n)).toBeUndefined();
  });

  it("are a kernel's where its system calls begin, wherever it has moved itself", () => {
    const symbols = guest(["map", bytes(KERNEL), undefined]);
    expect(symbols.findKernel(0xffff_ffff_81c0_0000n + 0x1a20_0000n)).toEqual([]);
    expect(symbols.find(0xffff_ffff_9b20_0001n)).toEqual({ name: "_stext", offset: 1, file: "map" });
    expect(symbols.findKernel(0xffff_ffff_81c0_0000n - 0x20_0000n)).toEqual([]);
    expect(symbols.find(0xffff_ffff_80e0_0000n)?.name).toBe("_stext");
  });

  it("stay where they are when the kernel cannot be theirs, when it has not started, and when the user has placed them", () => {
    const symbols = guest(["map", bytes(KERNEL), undefined]);
    expect(symbols.findKernel(0xffff_ffff_81c0_1234n)).toEqual(["map"]);
    expect(symbols.findKernel(0x40_0000n)).toEqual(["map"]);
    expect(symbols.findKernel(0n)).toEqual([]);
    expect(symbols.find(0xffff_ffff_8100_0001n)?.name).toBe("_stext");
    const placed = guest(["map", bytes(KERNEL), 0n]);
    expect(placed.findKernel(0xffff_ffff_91c0_0000n)).toEqual([]);
    expect(placed.find(0xffff_ffff_8100_0001n)?.name).toBe("_stext");
  });

  it("come from the first file that knows an address", () => {
    const symbols = guest(["a", bytes("1000 T one\n"), undefined], ["b", bytes("1000 T other\n500000 T two\n"), undefined]);
    expect([0x1000n, 0x50_0000n].map((a) => symbols.find(a)?.name)).toEqual(["one", "two"]);
  });
});
