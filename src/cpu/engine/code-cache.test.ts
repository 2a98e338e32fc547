// Decoded code: what a block holds, how it is found and forgotten, and that running code notices; wherever RAM lies in memory.
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { GuestMemory } from "../../memory/guest-memory.ts";
import { Decoder } from "../decode/decoder.ts";
import { at, FAULT, MODE } from "../state.ts";
import { CodeCache } from "./code-cache.ts";
import { NO_DEVICES } from "../../testing/no-devices.ts";
import {
  ARENA,
  CODE_HASH,
  CODE_HASH_ENTRIES,
  CPU_AREA,
  HASH_MULTIPLIER,
  HASH_SHIFT,
  INTERNAL,
  INTERNAL_HANDLERS,
  PAGE_ENTRY,
  RECORD,
  TLB,
  VIEW,
} from "./layout.ts";
import { memoryLayout, Processor } from "./processor.ts";
import { ProgramGenerator } from "./generator.ts";

const RAM = 1 << 20;
const CODE = 0x1000;
/** The far half of the addresses, which are negative numbers to whoever forgets that they have no sign. */
const FAR = 0x8000_0000;

let program: ProgramGenerator;
beforeAll(() => {
  program = new ProgramGenerator();
});

/** A processor in real mode at CODE. */
function machine(ramBase: number): { readonly cpu: Processor; readonly memory: GuestMemory } {
  const memory = new GuestMemory(RAM, ramBase);
  const cpu = new Processor({ program: program.interpreter(), memory, host: NO_DEVICES });
  cpu.registers.setSegment("cs", { selector: 0, base: 0n, limit: 0xffff, access: 0x9b });
  cpu.registers.set("rip", BigInt(CODE));
  cpu.registers.commit();
  return { cpu, memory };
}

