import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { GuestMemory } from "../../memory/guest-memory.ts";
import { MemoryAllocator, VirtqueueDriver } from "../../testing/virtqueue-driver.ts";
import { freshQueue, VirtQueue } from "./queue.ts";
import { DESC_F_INDIRECT, DESC_F_NEXT, DESC_F_WRITE, F_EVENT_IDX, F_INDIRECT_DESC } from "./spec.ts";

const RAM = 0x10_0000;
const SIZE = 8;
const memory = new GuestMemory(RAM, 0x1_0000);

let driver: VirtqueueDriver;
let queue: VirtQueue;
let notified: number;
let broken: string[];

function setUp(features = 0n, size = SIZE, maxSize = SIZE): void {
  memory.u8.fill(0);
  driver = new VirtqueueDriver(memory, new MemoryAllocator(0x1000), size);
  notified = 0;
  broken = [];
  queue = new VirtQueue(0, maxSize, memory, { notifyDriver: () => void notified++, broken: (_, reason) => void broken.push(reason) });
  queue.state = {
    ...freshQueue(size),
    enabled: true,
    desc: BigInt(driver.desc),
    driver: BigInt(driver.avail),
    device: BigInt(driver.used),
  };
  queue.start(features);
}

beforeEach(() => setUp());

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const read = (chain: { readable: { length: number; read(at: number, into: Uint8Array): number } }): string => {
  const into = new Uint8Array(chain.readable.length);
  chain.readable.read(0, into);
  return new TextDecoder().decode(into);
};

/** One descriptor per argument, offered as a chain whose first is descriptor 0. */
function raw(...descriptors: readonly Partial<{ address: bigint; length: number; flags: number; next: number }>[]): void {
  descriptors.forEach((descriptor, i) => driver.setDescriptor(i, { address: 0x8000n, length: 4, flags: 0, next: 0, ...descriptor }));
  driver.offerHead(0);
}

describe("buffers", () => {
  it("come in the order offered, and go back with what was written (VIRTIO 1.3 §2.7.13, §2.7.14)", () => {
    const first = driver.offer(text("ab"), text("cd"), 4);
    const second = driver.offer(text("ef"));
    const [a, b] = [queue.pop()!, queue.pop()!];
    expect([read(a), a.writable.length, read(b), b.writable.length]).toEqual(["abcd", 4, "ef", 0]);
    expect(queue.pop()).toBeUndefined();
    expect(b.head).toBe(second);
    queue.push(b, 0);
    a.writable.write(0, text("wxyz"));
    queue.push(a, 3);
    expect(driver.collect()).toEqual([
      { head: second, written: 0, bytes: new Uint8Array() },
      { head: first, written: 3, bytes: text("wxyz") },
    ]);
  });

  it("are one run of bytes wherever their pieces lie (§2.7.4.1)", () => {
    driver.gap = 5;
    driver.offer(text("hea"), text("d"), text("er!"), 1, 2, 3);
    const chain = queue.pop()!;
    expect([read(chain), chain.readable.u32(2), chain.readable.view(1, 2)?.length, chain.readable.view(2, 2)]).toEqual([
      "header!",
      0x72_65_64_61,
      2,
      undefined,
    ]);
    expect([chain.writable.write(1, text("12345")), chain.writable.write(6, text("7"))]).toEqual([5, 0]);
    chain.writable.setU8(0, 0x30);
    expect([0, 1, 5, 6].map((at) => chain.writable.u8(at))).toEqual([0x30, 0x31, 0x35, 0]);
    queue.push(chain, 6);
    expect(new TextDecoder().decode(driver.collect()[0]!.bytes)).toBe("012345");
  });

  it("are one view when their pieces touch", () => {
    driver.offer(text("ab"), text("cd"));
    expect(queue.pop()!.readable.view(0, 4)?.length).toBe(4);
  });

  it("go on when the 16-bit indices wrap around (§2.7.13.1)", () => {
    let wrong = 0;
    for (let i = 0; i < 0x1_0010; i++) {
      driver.offerHead(i % SIZE);
      const chain = queue.pop();
      if (chain === undefined) break;
      queue.push(chain, i);
      if (chain.head !== i % SIZE || driver.usedIndex !== ((i + 1) & 0xffff)) wrong++;
    }
    expect([wrong, driver.usedIndex, broken]).toEqual([0, 0x10, []]);
  });

  it("tell the engines of every byte written to guest memory", () => {
    const written: [number, number][] = [];
    memory.observe((offset, length) => void written.push([offset - memory.ramBase, length]));
    driver.offer(4);
    const chain = queue.pop()!;
    written.length = 0;
    chain.writable.write(1, Uint8Array.of(1, 2));
    queue.push(chain, 2);
    expect(written).toEqual([
      [expect.any(Number), 2],
      [driver.used + 4, 8],
      [driver.used + 2, 2],
    ]);
  });

  it("of an earlier activation are forgotten when they come back", () => {
    driver.offer(4);
    const chain = queue.pop()!;
    queue.stop();
    queue.start(0n);
    expect(queue.current(chain)).toBe(false);
    queue.push(chain, 4);
    expect(driver.usedIndex).toBe(0);
  });
});

