import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync, chmodSync, symlinkSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { FileStore, openFileStore, type StoreFile } from "./file-store.ts";
import { nodeThreadPlatform } from "./thread-platform.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nido-store-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function image(name: string, size = 4096): string {
  const path = join(folder, name);
  writeFileSync(path, new Uint8Array(size));
  return path;
}

const toClose: FileStore[] = [];
afterEach(async () => {
  for (const store of toClose.splice(0)) await store[Symbol.asyncDispose]();
});

/** A store that the test need not close. */
async function opened(path: string, options: { readonly writable: boolean }): Promise<FileStore> {
  const store = await openFileStore(path, options);
  toClose.push(store);
  return store;
}

/** A file whose operations fail as told, over a real one. */
async function broken(path: string, faults: Partial<StoreFile>): Promise<FileStore> {
  const file = await open(path, "r+");
  const pass = {
    read: file.read,
    write: file.write,
    truncate: file.truncate,
    sync: file.sync,
    datasync: file.datasync,
    stat: file.stat,
    close: file.close,
  };
  const bound = Object.fromEntries(Object.entries(pass).map(([name, call]) => [name, (call as () => unknown).bind(file)]));
  return new FileStore(path, { ...bound, ...faults } as StoreFile, { size: statSync(path).size, writable: true, identity: path });
}

function systemError(code: string): () => Promise<never> {
  return () => Promise.reject(Object.assign(new Error(`${code}: it failed`), { code }));
}

describe("a file as a byte store", () => {
  it("reads and writes at offsets, and keeps its size", async () => {
    const path = image("plain");
    const store = await opened(path, { writable: true });
    await store.write(4095, Uint8Array.of(7));
    await store.write(100, Uint8Array.of(1, 2, 3));
    const back = new Uint8Array(5);
    await store.read(99, back);
    expect([...back]).toEqual([0, 1, 2, 3, 0]);
    await store.flush();
    expect([store.size, readFileSync(path).length, readFileSync(path).at(-1)]).toEqual([4096, 4096, 7]);
  });

  it("changes its size only when told to", async () => {
    const path = image("resized", 512);
    const store = await opened(path, { writable: true });
    await store.truncate(2048);
    const tail = new Uint8Array(4).fill(9);
    await store.read(2044, tail);
    expect([store.size, ...tail]).toEqual([2048, 0, 0, 0, 0]);
  });

  it("leaves a file that is opened for reading untouched", async () => {
    const path = image("readonly");
    const before = statSync(path).mtimeMs;
    const store = await opened(path, { writable: false });
    await expect(store.write(0, Uint8Array.of(1))).rejects.toThrow("read-only");
    await store.flush();
    expect(statSync(path).mtimeMs).toBe(before);
  });

  it("can be closed twice", async () => {
    const store = await openFileStore(image("closed"), { writable: true });
    await store[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    await expect(store.read(0, new Uint8Array(1))).rejects.toMatchObject({ code: "DISK_IO" });
  });
});

describe("opening a disk's file", () => {
  it("names what is missing, what is no file, and what may not be written", async () => {
    await expect(openFileStore(join(folder, "nowhere"), { writable: true })).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
      message: expect.stringContaining("no such file"),
    });
    await expect(openFileStore(folder, { writable: true })).rejects.toMatchObject({ code: "DISK_INVALID" });
    await expect(openFileStore(folder, { writable: false })).rejects.toMatchObject({ code: "DISK_INVALID" });
    await expect(openFileStore("/dev/null", { writable: true })).rejects.toMatchObject({ code: "DISK_INVALID" });
  });

  it.skipIf(process.getuid?.() === 0)("refuses to write where the user may not (not as root)", async () => {
    const path = image("locked");
    chmodSync(path, 0o444);
    await expect(openFileStore(path, { writable: true })).rejects.toMatchObject({ code: "DISK_READ_ONLY" });
    await (await openFileStore(path, { writable: false }))[Symbol.asyncDispose]();
  });

  it("refuses one file as two disks when either may be written", async () => {
    const path = image("twice");
    const link = join(folder, "link");
    symlinkSync(path, link);
    const disk = (name: string, readOnly: boolean) => ({ path: name, format: "raw", readOnly }) as const;
    const platform = nodeThreadPlatform();
    const first = await platform.openDisk(disk(path, false));
    await expect(platform.openDisk(disk(link, true))).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("same file"),
    });
    const readers = nodeThreadPlatform();
    const stores = [first, await readers.openDisk(disk(path, true)), await readers.openDisk(disk(link, true))];
    for (const store of stores) await store[Symbol.asyncDispose]();
  });
});

describe("a disk's file that fails", () => {
  it.each([
    ["ENOSPC", "no space left"],
    ["EIO", "reports an error"],
    ["EDQUOT", "quota"],
    ["ESOMETHING", "ESOMETHING"],
  ])("turns %s into DISK_IO in words", async (code, words) => {
    const path = image("full");
    const store = await broken(path, {
      write: systemError(code) as StoreFile["write"],
      read: systemError(code) as StoreFile["read"],
      datasync: systemError(code),
    });
    for (const failing of [store.write(0, new Uint8Array(512)), store.read(0, new Uint8Array(512)), store.flush()]) {
      await expect(failing).rejects.toMatchObject({
        code: "DISK_IO",
        message: expect.stringContaining(words),
        data: { path, errno: code },
      });
    }
    await store[Symbol.asyncDispose]();
    expect(readFileSync(path).every((byte) => byte === 0)).toBe(true);
  });

  it("says so when it is deleted while in use", async () => {
    const path = image("deleted");
    const store = await opened(path, { writable: true });
    await store.write(0, new Uint8Array(512));
    rmSync(path);
    await expect(store.flush()).rejects.toMatchObject({ code: "DISK_IO", message: expect.stringContaining("deleted while in use") });
  });

  it("says so when it is made shorter while in use", async () => {
    const path = image("shorter");
    const store = await opened(path, { writable: true });
    truncateSync(path, 1000);
    await expect(store.read(512, new Uint8Array(1024))).rejects.toMatchObject({ code: "DISK_IO", data: { at: 1000 } });
  });

  it("finishes writes that the host takes in pieces", async () => {
    const path = image("pieces");
    const file = await open(path, "r+");
    const piecemeal = (bytes: Uint8Array, offset: number, length: number, at: number): unknown =>
      file.write(bytes, offset, Math.min(length, 100), at);
    const store = await broken(path, { write: piecemeal as StoreFile["write"] });
    await store.write(10, new Uint8Array(1000).fill(5));
    await Promise.all([store[Symbol.asyncDispose](), file.close()]);
    expect(readFileSync(path).filter((byte) => byte === 5).length).toBe(1000);
  });
});