describe.each([
  ["near", memoryLayout(1, RAM).ramBase],
  ["far", FAR],
])("code in RAM that lies %s", (_where, ramBase) => {
  it("runs on over the border of a page, in the middle of an instruction too", () => {
    const { cpu, memory } = machine(ramBase);
    // NOPs, then `mov ax, 1234h` with its last byte on the next page, `mov bx, 5678h`, `hlt`.
    memory.write(CODE, new Uint8Array(0xffe).fill(0x90));
    memory.write(CODE + 0xffe, Uint8Array.of(0xb8, 0x34, 0x12, 0xbb, 0x78, 0x56, 0xf4));
    expect(cpu.run(10_000)).toBe("halt");
    expect([cpu.registers.get("rax"), cpu.registers.get("rbx"), cpu.registers.get("rip")]).toEqual([0x1234n, 0x5678n, 0x2005n]);
  });

  it("is forgotten when the guest or a device writes to it", () => {
    const { cpu, memory } = machine(ramBase);
    // `mov byte [1006h], 42h`, then `mov al, 0` whose operand that is, `hlt`.
    memory.write(CODE, Uint8Array.of(0xc6, 0x06, 0x06, 0x10, 0x42, 0xb0, 0x00, 0xf4));
    expect(cpu.run(100)).toBe("halt");
    expect(cpu.registers.get("rax")).toBe(0x42n);
    memory.write(CODE, Uint8Array.of(0xb0, 0x17, 0xf4));
    cpu.registers.set("rip", BigInt(CODE));
    cpu.registers.set("halted", 0n);
    cpu.registers.commit();
    expect(cpu.run(100)).toBe("halt");
    expect(cpu.registers.get("rax")).toBe(0x17n);
  });

  it("is decoded again when the byte that made it undefined is written", () => {
    const { cpu, memory } = machine(ramBase);
    // #UD leads to a HLT; FF /7 with two registers is no instruction, FF /0 is `inc ax`; HLT.
    memory.write(6 * 4, Uint8Array.of(0, 0x30, 0, 0));
    memory.write(0x3000, Uint8Array.of(0xf4));
    memory.write(CODE, Uint8Array.of(0xff, 0xf8, 0xf4));
    cpu.registers.set("rsp", 0x8000n);
    expect(cpu.run(100)).toBe("halt");
    expect(cpu.registers.get("rip")).toBe(0x3001n);
    memory.write(CODE + 1, Uint8Array.of(0xc0));
    cpu.registers.set("rip", BigInt(CODE));
    cpu.registers.set("halted", 0n);
    cpu.registers.commit();
    expect(cpu.run(100)).toBe("halt");
    expect([cpu.registers.get("rax"), cpu.registers.get("rip")]).toEqual([1n, BigInt(CODE + 3)]);
  });

  it("is reached anew by links and through the jump cache after it changed", () => {
    const { cpu, memory } = machine(ramBase);
    // `mov cx, 3`, then three times: calls of a function here and one on the next page, whose operands are incremented.
    memory.write(CODE, Uint8Array.of(0xb9, 3, 0, 0xe8, 0x0f, 0, 0xe8, 0xf7, 0x0f, 0xfe, 0x06, 0x17, 0x10, 0xfe, 0x06, 0x02, 0x20));
    memory.write(CODE + 0x11, Uint8Array.of(0x49, 0x75, 0xef, 0xf4));
    // `add ax, 1`, `ret`; and `add bx, 10`, `ret`.
    memory.write(CODE + 0x15, Uint8Array.of(0x83, 0xc0, 1, 0xc3));
    memory.write(CODE + 0x1000, Uint8Array.of(0x83, 0xc3, 10, 0xc3));
    cpu.registers.set("rsp", 0x8000n);
    expect(cpu.run(1000)).toBe("halt");
    expect([cpu.registers.get("rax"), cpu.registers.get("rbx")]).toEqual([1n + 2n + 3n, 10n + 11n + 12n]);
  });

  it("over a page border is what its second page says, however that changes", () => {
    const { cpu, memory } = machine(ramBase);
    // 32-bit code with paging; linear 2000h is physical 3000h or 4000h. `mov eax, imm32` has two bytes on it.
    for (const [directory, second] of [
      [0x8000, 0x3000],
      [0xa000, 0x4000],
    ] as const) {
      memory.writeUint32(directory, directory + 0x1000 + 3);
      memory.writeUint32(directory + 0x1004, 0x1003);
      memory.writeUint32(directory + 0x1008, second | 3);
      memory.write(second + 2, Uint8Array.of(0xf4));
    }
    memory.write(0x1ffd, Uint8Array.of(0xb8, 0x11, 0x22));
    memory.write(0x3000, Uint8Array.of(0x33, 0x44));
    memory.write(0x4000, Uint8Array.of(0x55, 0x66));
    const run = (cr3: bigint): bigint => {
      cpu.registers.setSegment("cs", { selector: 8, base: 0n, limit: 0xffff_ffff, access: 0xc09b });
      for (const [name, value] of Object.entries({ cr0: 0x8000_0011n, cr3, rip: 0x1ffdn, rax: 0n, halted: 0n }))
        cpu.registers.set(name, value);
      cpu.registers.commit();
      expect(cpu.run(100)).toBe("halt");
      return cpu.registers.get("rax");
    };
    expect([run(0x8000n), run(0xa000n), run(0x8000n)]).toEqual([0x4433_2211n, 0x6655_2211n, 0x4433_2211n]);
    memory.write(0x3001, Uint8Array.of(0x77));
    expect([run(0x8000n), run(0xa000n)]).toEqual([0x7733_2211n, 0x6655_2211n]);
  });
});

// ── the cache by itself ─────────────────────────────────────────────────────────────────────────────────────────────────────

const PAGE = 0x1000;
const BASE = 0x1_0000;
const PAGE_TABLE = BASE + CPU_AREA;
const RAM_BASE = PAGE_TABLE + PAGE;
const PAGES = 18;
const RET = 0xc3;
const NOP = 0x90;

/** A block by its first record, and the bytes of RAM that it was decoded from, [from, to) each. */
interface Block {
  readonly record: number;
  readonly parts: readonly (readonly [from: number, to: number])[];
}

