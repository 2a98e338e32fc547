// Node as the host of a machine's thread.
import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { MessageChannel } from "node:worker_threads";
import type { ByteStore } from "../../disk/byte-store.ts";
import type { DiskConfig } from "../../machine/attachments.ts";
import type { LogFile, ThreadPlatform } from "../../machine/thread.ts";
import { VmError } from "../../support/errors.ts";
import { EMBEDDED_GUEST, readBootFile } from "./boot-files.ts";
import { nodeClock } from "./clock.ts";
import { openFileStore, type FileStore } from "./file-store.ts";
import { checkHostMemory } from "./host-memory.ts";
import { ioError } from "./io-error.ts";
import { regionPlace } from "./region-place.ts";
import { threadTranslator } from "./translator-thread.ts";
import { prepareV8 } from "./v8.ts";

/** What one machine's thread needs; not shared between machines. Begins at once to load the interpreter. */
export function nodeThreadPlatform(): ThreadPlatform {
  const open: FileStore[] = [];
  const interpreter = loadInterpreter();
  interpreter.catch(() => {});
  return {
    clock: nodeClock,
    checkMemory: checkHostMemory,
    readFile: readBootFile,
    embeddedGuest: EMBEDDED_GUEST,
    translator: (cache, kernel) => threadTranslator(regionPlace(cache, kernel)),
    loadInterpreter: () => interpreter,
    release,
    openDisk: (disk) => openDisk(disk, open),
    openLog,
    startProfiler: async (intervalUs) => (await import("./thread-profiler.ts")).startProfiler(intervalUs),
    fillRandom: (into) => void randomFillSync(into),
    scheduleSoon: (task) => void setImmediate(task),
    scheduleAfter: (delayNs, task) => {
      const timer = setTimeout(task, delayNs / 1e6);
      return { cancel: () => clearTimeout(timer) };
    },
  };
}

/** What scripts/build-engine.mjs wrote; sources that run unbuilt have none. */
async function loadInterpreter(): Promise<WebAssembly.Module | undefined> {
  prepareV8();
  const bytes = await readFile(new URL("../../engine/interpreter.wasm", import.meta.url)).catch(() => undefined);
  return bytes && WebAssembly.compile(bytes);
}

/** Opens a disk's file, which no other disk of the machine may change. */
async function openDisk(disk: DiskConfig, open: FileStore[]): Promise<ByteStore> {
  const store = await openFileStore(disk.path, { writable: !disk.readOnly });
  const twin = open.find((other) => other.identity === store.identity && (other.writable || store.writable));
  if (twin !== undefined) {
    await store[Symbol.asyncDispose]();
    throw new VmError(
      "CONFIG_INVALID",
      `Disk ${JSON.stringify(disk.path)} is the same file as disk ${JSON.stringify(twin.path)}: attach it once, or readonly`,
      {
        data: { option: "disks", path: disk.path },
      },
    );
  }
  open.push(store);
  return store;
}

/** Sends the bytes to nobody: unlike a forgotten buffer, whose memory stays until the next collection, a dropped message's is freed now. */
async function release(bytes: Uint8Array): Promise<void> {
  if (!(bytes.buffer instanceof ArrayBuffer)) return;
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(undefined, [bytes.buffer]);
  const closed = once(port2, "close");
  port2.close();
  await closed;
}

function openLog(role: "serial console" | "profile", path: string): LogFile {
  let fd: number;
  try {
    fd = openSync(path, "w");
  } catch (error) {
    throw ioError("FILE_NOT_FOUND", `write the ${role} to`, path, error);
  }
  return {
    write: (bytes) => {
      try {
        for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
      } catch (error) {
        throw ioError("DISK_IO", `write the ${role} to`, path, error);
      }
    },
    close: () => closeSync(fd),
  };
}
