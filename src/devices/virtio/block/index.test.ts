import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { MemoryByteStore } from "../../../disk/byte-store.ts";
import type { Disk } from "../../../disk/disk.ts";
import { raw } from "../../../disk/raw/index.ts";
import { FakeWiring, fakeWiring } from "../../../testing/fake-wiring.ts";
import { FaultyStore } from "../../../testing/faulty-store.ts";
import { MmioDriverTransport, VirtioDriver } from "../../../testing/virtio-driver.ts";
import type { VirtqueueDriver } from "../../../testing/virtqueue-driver.ts";
import { virtioBlkMmio } from "../index.ts";
import type { BlockConfig, BlockStorage } from "./index.ts";
import * as spec from "./spec.ts";

const SECTORS = 64;

let wiring: FakeWiring;
let store: FaultyStore;
let driver: VirtioDriver;
let queue: VirtqueueDriver;
let errors: unknown[];
let device: ReturnType<typeof virtioBlkMmio.create>;

/** Starts a device over a disk, by default raw over a faulty store. */
async function start(
  options: { features?: bigint; writable?: boolean; disk?: BlockStorage; config?: Partial<BlockConfig> } = {},
): Promise<void> {
  wiring = fakeWiring();
  store = new FaultyStore(new MemoryByteStore(SECTORS * 512));
  errors = [];
  const disk: BlockStorage = options.disk ?? (await raw.open(store, { writable: options.writable ?? true }));
  device = virtioBlkMmio.create({ base: 0, device: { disk, onError: (error) => void errors.push(error), ...options.config } }, wiring);
  driver = new VirtioDriver(new MmioDriverTransport(device.mmio[0]!), wiring.memory);
  driver.start(options.features ?? spec.F_FLUSH, 16);
  queue = driver.queue(0);
}

function header(type: number, sector: number | bigint = 0): Uint8Array {
  const bytes = new Uint8Array(spec.REQUEST_HEADER);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setBigUint64(8, BigInt(sector), true);
  return bytes;
}

const kick = (): void => driver.transport.notify(0);

/** Waits until nothing is under way. */
const settle = (): Promise<void> => device.pause().then(() => device.resume());

/** Performs one request and returns the data the guest got, the status, and the length the device reported. */
async function request(
  type: number,
  sector: number | bigint,
  out: Uint8Array,
  room: number,
): Promise<{ data: Uint8Array; status: number; written: number }> {
  queue.offer(header(type, sector), ...(out.length > 0 ? [out] : []), ...(room > 0 ? [room] : []), 1);
  kick();
  await settle();
  const [used] = queue.collect();
  expect(used).toBeDefined();
  const { bytes, written } = used!;
  return { data: bytes.subarray(0, -1), status: bytes.at(-1)!, written };
}

const NOTHING = new Uint8Array();
const fill = (sectors: number, value: number): Uint8Array => new Uint8Array(512 * sectors).fill(value);

function range(sector: number | bigint, count: number, flags = 0): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(sector), true);
  view.setUint32(8, count, true);
  view.setUint32(12, flags, true);
  return bytes;
}