describe("indirect descriptors", () => {
  it("hold a whole buffer (§2.7.5.3)", () => {
    setUp(F_INDIRECT_DESC);
    driver.indirect = true;
    driver.offer(text("ab"), text("cd"), 3);
    driver.offer(text("ef"));
    expect(read(queue.pop()!)).toBe("abcd");
    expect(read(queue.pop()!)).toBe("ef");
    expect(broken).toEqual([]);
  });

  it("may follow direct ones, and may hold more than a queue that the driver made small (§2.7.5.3.2)", () => {
    setUp(F_INDIRECT_DESC, 2, 8);
    for (let i = 0; i < 8; i++)
      driver.setDescriptor(i, { address: 0x9000n + BigInt(i), length: 1, flags: i < 7 ? DESC_F_NEXT : 0, next: i + 1 }, 0xa000);
    raw({ length: 2, flags: DESC_F_NEXT, next: 1 }, { address: 0xa000n, length: 128, flags: DESC_F_INDIRECT });
    expect(queue.pop()!.readable.length).toBe(10);
  });
});

describe("notifications", () => {
  const complete = (): void => {
    driver.offer(1);
    queue.push(queue.pop()!, 0);
    queue.signal();
  };

  it("are sent once for what was used since the last (§2.7.7)", () => {
    complete();
    queue.signal();
    expect(notified).toBe(1);
    driver.offer(1);
    driver.offer(1);
    queue.push(queue.pop()!, 0);
    queue.push(queue.pop()!, 0);
    queue.signal();
    expect(notified).toBe(2);
  });

  it("are not sent while the driver's flag forbids them (§2.7.7.2)", () => {
    driver.suppressInterrupts(true);
    complete();
    driver.suppressInterrupts(false);
    expect(notified).toBe(0);
    complete();
    expect(notified).toBe(1);
  });

  it("are sent when the used index passes used_event (§2.7.7.2)", () => {
    setUp(F_EVENT_IDX);
    driver.usedEvent = 2;
    complete();
    complete();
    expect(notified).toBe(0);
    complete();
    expect(notified).toBe(1);
    complete();
    expect(notified).toBe(1);
    driver.usedEvent = 4;
    complete();
    expect(notified).toBe(2);
  });

  it("follow used_event around the end of the index", () => {
    setUp(F_EVENT_IDX);
    Object.assign(queue.state, { nextUsed: 0xfffe, signalled: 0xfffe });
    driver.usedEvent = 0;
    complete();
    complete();
    expect(notified).toBe(0);
    complete();
    expect(notified).toBe(1);
  });

  it("are asked of the driver through avail_event when the queue is empty (§2.7.10)", () => {
    setUp(F_EVENT_IDX);
    driver.offer(1);
    driver.offer(1);
    queue.pop();
    expect(driver.availEvent).toBe(0);
    queue.pop();
    queue.pop();
    expect(driver.availEvent).toBe(2);
  });
});

