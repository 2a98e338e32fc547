// PROVENANCE.md: where each binary in guest/images comes from, under which licence, and how to get the source it was built from.

const CONTENTS = {
  kernel: {
    what: "`vmlinuz`, and the kernel modules in `initramfs.img`",
    licence: "GPL-2.0-only WITH Linux-syscall-note",
    texts: "`copyright.linux`, `GPL-2`",
  },
  busybox: {
    what: "`/bin/busybox` in `initramfs.img`",
    licence: "GPL-2.0-only; statically linked glibc LGPL-2.1-or-later",
    texts: "`copyright.busybox`, `copyright.glibc`, `GPL-2`, `LGPL-2.1`",
  },
  libc: { what: "`copyright.glibc` (the notices of the C library inside busybox)", licence: "text only", texts: "" },
  licences: { what: "`GPL-2` and `LGPL-2.1` (the licence texts)", licence: "text only", texts: "" },
};

/** The document for the packages in `pins` and the kernel `release` (what `uname -r` says). */
export function provenance(pins, release) {
  const pinned = Object.entries(pins.packages);
  const binaries = pinned.map(([role, pin]) => {
    const { what, licence, texts } = CONTENTS[role];
    return `| ${what} | ${pin.package} | ${pin.version} | ${licence}${texts === "" ? "" : ` (${texts})`} | \`${pin.sha256}\` |`;
  });
  const sources = pinned
    .filter(([role]) => CONTENTS[role].texts !== "")
    .flatMap(([, pin]) => pin.sources.map((source) => ({ pin, source })));
  return `<!-- Written by guest/build.mjs from guest/pins.json; edit guest/build/provenance.mjs instead. -->
# Where the embedded guest comes from

Linux ${release} and busybox, unmodified, from Debian's packages (suite \`${pins.suite}\`). \`node guest/build.mjs\` downloads exactly these
versions, checks their SHA-256 and builds the same files again, byte for byte; \`guest/images/manifest.json\` lists the files with their digests.
What is Nido's own in \`initramfs.img\` lies in \`guest/rootfs\` and is under the project's licence.

| In guest/images | Package | Version | Licence (texts beside the images) | SHA-256 of the package |
|---|---|---|---|---|
${binaries.join("\n")}

## Corresponding source

With a \`deb-src\` line for \`${pins.suite}\` (and \`${pins.suite}-security\`) in apt's sources:

| For | Fetch with |
|---|---|
${sources.map(({ pin, source }) => `| ${pin.package} | \`apt-get source --download-only ${source.package}=${source.version}\` |`).join("\n")}

A signed kernel package is built from two sources: the first holds the signatures, the second Linux itself with Debian's patches and
configuration. Versions that have left the mirrors stay in Debian's snapshot archive under the same names.
`;
}