describe("virtio block (VIRTIO 1.3 §5.2)", () => {
  beforeEach(() => start());

  it("tells capacity, block size and limits (§5.2.4)", async () => {
    const { transport } = driver;
    expect([
      transport.readConfig(0, 4),
      transport.readConfig(4, 4),
      transport.readConfig(spec.CFG_BLK_SIZE, 4),
      transport.readConfig(spec.CFG_SEG_MAX, 4),
    ]).toEqual([SECTORS, 0, 512, 254]);
    await start({
      disk: { sectorSize: 4096, sectors: 2 ** 32, readOnly: true, read: async () => {}, write: async () => {}, flush: async () => {} },
    });
    expect([
      driver.transport.readConfig(0, 4),
      driver.transport.readConfig(4, 4),
      driver.transport.readConfig(spec.CFG_BLK_SIZE, 4),
    ]).toEqual([0, 8, 4096]);
  });

  it("offers what the disk can (§5.2.3)", async () => {
    const offered = (): bigint => driver.transport.deviceFeatures & (spec.F_RO | spec.F_FLUSH | spec.F_DISCARD | spec.F_WRITE_ZEROES);
    expect(offered()).toBe(spec.F_FLUSH | spec.F_DISCARD | spec.F_WRITE_ZEROES);
    await start({ writable: false });
    expect(offered()).toBe(spec.F_FLUSH | spec.F_RO);
    await start({
      disk: { sectorSize: 512, sectors: 1, readOnly: false, read: async () => {}, write: async () => {}, flush: async () => {} },
    });
    expect(offered()).toBe(spec.F_FLUSH);
  });

  it("writes and reads sectors (§5.2.6)", async () => {
    expect(await request(spec.T_OUT, 3, fill(2, 0xa1), 0)).toEqual({ data: NOTHING, status: spec.S_OK, written: 1 });
    expect(await request(spec.T_IN, 2, NOTHING, 1536)).toEqual({
      data: Uint8Array.from([...fill(1, 0), ...fill(2, 0xa1)]),
      status: spec.S_OK,
      written: 1537,
    });
  });

  it("does so wherever the driver divides header, data and status (§2.7.4.1)", async () => {
    queue.gap = 3;
    queue.offer(
      header(spec.T_OUT, 1).subarray(0, 5),
      header(spec.T_OUT, 1).subarray(5),
      fill(1, 1).subarray(0, 100),
      fill(1, 1).subarray(100),
      1,
    );
    kick();
    await settle();
    queue.offer(header(spec.T_IN, 1), 7, 505, 1);
    kick();
    await settle();
    queue.gap = 0;
    queue.offer(header(spec.T_IN, 1), 512 + 1);
    kick();
    await settle();
    const [write, apart, joined] = queue.collect();
    expect([write?.bytes, apart?.bytes, joined?.bytes]).toEqual([
      Uint8Array.of(0),
      Uint8Array.from([...fill(1, 1), 0]),
      Uint8Array.from([...fill(1, 1), 0]),
    ]);
  });

  it("keeps many requests under way, and finishes them in any order", async () => {
    const gates: (() => void)[] = [];
    await start({
      disk: {
        sectorSize: 512,
        sectors: SECTORS,
        readOnly: false,
        flush: async () => {},
        write: async () => {},
        read: (sector, into) => new Promise((resolve) => void gates.push(() => resolve(void into.fill(sector)))),
      },
    });
    const heads = [1, 2, 3].map((sector) => queue.offer(header(spec.T_IN, sector), 512, 1));
    kick();
    expect([gates.length, queue.usedIndex]).toEqual([3, 0]);
    for (const gate of [gates[2]!, gates[0]!, gates[1]!]) {
      gate();
      await new Promise((resolve) => void setImmediate(resolve));
    }
    const used = queue.collect();
    expect(used.map(({ head, bytes }) => [heads.indexOf(head), bytes[0]])).toEqual([
      [2, 3],
      [0, 1],
      [1, 2],
    ]);
  });

  it("names itself (T_GET_ID)", async () => {
    await start({ config: { serial: "nido-disk-0" } });
    const { data, status } = await request(spec.T_GET_ID, 0, NOTHING, 20);
    expect([new TextDecoder().decode(data).replaceAll("\0", ""), status]).toEqual(["nido-disk-0", spec.S_OK]);
  });

  it("answers unknown requests with UNSUPP", async () => {
    expect((await request(99, 0, NOTHING, 512)).status).toBe(spec.S_UNSUPP);
  });

  it("fails what lies beyond the end, or is no whole sector (§5.2.6.2)", async () => {
    for (const [sector, room] of [
      [SECTORS, 512],
      [SECTORS - 1, 1024],
      [2n ** 63n, 512],
      [0, 100],
    ] as const) {
      expect(await request(spec.T_IN, sector, NOTHING, room)).toMatchObject({ status: spec.S_IOERR, written: 1 });
    }
    expect((await request(spec.T_OUT, SECTORS, fill(1, 1), 0)).status).toBe(spec.S_IOERR);
    expect(store.operations).toEqual([]);
  });

  it("refuses writes to a read-only disk (§5.2.6.2)", async () => {
    await start({ writable: false });
    expect((await request(spec.T_OUT, 0, fill(1, 1), 0)).status).toBe(spec.S_IOERR);
    expect((await request(spec.T_WRITE_ZEROES, 0, range(0, 1), 0)).status).toBe(spec.S_UNSUPP);
    expect(store.operations).toEqual([]);
  });

  it("reports the disk's errors to the guest, and to the host", async () => {
    store.plan = ({ kind }) => (kind === "flush" ? "pass" : "fail");
    expect((await request(spec.T_IN, 0, NOTHING, 512)).status).toBe(spec.S_IOERR);
    expect((await request(spec.T_OUT, 0, fill(1, 1), 0)).status).toBe(spec.S_IOERR);
    expect([errors.length, wiring.log.messages.size]).toEqual([2, 1]);
    store.plan = () => "pass";
    expect((await request(spec.T_IN, 0, NOTHING, 512)).status).toBe(spec.S_OK);
  });

  it("fails requests without header or status by asking for a reset (§5.2.6.1)", async () => {
    for (const parts of [[header(spec.T_IN)], [new Uint8Array(15), 1], [1]] as const) {
      await start();
      queue.offer(...parts);
      kick();
      expect([driver.transport.status & 0x40, queue.usedIndex]).toEqual([0x40, 0]);
    }
  });
});

