// The files a machine is started from, read whole.
import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { FileSource } from "../../machine/config.ts";
import { VmError } from "../../support/errors.ts";
import { formatSize } from "../../support/quantity.ts";
import { ioError } from "./io-error.ts";

const CODES = { kernel: "KERNEL_INVALID", initrd: "INITRD_INVALID", symbols: "SYMBOLS_INVALID" } as const;
type Role = keyof typeof CODES;

/** The guest that comes with the package. Sources and builds lie equally deep below the package's root. */
export const EMBEDDED_GUEST: { readonly kernel: string; readonly initrd: string } = {
  kernel: fileURLToPath(new URL("../../../guest/images/vmlinuz", import.meta.url)),
  initrd: fileURLToPath(new URL("../../../guest/images/initramfs.img", import.meta.url)),
};

/** The content of a kernel, initial RAM disk or file of symbols. Throws FILE_NOT_FOUND, or the role's error when it is no file or too large for the guest. */
export async function readBootFile(role: Role, source: FileSource, maxBytes: number): Promise<Uint8Array> {
  if (typeof source !== "string") return checkLength(role, "given as bytes", source, maxBytes);
  // Not blocking, lest a named pipe without a writer hold us up for ever.
  const file = await open(source, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw ioError("FILE_NOT_FOUND", `read ${role}`, source, error);
  });
  try {
    return await readAll(role, source, file, maxBytes);
  } finally {
    await file.close();
  }
}

async function readAll(role: Role, path: string, file: FileHandle, maxBytes: number): Promise<Uint8Array> {
  const stat = await file.stat();
  if (!stat.isFile()) throw new VmError(CODES[role], `Cannot read ${role} ${JSON.stringify(path)}: not a regular file`, { data: { path } });
  if (stat.size > maxBytes) throw tooLarge(role, JSON.stringify(path), stat.size, maxBytes);
  try {
    const bytes = new Uint8Array(stat.size);
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  } catch (error) {
    throw ioError(CODES[role], `read ${role}`, path, error);
  }
}

function checkLength(role: Role, name: string, bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (bytes.length > maxBytes) throw tooLarge(role, name, bytes.length, maxBytes);
  return bytes;
}

function tooLarge(role: Role, name: string, bytes: number, maxBytes: number): VmError {
  const limit = role === "symbols" ? `are more than ${formatSize(maxBytes)}` : `do not fit into ${formatSize(maxBytes)} of guest memory`;
  return new VmError(CODES[role], `Cannot load ${role} ${name}: its ${bytes} bytes ${limit}`, { data: { bytes, maxBytes } });
}
