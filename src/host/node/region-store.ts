// Translated regions in files, one for each image, in a folder of the user's.
//
//   0          8         12        16              48
//   ┌──────────┬─────────┬─────────┬───────────────┬─────────
//   │ "NIDOREG"│ version │ length  │ SHA-256 of    │ content
//   │ and NUL  │ u32     │ u32     │ the content   │
//   └──────────┴─────────┴─────────┴───────────────┴─────────
//
// A file holds code that runs in the machine's sandbox, so nobody but the user may have written it. Files are written beside their place
// and moved there, so that nobody sees half a one; of several programs that write the same, the last wins.
import { createHash, randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { lstat, mkdir, open, readdir, rename, unlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { RegionStore } from "../../cpu/translate/service.ts";

/** Where one image's regions are kept. */
export interface RegionPlace {
  /** The folder, made when it is not there. */
  readonly folder: string;
  /** The file's name without its ending: letters and digits. */
  readonly name: string;
}

/** Bytes that all files in a folder may take; the ones used least lately make room. */
const FOLDER_BYTES = 256 << 20;
/** Longest file that is read. */
const FILE_BYTES = 64 << 20;
const MAGIC = Buffer.from("NIDOREG\0", "latin1");
const VERSION = 1;
const HEADER = 48;
const ENDING = ".regions";
/** Unfinished files that old are nobody's any more, in milliseconds. */
const ABANDONED_MS = 3_600_000;
const OTHERS_MAY_WRITE = 0o022;

/** The file of a place. */
export const pathOf = ({ folder, name }: RegionPlace): string => join(folder, name + ENDING);

/** Keeps one image's regions in a file. */
export class FileRegionStore implements RegionStore {
  readonly #place: RegionPlace;

  constructor(place: RegionPlace) {
    this.#place = place;
  }

  /** Undefined when there is no file, or none that this user wrote and that is whole. */
  async load(): Promise<Uint8Array | undefined> {
    if (!(await isOwnFolder(this.#place.folder))) return undefined;
    const content = await readOwn(pathOf(this.#place));
    // The time of the last use decides who stays.
    if (content) await utimes(pathOf(this.#place), new Date(), new Date()).catch(() => undefined);
    return content;
  }

  /** Rejects when the file cannot be written. */
  async save(content: Uint8Array): Promise<void> {
    const { folder, name } = this.#place;
    if (content.length + HEADER > FILE_BYTES) return;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (!(await isOwnFolder(folder))) return;
    const unfinished = join(folder, `${name}.${randomUUID()}.tmp`);
    try {
      await writeNew(unfinished, content);
      await rename(unfinished, pathOf(this.#place));
    } catch (error) {
      await unlink(unfinished).catch(() => undefined);
      throw error;
    }
    await makeRoom(folder, FOLDER_BYTES);
  }
}

/** Whether nobody else may write there. */
function isOwn(stat: { readonly uid: number; readonly mode: number }): boolean {
  // Windows has neither; the user's profile is the user's there.
  if (process.getuid === undefined) return true;
  return stat.uid === process.getuid() && (stat.mode & OTHERS_MAY_WRITE) === 0;
}

async function isOwnFolder(folder: string): Promise<boolean> {
  const stat = await lstat(folder).catch(() => undefined);
  return stat !== undefined && stat.isDirectory() && isOwn(stat);
}

async function readOwn(path: string): Promise<Uint8Array | undefined> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)).catch(() => undefined);
  if (!file) return undefined;
  try {
    const stat = await file.stat();
    if (!stat.isFile() || !isOwn(stat) || stat.size < HEADER || stat.size > FILE_BYTES) return undefined;
    return contentOf(await file.readFile());
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}

/** What a file holds; undefined when it is not whole. */
function contentOf(bytes: Buffer): Uint8Array | undefined {
  const content = bytes.subarray(HEADER);
  const isOurs = bytes.subarray(0, 8).equals(MAGIC) && bytes.readUInt32LE(8) === VERSION && bytes.readUInt32LE(12) === content.length;
  return isOurs && bytes.subarray(16, HEADER).equals(hashOf(content)) ? content : undefined;
}

const hashOf = (content: Uint8Array): Buffer => createHash("sha256").update(content).digest();

async function writeNew(path: string, content: Uint8Array): Promise<void> {
  const header = Buffer.alloc(HEADER);
  MAGIC.copy(header);
  header.writeUInt32LE(VERSION, 8);
  header.writeUInt32LE(content.length, 12);
  hashOf(content).copy(header, 16);
  const file = await open(path, "wx", 0o600);
  try {
    await file.writev([header, content]);
  } finally {
    await file.close();
  }
}

/** Removes what was used least lately until the folder's files take at most `bytes`, and what nobody has finished. */
export async function makeRoom(folder: string, bytes: number): Promise<void> {
  const files: { path: string; size: number; usedAt: number }[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const stat = await lstat(path).catch(() => undefined);
    if (!stat?.isFile()) continue;
    if (name.endsWith(ENDING)) files.push({ path, size: stat.size, usedAt: stat.mtimeMs });
    else if (name.endsWith(".tmp") && Date.now() - stat.mtimeMs > ABANDONED_MS) await unlink(path).catch(() => undefined);
  }
  let left = bytes;
  for (const { path, size } of files.sort((a, b) => b.usedAt - a.usedAt)) {
    left -= size;
    if (left < 0) await unlink(path).catch(() => undefined);
  }
}
