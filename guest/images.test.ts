// The committed guest is what its manifest, its sources and its provenance say.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type Pins, provenance } from "./build/provenance.mjs";

const GUEST = fileURLToPath(new URL(".", import.meta.url));
const LIMIT_BYTES = 24 << 20;
const read = (...path: string[]): Buffer => readFileSync(join(GUEST, ...path));

describe("the embedded guest", () => {
  const manifest = JSON.parse(read("images", "manifest.json").toString()) as Record<string, { bytes: number; sha256: string }>;
  const initramfs = read("images", "initramfs.img");

  it("has exactly the files of its manifest", () => {
    expect([...Object.keys(manifest), "manifest.json"].sort()).toEqual(readdirSync(join(GUEST, "images")).sort());
    for (const [name, { bytes, sha256 }] of Object.entries(manifest)) {
      const file = read("images", name);
      expect({ name, bytes: file.length, sha256: createHash("sha256").update(file).digest("hex") }).toEqual({ name, bytes, sha256 });
    }
  });

  it("fits into its share of the repository", () => {
    expect(Object.values(manifest).reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(LIMIT_BYTES);
  });

  it("was built from the files in guest/rootfs", () => {
    const files = readdirSync(join(GUEST, "rootfs"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(5);
    const stale = files.map((entry) => join(entry.parentPath, entry.name)).filter((path) => !initramfs.includes(readFileSync(path)));
    expect(stale).toEqual([]);
  });

  it("comes from the packages that PROVENANCE.md names", () => {
    const release = /lib\/modules\/([^/\0]+)\0/.exec(initramfs.toString("latin1"))?.[1];
    const pins = JSON.parse(read("pins.json").toString()) as Pins;
    expect(read("PROVENANCE.md").toString()).toBe(provenance(pins, release ?? ""));
  });
});