describe("durability (§5.2.6.2)", () => {
  it("comes with a flush", async () => {
    await start();
    await request(spec.T_OUT, 0, fill(1, 7), 0);
    expect((await store.losePower()).bytes[0]).toBe(0);
    expect((await request(spec.T_FLUSH, 0, NOTHING, 0)).status).toBe(spec.S_OK);
    expect((await store.losePower()).bytes[0]).toBe(7);
  });

  it("comes with every write for drivers that cannot flush", async () => {
    await start({ features: 0n });
    await request(spec.T_OUT, 0, fill(1, 7), 0);
    await request(spec.T_WRITE_ZEROES, 0, range(1, 1), 0);
    expect([(await store.losePower()).bytes[0], store.unflushed]).toEqual([7, 0]);
  });

  it("is not claimed when the flush failed", async () => {
    await start();
    store.plan = ({ kind }) => (kind === "flush" ? "fail" : "pass");
    expect((await request(spec.T_FLUSH, 0, NOTHING, 0)).status).toBe(spec.S_IOERR);
  });
});

describe("discard and write zeroes (§5.2.6)", () => {
  beforeEach(async () => {
    await start();
    await request(spec.T_OUT, 0, fill(8, 9), 0);
  });
  const content = async (): Promise<number[]> => {
    const { data } = await request(spec.T_IN, 0, NOTHING, 8 * 512);
    return Array.from({ length: 8 }, (_, i) => data[512 * i]!);
  };

  it("change the ranges listed", async () => {
    expect((await request(spec.T_WRITE_ZEROES, 0, Uint8Array.from([...range(0, 1), ...range(2, 2, spec.RANGE_F_UNMAP)]), 0)).status).toBe(
      spec.S_OK,
    );
    expect((await request(spec.T_DISCARD, 0, range(6, 2), 0)).status).toBe(spec.S_OK);
    expect(await content()).toEqual([0, 9, 0, 0, 9, 9, 0, 0]);
  });

  it("refuse ranges beyond the disk and flags that mean nothing, before touching anything", async () => {
    const before = store.operations.length;
    const first = range(0, 1);
    for (const [type, second, status] of [
      [spec.T_WRITE_ZEROES, range(SECTORS, 1), spec.S_IOERR],
      [spec.T_WRITE_ZEROES, range(2n ** 63n, 1), spec.S_IOERR],
      [spec.T_WRITE_ZEROES, range(0, 0xffff_ffff), spec.S_IOERR],
      [spec.T_WRITE_ZEROES, range(0, 1, 2), spec.S_UNSUPP],
      [spec.T_DISCARD, range(0, 1, spec.RANGE_F_UNMAP), spec.S_UNSUPP],
      [spec.T_DISCARD, range(0, 1).subarray(0, 15), spec.S_IOERR],
    ] as const) {
      expect((await request(type, 0, Uint8Array.from([...first, ...second]), 0)).status).toBe(status);
    }
    expect((await request(spec.T_DISCARD, 0, NOTHING, 0)).status).toBe(spec.S_IOERR);
    expect(store.operations.length).toBe(before);
  });
});

