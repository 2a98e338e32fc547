import { describe, expect, it } from "vitest";
import { VmError } from "../../support/errors.ts";
import { FaultyStore } from "../../testing/faulty-store.ts";
import { MemoryByteStore, type ByteStore } from "../byte-store.ts";
import { CONTRACT_SECTORS, diskContract } from "../disk.contract.ts";
import { ALL_FORMATS, diskFormat } from "../index.ts";
import { raw, RAW_SECTOR } from "./index.ts";

/** A store that cannot give space back. */
function plain(store: ByteStore): ByteStore {
  return {
    get size() {
      return store.size;
    },
    writable: store.writable,
    read: (at, into) => store.read(at, into),
    write: (at, bytes) => store.write(at, bytes),
    truncate: (size) => store.truncate(size),
    flush: () => store.flush(),
    [Symbol.asyncDispose]: async () => {},
  };
}

for (const [name, wrap] of [
  ["raw on a store that deallocates", (store: ByteStore) => store],
  ["raw on a plain store", plain],
] as const) {
  diskContract(name, async () => {
    const store = wrap(new MemoryByteStore(CONTRACT_SECTORS * RAW_SECTOR));
    return { disk: await raw.open(store, { writable: true }), reopen: (writable) => raw.open(store, { writable }) };
  });
}

describe("raw images", () => {
  it("are whole sectors, at least one", async () => {
    for (const size of [0, 1, 511, 513, 1025]) {
      await expect(raw.open(new MemoryByteStore(size), { writable: true })).rejects.toMatchObject({
        code: "DISK_INVALID",
        data: { bytes: size },
      });
    }
    expect((await raw.open(new MemoryByteStore(1024), { writable: true })).sectors).toBe(2);
    const named = raw.open(new MemoryByteStore(513), { writable: true, name: "a.img" });
    await expect(named).rejects.toThrow('Cannot open raw disk "a.img": its 513 bytes are not a whole number of 512-byte sectors');
  });

  it("cannot be writable on a read-only store", async () => {
    await expect(raw.open(new MemoryByteStore(512, { writable: false }), { writable: true })).rejects.toMatchObject({
      code: "DISK_READ_ONLY",
    });
    expect((await raw.open(new MemoryByteStore(512, { writable: false }), { writable: false })).readOnly).toBe(true);
  });

  it("put sector n at byte 512 n", async () => {
    const store = new MemoryByteStore(4 * RAW_SECTOR);
    const disk = await raw.open(store, { writable: true });
    await disk.write(2, new Uint8Array(RAW_SECTOR).fill(0xa5));
    expect(store.bytes.indexOf(0xa5)).toBe(2 * RAW_SECTOR);
    expect(store.bytes.lastIndexOf(0xa5)).toBe(3 * RAW_SECTOR - 1);
  });

  it("keep a write with fua, and a flushed one, through a loss of power; and lose others", async () => {
    const store = new FaultyStore(new MemoryByteStore(4 * RAW_SECTOR));
    const disk = await raw.open(store, { writable: true });
    const sector = (fill: number): Uint8Array => new Uint8Array(RAW_SECTOR).fill(fill);
    await disk.write(0, sector(1));
    await disk.flush();
    await disk.write(1, sector(2), { fua: true });
    await disk.write(2, sector(3));
    const left = await store.losePower();
    expect([0, 1, 2].map((n) => left.bytes[n * RAW_SECTOR])).toEqual([1, 2, 0]);
  });

  it("pass on the store's errors", async () => {
    const store = new FaultyStore(new MemoryByteStore(4 * RAW_SECTOR));
    const disk = await raw.open(store, { writable: true });
    store.plan = (operation) => (operation.kind === "flush" ? "fail" : "pass");
    await disk.write(0, new Uint8Array(RAW_SECTOR));
    const error: unknown = await disk.flush().catch((reason: unknown) => reason);
    expect(VmError.is(error, "DISK_IO")).toBe(true);
  });
});

describe("the format registry", () => {
  it("finds every format by its name, and refuses others", () => {
    for (const format of ALL_FORMATS) expect(diskFormat(format.name)).toBe(format);
    expect(() => diskFormat("guess")).toThrow(/raw/);
  });
});
