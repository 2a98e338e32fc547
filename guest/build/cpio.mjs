// The "new ASCII" cpio archive that a Linux kernel unpacks into its root file system (Documentation/driver-api/early-userspace/
// buffer-format.rst): per entry a header of 8-digit hexadecimal fields, the name and the data, name and data padded to 4 bytes.
// The same entries always give the same bytes: sorted by name, owned by root, dated 1970, numbered in order.

const MAGIC = "070701";
const TRAILER = "TRAILER!!!";
const S_IFDIR = 0o040000;
const S_IFCHR = 0o020000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;

/** Packs `entries` (path without leading slash to a directory, file, link or character device) into one archive. */
export function packCpio(entries) {
  const names = Object.keys(entries).sort();
  for (const name of names) requireParent(entries, name);
  const chunks = names.flatMap((name, index) => encode(name, describe(entries[name]), index + 1));
  chunks.push(...encode(TRAILER, { mode: 0, data: Buffer.alloc(0), links: 1 }, 0));
  return Buffer.concat(chunks);
}

/** The kernel creates no missing directory: it drops the entry silently (init/initramfs.c), so we refuse it here. */
function requireParent(entries, name) {
  const parent = name.slice(0, Math.max(0, name.lastIndexOf("/")));
  if (parent !== "" && entries[parent]?.directory === undefined) throw new Error(`cpio: ${name} has no directory entry ${parent}`);
}

function describe(entry) {
  if (entry.directory !== undefined) return { mode: S_IFDIR | entry.directory, data: Buffer.alloc(0), links: 2 };
  if (entry.link !== undefined) return { mode: S_IFLNK | 0o777, data: Buffer.from(entry.link), links: 1 };
  if (entry.device !== undefined) return { mode: S_IFCHR | 0o600, data: Buffer.alloc(0), links: 1, device: entry.device };
  return { mode: S_IFREG | entry.mode, data: Buffer.from(entry.file), links: 1 };
}

function encode(name, { mode, data, links, device = [0, 0] }, inode) {
  const bytes = Buffer.from(`${name}\0`);
  const fields = [inode, mode, 0, 0, links, 0, data.length, 0, 0, ...device, bytes.length, 0];
  const header = Buffer.from(MAGIC + fields.map((field) => field.toString(16).toUpperCase().padStart(8, "0")).join(""));
  return [padded([header, bytes]), padded([data])];
}

function padded(parts) {
  const whole = Buffer.concat(parts);
  return Buffer.concat([whole, Buffer.alloc(-whole.length & 3)]);
}
