// Disk images as files: positional reads and writes, flush as fsync. What the host does wrong is VmError DISK_IO with the path.
import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import type { ByteStore } from "../../disk/byte-store.ts";
import { assert } from "../../support/assert.ts";
import { VmError } from "../../support/errors.ts";
import { errnoOf, ioError } from "./io-error.ts";

/** What a store needs of an open file. */
export type StoreFile = Pick<FileHandle, "read" | "write" | "truncate" | "sync" | "datasync" | "stat" | "close">;

/** A regular file as a byte store. */
export class FileStore implements ByteStore {
  readonly path: string;
  readonly writable: boolean;
  /** Tells whether two paths lead to the same file. */
  readonly identity: string;
  readonly #file: StoreFile;
  #size: number;
  #closed: Promise<void> | undefined;

  /** For `openFileStore` and tests. */
  constructor(path: string, file: StoreFile, facts: { readonly size: number; readonly writable: boolean; readonly identity: string }) {
    this.path = path;
    this.writable = facts.writable;
    this.identity = facts.identity;
    this.#file = file;
    this.#size = facts.size;
  }

  get size(): number {
    return this.#size;
  }

  async read(at: number, into: Uint8Array): Promise<void> {
    this.#check(at, into.length);
    for (let done = 0; done < into.length;) {
      const { bytesRead } = await this.#try("read", this.#file.read(into, done, into.length - done, at + done));
      if (bytesRead === 0) throw this.#shrunk(at + done);
      done += bytesRead;
    }
  }

  async write(at: number, bytes: Uint8Array): Promise<void> {
    assert(this.writable, "write to a read-only store");
    this.#check(at, bytes.length);
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.#try("write", this.#file.write(bytes, done, bytes.length - done, at + done));
      done += bytesWritten;
    }
  }

  async truncate(size: number): Promise<void> {
    assert(this.writable, "truncation of a read-only store");
    await this.#try("resize", this.#file.truncate(size));
    this.#size = size;
  }

  async flush(): Promise<void> {
    if (!this.writable) return;
    await this.#try("flush", this.#file.datasync());
    // An unlinked file takes writes as ever, and loses them all when it is closed.
    const { nlink } = await this.#try("flush", this.#file.stat());
    if (nlink === 0)
      throw new VmError("DISK_IO", `Cannot flush disk ${JSON.stringify(this.path)}: the file was deleted while in use`, {
        data: { path: this.path },
      });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#closed ??= this.#try("close", this.#file.close()));
  }

  async #try<T>(doing: string, operation: Promise<T>): Promise<T> {
    try {
      return await operation;
    } catch (error) {
      throw ioError("DISK_IO", `${doing} disk`, this.path, error);
    }
  }

  #shrunk(at: number): VmError {
    return new VmError(
      "DISK_IO",
      `Cannot read disk ${JSON.stringify(this.path)}: the file ends at byte ${at}, it was made shorter while in use`,
      {
        data: { path: this.path, at, size: this.#size },
      },
    );
  }

  #check(at: number, length: number): void {
    assert(at >= 0 && at + length <= this.#size, `store access at ${at}, ${length} bytes, of ${this.#size}`);
  }
}

/** Opens an existing regular file. Throws FILE_NOT_FOUND, DISK_READ_ONLY (no right to write) or DISK_INVALID (not a regular file). */
export async function openFileStore(path: string, options: { readonly writable: boolean }): Promise<FileStore> {
  const flags = (options.writable ? constants.O_RDWR : constants.O_RDONLY) | constants.O_NONBLOCK;
  const file = await open(path, flags).catch((error: unknown) => {
    throw openError(path, options.writable, error);
  });
  try {
    const stat = await file.stat();
    if (!stat.isFile())
      throw new VmError("DISK_INVALID", `Cannot open disk ${JSON.stringify(path)}: not a regular file`, { data: { path } });
    return new FileStore(path, file, { size: stat.size, writable: options.writable, identity: `${stat.dev}:${stat.ino}` });
  } catch (error) {
    await file.close();
    throw error;
  }
}

function openError(path: string, writable: boolean, error: unknown): VmError {
  const errno = errnoOf(error) ?? "";
  if (writable && ["EACCES", "EPERM", "EROFS", "ETXTBSY"].includes(errno)) return ioError("DISK_READ_ONLY", "write to disk", path, error);
  return ioError(errno === "EISDIR" ? "DISK_INVALID" : "FILE_NOT_FOUND", "open disk", path, error);
}