describe("a driver that breaks the rules breaks the queue, and no more (§2.1.2)", () => {
  const OUTSIDE = BigInt(RAM);
  const cases: readonly [string, bigint, () => void][] = [
    ["more available buffers than entries (§2.7.13)", 0n, () => driver.setAvailIndex(SIZE + 1)],
    ["an available index that went back", 0n, () => driver.setAvailIndex(0xffff)],
    ["a head beyond the table", 0n, () => driver.offerHead(SIZE)],
    ["a next beyond the table", 0n, () => raw({ flags: DESC_F_NEXT, next: SIZE })],
    ["a loop (§2.7.5.2)", 0n, () => raw({ flags: DESC_F_NEXT, next: 1 }, { flags: DESC_F_NEXT, next: 0 })],
    ["a buffer outside of memory", 0n, () => raw({ address: OUTSIDE, length: 1 })],
    ["a buffer that ends outside of memory", 0n, () => raw({ address: OUTSIDE - 4n, length: 5 })],
    ["a buffer at the end of the address space", 0n, () => raw({ address: 0xffff_ffff_ffff_fffcn, length: 8 })],
    ["a buffer of 4 GiB", 0n, () => raw({ length: 0xffff_ffff })],
    ["a readable part after a writable one (§2.7.4.2)", 0n, () => raw({ flags: DESC_F_WRITE | DESC_F_NEXT, next: 1 }, {})],
    ["an indirect table that was not negotiated (§2.7.5.3.1)", 0n, () => raw({ flags: DESC_F_INDIRECT, length: 16 })],
    ["an indirect descriptor with a next (§2.7.5.3.1)", F_INDIRECT_DESC, () => raw({ flags: DESC_F_INDIRECT | DESC_F_NEXT, length: 16 })],
    [
      "an indirect table within one (§2.7.5.3.1)",
      F_INDIRECT_DESC,
      () => raw({ address: BigInt(driver.desc), flags: DESC_F_INDIRECT, length: 16 * SIZE }),
    ],
    ["an empty indirect table", F_INDIRECT_DESC, () => raw({ flags: DESC_F_INDIRECT, length: 0 })],
    [
      "an indirect table of no whole number of descriptors (§2.7.5.3.2)",
      F_INDIRECT_DESC,
      () => raw({ flags: DESC_F_INDIRECT, length: 17 }),
    ],
    ["an indirect table outside of memory", F_INDIRECT_DESC, () => raw({ address: OUTSIDE, flags: DESC_F_INDIRECT, length: 16 })],
    [
      "a loop in an indirect table",
      F_INDIRECT_DESC,
      () => {
        driver.setDescriptor(0, { address: 0x8000n, length: 1, flags: DESC_F_NEXT, next: 0 }, 0xa000);
        raw({ address: 0xa000n, flags: DESC_F_INDIRECT, length: 16 });
      },
    ],
  ];
  it.each(cases)("%s", (_, features, act) => {
    setUp(features);
    act();
    expect([queue.pop(), broken.length, queue.live]).toEqual([undefined, 1, false]);
    expect([queue.pop(), broken.length]).toEqual([undefined, 1]);
  });

  it.each<[string, Partial<VirtQueue["state"]>]>([
    ["a size of 0", { size: 0 }],
    ["a size that is no power of two (§2.7)", { size: 6 }],
    ["a size beyond the maximum", { size: 16 }],
    ["a misaligned descriptor table (§2.7)", { desc: 0x1008n }],
    ["a misaligned available ring", { driver: 0x1001n }],
    ["a misaligned used ring", { device: 0x1002n }],
    ["a ring outside of memory", { device: OUTSIDE - 8n }],
    ["a ring at the end of the address space", { driver: 0xffff_ffff_ffff_fffen }],
  ])("%s", (_, change) => {
    queue.stop();
    Object.assign(queue.state, change);
    queue.start(0n);
    expect([queue.live, broken.length]).toEqual([false, 1]);
  });
});

describe("whatever is in guest memory", () => {
  const word = fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, 5, 7, 16, 0xffff), fc.nat(0xffff));
  const address = fc.oneof(fc.constantFrom(0x1000n, 0x8000n, 0xffff0n, 1n << 63n), fc.bigInt({ min: 0n, max: 0x10_0000n }));
  const descriptor = fc.record({ address, length: fc.oneof(word, fc.nat(0xffff_ffff)), flags: fc.nat(7), next: fc.nat(9) });

  it("nothing throws, work is bounded, and every buffer is memory", () => {
    fc.assert(
      fc.property(
        fc.array(descriptor, { minLength: SIZE, maxLength: SIZE }),
        fc.array(word, { maxLength: 12 }),
        fc.boolean(),
        (descriptors, heads, features) => {
          setUp(features ? F_INDIRECT_DESC | F_EVENT_IDX : 0n);
          // Descriptors also lie where some indirect tables point.
          descriptors.forEach((each, i) => [driver.desc, 0x8000].forEach((table) => driver.setDescriptor(i, each, table)));
          for (const head of heads) driver.offerHead(head);
          let taken = 0;
          for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
            taken++;
            chain.readable.forEach((piece) =>
              expect(piece.byteOffset >= memory.ramBase && piece.byteOffset + piece.length <= memory.ramBase + RAM).toBe(true),
            );
            queue.push(chain, chain.writable.length);
          }
          queue.signal();
          expect(taken).toBeLessThanOrEqual(heads.length);
        },
      ),
      { numRuns: 300 },
    );
  });
});