describe("a reset while requests are under way (§2.4)", () => {
  it("is complete only when the disk has let go of guest memory", async () => {
    let finish = (): void => {};
    await start({
      disk: {
        sectorSize: 512,
        sectors: SECTORS,
        readOnly: false,
        flush: async () => {},
        write: async () => {},
        read: () => new Promise((resolve) => void (finish = resolve)),
      },
    });
    queue.offer(header(spec.T_IN), 512, 1);
    kick();
    driver.transport.status = 0;
    expect(driver.transport.status).not.toBe(0);
    finish();
    await settle();
    expect([driver.transport.status, queue.usedIndex, driver.transport.takeInterrupts()]).toEqual([0, 0, 0]);
  });

  it("does not disturb a driver that goes on at once", async () => {
    let finish = (): void => {};
    await start({
      disk: {
        sectorSize: 512,
        sectors: SECTORS,
        readOnly: false,
        flush: async () => {},
        write: async () => {},
        read: () => new Promise((resolve) => void (finish = resolve)),
      },
    });
    queue.offer(header(spec.T_IN), 512, 1);
    kick();
    driver.start(spec.F_FLUSH, 16);
    queue = driver.queue(0);
    finish();
    await settle();
    expect(queue.usedIndex).toBe(0);
    expect(await request(spec.T_FLUSH, 0, NOTHING, 0)).toMatchObject({ status: spec.S_OK });
  });

  it("pauses only when they are through", async () => {
    let finish = (): void => {};
    await start({
      disk: {
        sectorSize: 512,
        sectors: SECTORS,
        readOnly: false,
        flush: async () => {},
        write: async () => {},
        read: () => new Promise((resolve) => void (finish = resolve)),
      },
    });
    queue.offer(header(spec.T_IN), 512, 1);
    kick();
    let paused = false;
    const pausing = device.pause().then(() => void (paused = true));
    await new Promise((resolve) => void setImmediate(resolve));
    expect(paused).toBe(false);
    finish();
    await pausing;
    expect(queue.usedIndex).toBe(1);
  });
});

describe("any sequence of requests", () => {
  const step = fc.record({
    type: fc.constantFrom(spec.T_IN, spec.T_OUT, spec.T_FLUSH, spec.T_WRITE_ZEROES, 77),
    sector: fc.nat(12),
    count: fc.nat(3),
    value: fc.nat(255),
    pieces: fc.nat(3),
    gap: fc.constantFrom(0, 7),
  });

  it("leaves the disk as the same sequence leaves an array", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const bytes = new Uint8Array(10 * 512);
        const disk: Disk = await raw.open(new MemoryByteStore(bytes.length), { writable: true });
        await start({ disk });
        for (const { type, sector, count, value, pieces, gap } of steps) {
          queue.gap = gap;
          const fits = sector + count <= 10;
          const at = sector * 512;
          if (type === spec.T_OUT) {
            const data = fill(count, value);
            const cut = Math.floor((data.length * pieces) / 3);
            queue.offer(header(type, sector), data.subarray(0, cut), data.subarray(cut), 1);
            if (fits) bytes.set(data, at);
          } else if (type === spec.T_WRITE_ZEROES) {
            queue.offer(header(type), range(sector, count), 1);
            if (fits) bytes.fill(0, at, at + count * 512);
          } else queue.offer(header(type, sector), count * 512 - Math.min(pieces, count * 512), pieces, 1);
          kick();
          await settle();
          const [used] = queue.collect();
          const expected = type === 77 ? spec.S_UNSUPP : type === spec.T_FLUSH || fits ? spec.S_OK : spec.S_IOERR;
          // Reads of count 0 with stray pieces are no whole sector.
          const stray = type === spec.T_IN && count === 0 && pieces > 0;
          expect(used?.bytes.at(-1)).toBe(stray ? spec.S_IOERR : expected);
          if (type === spec.T_IN && fits && !stray) expect(used?.bytes.subarray(0, -1)).toEqual(bytes.slice(at, at + count * 512));
        }
        const all = new Uint8Array(bytes.length);
        await disk.read(0, all);
        expect(all).toEqual(bytes);
      }),
      { numRuns: 30 },
    );
  });
});