/** A cache over bytes of its own: host addresses are offsets, RAM is PAGES pages of RET. */
class Bench {
  readonly u8: Uint8Array = new Uint8Array(RAM_BASE + PAGES * PAGE);
  readonly view: DataView = new DataView(this.u8.buffer);
  readonly cache: CodeCache;
  /** What nextPageHost answers. */
  second = 0;
  flushRequests = 0;

  constructor() {
    this.u8.fill(RET, RAM_BASE);
    this.view.setUint32(BASE + at("csLimit"), 0xffff_ffff, true);
    this.cache = new CodeCache({
      view: this.view,
      u8: this.u8,
      base: BASE,
      ramBase: RAM_BASE,
      ramBytes: PAGES * PAGE,
      pageTable: PAGE_TABLE,
      decoder: new Decoder(program.plan.tables),
      hot: () => 0,
      endsBlock: (handler) => program.plan.endsBlock(handler),
      nextPageHost: () => this.second,
      requestFlush: () => void this.flushRequests++,
      fetchDevice: (offset) => (offset === 0 ? 0x40 : RET),
    });
  }

  /** Puts code at an offset in RAM. */
  put(offset: number, ...bytes: readonly number[]): this {
    this.u8.set(bytes, RAM_BASE + offset);
    return this;
  }

  decode(offset: number, mode: number = MODE.long): number {
    this.view.setInt32(BASE + at("mode"), mode, true);
    this.view.setBigUint64(BASE + at("rip"), BigInt(offset), true);
    return this.cache.decodeBlock(RAM_BASE + offset);
  }

  /** Names of the first `n` records with their offsets in the page. */
  names(record: number, n: number): string[] {
    return Array.from({ length: n }, (_, i) => {
      const r = record + i * RECORD.size;
      const handler = this.view.getUint16(r + RECORD.cold, true);
      const internal = Object.entries(INTERNAL).find(([, id]) => id === handler)?.[0];
      const name = internal ?? program.set.handlers[handler - INTERNAL_HANDLERS]!.instruction.name;
      return `${name}@${this.view.getUint16(r + RECORD.offset, true).toString(16)}`;
    });
  }

  isStale(record: number): boolean {
    return this.names(record, 1)[0]!.startsWith("stale");
  }

  /** The record that the code hash has for an offset and a mode, 0 for none. */
  find(offset: number, mode: number = MODE.long): number {
    const key = RAM_BASE + offset;
    for (let i = Math.imul(key, HASH_MULTIPLIER) >>> HASH_SHIFT; ; i = (i + 1) % CODE_HASH_ENTRIES) {
      const slot = BASE + CODE_HASH + i * 8;
      const [found, value] = [this.view.getUint32(slot, true), this.view.getUint32(slot + 4, true)];
      if (found === key && (value & 7) === mode) return value - mode;
      if (found === 0) return 0;
    }
  }

  /** The granules of a page that are marked as code. */
  granules(page: number): number[] {
    const bits = this.view.getBigUint64(PAGE_TABLE + page * PAGE_ENTRY, true);
    return Array.from({ length: 64 }, (_, g) => g).filter((g) => (bits >> BigInt(g)) & 1n);
  }

  /** Decodes a block, with what it covers of RAM. */
  block(from: number, mode: number): Block {
    const end = (from & ~0xfff) + PAGE;
    this.second = RAM_BASE + end;
    const record = this.decode(from, mode);
    if (this.names(record, 1)[0]!.startsWith("crossing"))
      return {
        record,
        parts: [
          [from, end],
          [end, end + 15],
        ],
      };
    for (let r = record; ; r += RECORD.size) {
      const to = (from & ~0xfff) + this.view.getUint16(r + RECORD.offset, true) + this.u8[r + RECORD.len]!;
      const handler = this.view.getUint16(r + RECORD.cold, true);
      if (handler === INTERNAL.end || program.plan.endsBlock(handler)) return { record, parts: [[from, to]] };
    }
  }

