import { describe, expect, it } from "vitest";
import { packCpio } from "./cpio.mjs";

/** Reads an archive back as the kernel does: `name mode size data`. */
function entriesOf(archive: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; ;) {
    const field = (index: number): number => Number.parseInt(archive.toString("latin1", at + 6 + index * 8, at + 14 + index * 8), 16);
    expect(archive.toString("latin1", at, at + 6)).toBe("070701");
    const nameEnd = at + 110 + field(11);
    const name = archive.toString("latin1", at + 110, nameEnd - 1);
    if (name === "TRAILER!!!") return found;
    const data = (nameEnd + 3) & ~3;
    expect([field(2), field(3), field(5)]).toEqual([0, 0, 0]);
    found.push(`${name} ${field(1).toString(8)} ${field(9)},${field(10)} ${archive.toString("latin1", data, data + field(6))}`);
    at = (data + field(6) + 3) & ~3;
  }
}

describe("packCpio", () => {
  it("writes sorted entries owned by root that read back", () => {
    const archive = packCpio({
      init: { file: "#!/bin/sh\n", mode: 0o755 },
      dev: { directory: 0o755 },
      "dev/console": { device: [5, 1] },
      sbin: { link: "bin" },
      a: { file: Uint8Array.of(1, 2, 3, 4, 5), mode: 0o644 },
    });
    expect(entriesOf(archive)).toEqual([
      "a 100644 0,0 \x01\x02\x03\x04\x05",
      "dev 40755 0,0 ",
      "dev/console 20600 5,1 ",
      "init 100755 0,0 #!/bin/sh\n",
      "sbin 120777 0,0 bin",
    ]);
  });

  it("gives the same bytes whatever the order of its entries", () => {
    const one = packCpio({ b: { link: "a" }, a: { file: "x", mode: 0o600 } });
    const other = packCpio({ a: { file: "x", mode: 0o600 }, b: { link: "a" } });
    expect(one.equals(other)).toBe(true);
  });

  it("refuses an entry whose directory is missing", () => {
    expect(() => packCpio({ "etc/passwd": { file: "", mode: 0o644 } })).toThrow("etc/passwd has no directory entry etc");
  });
});
