// The programs that are measured, of Debian's packages, and their script.
import { fetchPackages, packagesTree, packageVersions, type Selection } from "../../test/boot/packages.ts";
import type { Tree } from "../../test/boot/userland.ts";
import { source } from "./images.ts";

const PROGRAMS: Selection = {
  // cpp-12 holds the compiler proper, cc1, without an assembler and a linker.
  wanted: ["7zip", "openssl", "sqlite3", "python3.11-minimal", "cpp-12"],
  notNeeded: ["debconf", "debconf-2.0", "cdebconf", "dpkg", "perl", "ca-certificates", "media-types", "tzdata"],
};
const LEFT_OUT = /^usr\/(share|include|lib\/x86_64-linux-gnu\/gconv|lib\/x86_64-linux-gnu\/perl-base)(\/|$)|__pycache__|\.(a|o|la)$/;

/** The programs and their script. Fetches packages when they are not in the cache; throws an Error when they cannot be had. */
export async function programsTree(): Promise<Tree> {
  await fetchPackages(PROGRAMS);
  const file = (name: string): Tree[string] => ({ file: source(name), mode: 0o644 });
  return {
    ...packagesTree(PROGRAMS, PROGRAMS.wanted, LEFT_OUT),
    "work/programs.sh": file("programs.sh"),
    "work/rows.sql": file("rows.sql"),
    "work/program.py": file("program.py"),
    "work/prime.hex": file("prime.hex"),
    "work/micro.c": file("micro.c"),
  };
}

/** The versions of the packages in the cache, by name. */
export function programVersions(): Readonly<Record<string, string>> {
  return packageVersions(PROGRAMS);
}