  write(offset: number, length: number): void {
    this.cache.invalidate(RAM_BASE + offset, length);
  }
}

describe("a block", () => {
  it("ends with an instruction that never goes on", () => {
    const bench = new Bench().put(0x100, NOP, 0x75, 0x10, 0xff, 0xc0, 0xeb, 0xfe, NOP);
    expect(bench.names(bench.decode(0x100), 4)).toEqual(["NOP@100", "JNE@101", "INC@103", "JMP@105"]);
    expect(bench.granules(0)).toEqual([4]);
  });

  it("ends with the page, and after 64 instructions", () => {
    const bench = new Bench().put(0, ...new Uint8Array(PAGE).fill(NOP));
    expect(bench.names(bench.decode(0xffe), 3)).toEqual(["NOP@ffe", "NOP@fff", "end@1000"]);
    const long = bench.decode(0x200);
    expect(bench.names(long + 63 * RECORD.size, 2)).toEqual(["NOP@23f", "end@240"]);
    expect(bench.granules(0)).toEqual([8, 63]);
  });

  it("ends before an instruction that goes on in the next page, which gets one of its own", () => {
    const bench = new Bench().put(0xffd, NOP, 0xb8, 0x11, 0x22, 0x33, 0x44);
    expect(bench.names(bench.decode(0xffd), 2)).toEqual(["NOP@ffd", "end@ffe"]);
    bench.second = RAM_BASE + PAGE;
    const crossing = bench.decode(0xffe);
    expect(bench.names(crossing, 3)).toEqual(["crossing@ffe", "MOV@ffe", "end@1003"]);
    expect(bench.view.getUint32(crossing + RECORD.imm, true)).toBe(bench.second);
    expect([bench.granules(0), bench.granules(1)]).toEqual([[63], [0]]);
  });

  it("is none when the next page cannot be fetched", () => {
    const bench = new Bench().put(0xfff, 0xb8);
    bench.view.setInt32(BASE + at("fault"), 1, true);
    expect([bench.decode(0xfff), bench.find(0xfff), bench.granules(0)]).toEqual([0, 0, []]);
  });

  it("ends where nothing can be decoded", () => {
    const bench = new Bench().put(0x20, NOP, 0x06).put(0x40, ...new Uint8Array(15).fill(0x66), NOP);
    expect(bench.names(bench.decode(0x20, MODE.long), 2)).toEqual(["NOP@20", "undefined@21"]);
    expect(bench.names(bench.decode(0x20, MODE.code32), 2)).toEqual(["NOP@20", "PUSH@21"]);
    expect(bench.names(bench.decode(0x40), 1)).toEqual(["tooLong@40"]);
  });

  it("ends before an instruction that reaches beyond the segment, and faults when that is its first", () => {
    const bench = new Bench().put(0x20, NOP, 0xb0, 0x12);
    bench.view.setUint32(BASE + at("csLimit"), 0x21, true);
    expect(bench.names(bench.decode(0x20, MODE.code32), 2)).toEqual(["NOP@20", "end@21"]);
    expect(bench.decode(0x21, MODE.code32)).toBe(0);
    expect(bench.view.getInt32(BASE + at("fault"), true)).toBe(13 | FAULT.pending | FAULT.hasCode);
    expect(bench.names(bench.decode(0x21, MODE.long), 2)).toEqual(["MOV@21", "RET@23"]);
  });

  it("of a device is one instruction, and is not kept", () => {
    const bench = new Bench();
    bench.view.setInt32(BASE + at("mode"), MODE.code32, true);
    bench.view.setBigUint64(BASE + at("walkPhysical"), 0xb8123n, true);
    const record = bench.cache.decodeBlock(0);
    expect(bench.names(record, 2)).toEqual(["INC@123", "end@124"]);
    expect(record).toBeLessThan(BASE + ARENA);
  });
});

