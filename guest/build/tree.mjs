// What lies in the guest's root file system: guest/rootfs as it stands, busybox with a link for each of its applets, and the modules.
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { modulesDep, selectModules } from "./modules.mjs";

/** Modules the guest starts with; what they depend on follows. ext4 and NVMe are built into this kernel. */
const MODULES = ["virtio_pci", "virtio_mmio", "virtio_blk", "virtio_net", "virtio_console", "virtio_rng"];

const DIRECTORIES = {
  bin: 0o755,
  dev: 0o755,
  mnt: 0o755,
  proc: 0o555,
  root: 0o700,
  run: 0o755,
  sys: 0o555,
  tmp: 0o1777,
  usr: 0o755,
  var: 0o755,
  lib: 0o755,
  "lib/nido": 0o755,
  // What devtmpfs lacks lies here and in the links below; the session copies it into /dev.
  "lib/nido/dev": 0o755,
  "lib/nido/dev/pts": 0o755,
  "lib/nido/dev/shm": 0o1777,
};

const LINKS = {
  init: "bin/init",
  sbin: "bin",
  "usr/bin": "../bin",
  "usr/sbin": "../bin",
  "var/run": "../run",
  "var/tmp": "../tmp",
  "lib/nido/dev/fd": "/proc/self/fd",
  "lib/nido/dev/stdin": "fd/0",
  "lib/nido/dev/stdout": "fd/1",
  "lib/nido/dev/stderr": "fd/2",
};

/** The entries of the initramfs, from the folders of rootfs and of /lib/modules and the file of busybox. */
export async function guestTree(rootfs, modules, busybox) {
  const entries = {};
  for (const [path, mode] of Object.entries(DIRECTORIES)) entries[path] = { directory: mode };
  for (const [path, target] of Object.entries(LINKS)) entries[path] = { link: target };
  // The kernel opens /dev/console for init before anything is mounted.
  entries["dev/console"] = { device: [5, 1] };
  for (const [path, bytes] of Object.entries(await filesBelow(rootfs)))
    addFile(entries, path, bytes, bytes.subarray(0, 2).toString() === "#!");
  addBusybox(entries, await readFile(busybox));
  addModules(entries, await filesBelow(modules, (path) => path.endsWith(".ko")));
  return entries;
}

function addBusybox(entries, bytes) {
  addFile(entries, "bin/busybox", bytes, true);
  for (const applet of appletNames(bytes)) entries[`bin/${applet}`] ??= { link: "busybox" };
}

/** busybox's own table of applet names: NUL-terminated, sorted, ended by an empty one (busybox, include/applet_tables.h). */
function appletNames(bytes) {
  const start = bytes.indexOf("\0[\0[[\0") + 1;
  if (start === 0) throw new Error("busybox: no applet table found in the binary");
  const end = bytes.indexOf("\0\0", start);
  return bytes.subarray(start, end).toString("latin1").split("\0");
}

function addModules(entries, files) {
  const selected = selectModules(files, MODULES);
  for (const path of selected) addFile(entries, `lib/modules/${path}`, files[path], false);
  const version = selected[0].slice(0, selected[0].indexOf("/"));
  addFile(entries, `lib/modules/${version}/modules.dep`, modulesDep(files, selected).replaceAll(`${version}/`, ""), false);
}

function addFile(entries, path, file, executable) {
  for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1))
    entries[path.slice(0, slash)] ??= { directory: 0o755 };
  entries[path] = { file, mode: executable ? 0o755 : 0o644 };
}

async function filesBelow(folder, wanted = () => true) {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  const loaded = await Promise.all(files.filter(wanted).map(async (file) => [relative(folder, file), await readFile(file)]));
  return Object.fromEntries(loaded.sort(([a], [b]) => (a < b ? -1 : 1)));
}
