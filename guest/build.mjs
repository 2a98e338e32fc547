#!/usr/bin/env node
// Builds the embedded guest (guest/images) from the Debian packages that guest/pins.json names, byte for byte the same every time.
//   node guest/build.mjs             build from the pinned packages
//   node guest/build.mjs --repin     pin the versions that the archive has now, then build
//   --mirror URL                     fetch from this Debian mirror instead of the one that the host's apt uses
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openApt, pinOf, sha256, unpack } from "./build/apt.mjs";
import { packCpio } from "./build/cpio.mjs";
import { provenance } from "./build/provenance.mjs";
import { guestTree } from "./build/tree.mjs";

const GUEST = dirname(fileURLToPath(import.meta.url));
const IMAGES = join(GUEST, "images");
const PINS = join(GUEST, "pins.json");
const APT = join(GUEST, "../node_modules/.cache/nido/apt");

// Point-release suites keep what they have for the release's life; builds in -security and -updates disappear after weeks.
const SUITE = "bookworm";
const ARCHITECTURE = "amd64";

/** What each pinned package is for. The kernel's real package is what this one depends on. */
const ROLES = { kernel: "linux-image-cloud-amd64", busybox: "busybox-static", libc: "libc6", licences: "base-files" };

async function main() {
  const { values: options } = parseArgs({ options: { repin: { type: "boolean", default: false }, mirror: { type: "string" } } });
  const apt = await openApt({
    root: join(APT, `${SUITE}-${ARCHITECTURE}`),
    suite: SUITE,
    architecture: ARCHITECTURE,
    mirror: options.mirror,
  });
  if (options.repin) await writeFile(PINS, `${JSON.stringify(await repin(apt), null, 2)}\n`);
  const pins = JSON.parse(await readFile(PINS, "utf8"));
  const work = await mkdtemp(join(tmpdir(), "nido-guest-"));
  try {
    for (const role of Object.keys(ROLES)) await fetchPackage(apt, work, role, pins.packages[role]);
    await build(work, pins);
  } finally {
    await rm(work, { recursive: true });
  }
}

/** The versions that the archive has now, as the contents of pins.json. */
async function repin(apt) {
  const packages = {};
  for (const [role, name] of Object.entries(ROLES)) {
    const record = await newest(apt, role === "kernel" ? await kernelPackage(apt, name) : name);
    packages[role] = { ...pinOf(record), sources: sourcesOf(record) };
  }
  return { suite: SUITE, packages };
}

async function kernelPackage(apt, name) {
  const { Depends } = await newest(apt, name);
  return Depends.split(/[ ,]/)[0];
}

async function newest(apt, name) {
  const record = await apt.show(name);
  if (record === undefined) throw new Error(`the archive has no package ${name} in ${apt.suite}`);
  return record;
}

/** The source packages behind a binary: its own, and those whose code was built in (Debian Policy §5.6.1, §7.8). */
function sourcesOf(record) {
  const [, name = record.Package, , version = record.Version] = /^(\S+)( \((.*)\))?$/.exec(record.Source ?? record.Package) ?? [];
  const builtIn = [...(record["Built-Using"] ?? "").matchAll(/(\S+) \(= ([^)]*)\)/g)].map(([, source, built]) => ({
    package: source,
    version: built,
  }));
  return [{ package: name, version }, ...builtIn];
}

async function fetchPackage(apt, work, role, pin) {
  if ((await apt.show(pin.package, pin.version))?.SHA256 !== pin.sha256) throw new Error(await explainGone(apt, role, pin));
  const deb = await apt.download(work, pin);
  const documents = [`./usr/share/doc/${pin.package}/copyright`];
  const wanted = {
    kernel: ["./boot", "./lib/modules", ...documents],
    busybox: ["./bin/busybox", ...documents],
    libc: documents,
    licences: ["./usr/share/common-licenses/GPL-2", "./usr/share/common-licenses/LGPL-2.1"],
  };
  await unpack(deb, join(work, role), wanted[role]);
}

async function explainGone(apt, role, pin) {
  const name = role === "kernel" ? await kernelPackage(apt, ROLES.kernel) : pin.package;
  const there = (await apt.versions(name)).join(", ") || "nothing of that name";
  return (
    `${pin.package} ${pin.version} is no longer what the archive has in ${apt.suite}; it has ${name} ${there}.\n` +
    "Take that with `node guest/build.mjs --repin`, run the tests, and commit guest/pins.json with guest/images."
  );
}

async function build(work, pins) {
  const boot = join(work, "kernel/boot");
  const kernel = (await readdir(boot)).find((name) => name.startsWith("vmlinuz-"));
  const copyright = (role) => readFile(join(work, role, "usr/share/doc", pins.packages[role].package, "copyright"));
  const licence = (name) => readFile(join(work, "licences/usr/share/common-licenses", name));
  const images = {
    vmlinuz: await readFile(join(boot, kernel)),
    "initramfs.img": packCpio(await guestTree(join(GUEST, "rootfs"), join(work, "kernel/lib/modules"), join(work, "busybox/bin/busybox"))),
    "copyright.linux": await copyright("kernel"),
    "copyright.busybox": await copyright("busybox"),
    "copyright.glibc": await copyright("libc"),
    "GPL-2": await licence("GPL-2"),
    "LGPL-2.1": await licence("LGPL-2.1"),
  };
  await mkdir(IMAGES, { recursive: true });
  const manifest = {};
  for (const [name, bytes] of Object.entries(images)) {
    await writeFile(join(IMAGES, name), bytes);
    manifest[name] = { bytes: bytes.length, sha256: sha256(bytes) };
    console.log(`${manifest[name].sha256}  ${String(bytes.length).padStart(9)}  guest/images/${name}`);
  }
  await writeFile(join(IMAGES, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  await writeFile(join(GUEST, "PROVENANCE.md"), provenance(pins, kernel.slice("vmlinuz-".length)));
}

try {
  await main();
} catch (error) {
  console.error(`guest/build.mjs: ${error.message}`);
  process.exitCode = 1;
}