describe("blocks", () => {
  it("are found by mode", () => {
    const bench = new Bench().put(0, 0x40, NOP, RET);
    const [long, legacy] = [bench.decode(0, MODE.long), bench.decode(0, MODE.code32)];
    expect([bench.names(long, 2), bench.names(legacy, 2)]).toEqual([
      ["NOP@0", "RET@2"],
      ["INC@0", "NOP@1"],
    ]);
    expect([MODE.long, MODE.code32, 0].map((mode) => bench.find(0, mode))).toEqual([long, legacy, 0]);
  });

  it("are forgotten when one of their bytes is written, not with their neighbours", () => {
    const bench = new Bench().put(0x100, NOP, RET).put(0x104, NOP, RET).put(0x13f, NOP, RET);
    const [first, second, third] = [bench.decode(0x100), bench.decode(0x104), bench.decode(0x13f)];
    bench.write(0x102, 2);
    expect([first, second, third].map((r) => bench.isStale(r))).toEqual([false, false, false]);
    bench.write(0x105, 1);
    expect([first, second, third].map((r) => bench.isStale(r))).toEqual([false, true, false]);
    expect([bench.find(0x100), bench.find(0x104), bench.find(0x13f)]).toEqual([first, 0, third]);
    expect(bench.granules(0)).toEqual([4, 5]);
    bench.write(0x140, 1);
    expect([bench.isStale(first), bench.isStale(third)]).toEqual([false, true]);
    expect(bench.granules(0)).toEqual([4]);
  });

  it("that begin within another are what they would be alone, until that one ends", () => {
    const bytes = fc.array(fc.constantFrom(NOP, 0x50, 0x75, 0x31, 0xc0, 0x66, 0x06, 0x83, 0x10, 0xb8, 0xf4, 0x48), { maxLength: 40 });
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 39 }), fc.constantFrom(MODE.long, MODE.code32), (code, into, mode) => {
        const [both, alone] = [new Bench().put(0xfe0, ...code), new Bench().put(0xfe0, ...code)];
        both.second = alone.second = RAM_BASE + 5 * PAGE;
        both.decode(0xfe0, mode);
        const [found, expected] = [both.decode(0xfe0 + into, mode), alone.decode(0xfe0 + into, mode)];
        const records = (bench: Bench, first: number): Uint8Array => {
          let end = first;
          while (bench.names(end, 1)[0] !== "end@1000" && !program.plan.endsBlock(bench.view.getUint16(end, true)) && end < first + 0x800)
            end += RECORD.size;
          const found = bench.u8.slice(first, end + RECORD.size);
          // Which instruction of its block a record is depends on where the block begins.
          for (let n = RECORD.n; n < found.length; n += RECORD.size) found[n] = 0;
          return found;
        };
        expect(records(both, found)).toEqual(records(alone, expected));
        expect(both.find(0xfe0 + into, mode)).toBe(found);
      }),
    );
  });

  it("that begin within another are the same records, and forgotten with them", () => {
    const bench = new Bench().put(0x100, NOP, 0x75, 0x10, NOP, RET);
    const [whole, tail] = [bench.decode(0x100), bench.decode(0x103)];
    expect(tail).toBe(whole + 2 * RECORD.size);
    expect(bench.find(0x103)).toBe(tail);
    bench.write(0x100, 1);
    expect([bench.isStale(whole), bench.isStale(tail), bench.find(0x100), bench.find(0x103)]).toEqual([true, true, 0, 0]);
  });

  it("over a page border are forgotten with either page, once", () => {
    const bench = new Bench().put(0xfff, 0xb8);
    bench.second = RAM_BASE + 3 * PAGE;
    const before = bench.decode(0xfff);
    bench.write(3 * PAGE + 15, 1);
    expect(bench.isStale(before)).toBe(false);
    bench.write(3 * PAGE + 2, 1);
    expect([bench.isStale(before), bench.find(0xfff), bench.cache.invalidated]).toEqual([true, 0, 1]);
    bench.write(0xfff, 1);
    expect([bench.granules(0), bench.granules(3), bench.cache.invalidated]).toEqual([[], [], 1]);
  });

  it("take their page out of every view's write TLB when they are its first", () => {
    const bench = new Bench();
    const slots = [VIEW.user, VIEW.supervisor, VIEW.supervisorAc].map((v, i) => BASE + v + i * 7 * TLB.size);
    for (const slot of slots) {
      bench.view.setBigUint64(slot + TLB.write, 0x5000n, true);
      bench.view.setInt32(slot + TLB.host, RAM_BASE + PAGE, true);
    }
    const tags = (): bigint[] => slots.map((slot) => bench.view.getBigUint64(slot + TLB.write, true));
    bench.decode(0);
    expect(tags()).toEqual([0x5000n, 0x5000n, 0x5000n]);
    bench.decode(PAGE);
    // Entry 0 of a view belongs to linear page 0, which a tag of 0 would serve.
    expect(tags()).toEqual([0x1000n, 0n, 0n]);
  });

  it("are all dropped when there is little room, as soon as the loop is back", () => {
    const bench = new Bench();
    let n = 0;
    while (!bench.cache.full) {
      bench.cache.beginSlice();
      bench.decode(n++);
    }
    expect(n).toBeGreaterThan(0x8000);
    bench.decode(n);
    expect([bench.flushRequests, bench.find(0), bench.isStale(bench.find(n))]).toEqual([1, BASE + ARENA, false]);
    bench.cache.flushAll();
    expect([bench.cache.full, bench.cache.flushes, bench.find(0), bench.find(n), bench.granules(0), bench.granules(16)]).toEqual([
      false,
      1,
      0,
      0,
      [],
      [],
    ]);
    expect(bench.decode(5)).toBe(BASE + ARENA);
  });

  it("end a slice that decodes and decodes", () => {
    const bench = new Bench();
    for (let n = 0; n < 1100; n++) bench.decode(n);
    expect(bench.flushRequests).toBe(1);
    bench.cache.beginSlice();
    for (let n = 0; n < 1100; n++) bench.decode(n);
    expect([bench.flushRequests, bench.cache.full]).toEqual([2, false]);
  });

  it("that hold a written byte are forgotten and all others stay", () => {
    const bench = new Bench();
    // Instructions of one byte and of five, and ends of blocks; repeated, so that they stand at all places in a page.
    const codes = fc.array(fc.constantFrom(NOP, NOP, 0x50, 0x05, 0xeb, RET), { minLength: 1, maxLength: 61 });
    const step = fc.record({
      from: fc.oneof(fc.nat(2 * PAGE - 1), fc.integer({ min: PAGE - 10, max: PAGE + 10 })),
      length: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 100 })),
      mode: fc.constantFrom(MODE.long, MODE.code32),
    });
    const check = (pattern: readonly number[], steps: readonly { from: number; length: number; mode: number }[]): void => {
      bench.cache.flushAll();
      bench.put(0, ...Array.from({ length: 2 * PAGE }, (_, i) => pattern[i % pattern.length]!));
      const live = new Map<string, Block>();
      const gone: number[] = [];
      for (const { from, length, mode } of steps) {
        if (length > 0) {
          bench.write(from, length);
          for (const [key, block] of live) {
            if (!block.parts.some(([a, b]) => a < from + length && b > from)) continue;
            gone.push(block.record);
            live.delete(key);
          }
        } else if (!live.has(`${from} ${mode}`)) live.set(`${from} ${mode}`, bench.block(from, mode));
      }
      expect(gone.filter((record) => !bench.isStale(record))).toEqual([]);
      for (const [key, { record, parts }] of live) {
        const [from, mode] = key.split(" ").map(Number) as [number, number];
        expect([bench.isStale(record), bench.find(from, mode)]).toEqual([false, record]);
        for (const [a, b] of parts)
          expect(bench.granules(a >> 12)).toEqual(expect.arrayContaining([(a & 0xfff) >> 6, ((b - 1) & 0xfff) >> 6]));
      }
    };
    fc.assert(fc.property(codes, fc.array(step, { maxLength: 60 }), check), { numRuns: 50 });
  });
});
