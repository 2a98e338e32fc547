import { describe, expect, it } from "vitest";
import { modulesDep, selectModules } from "./modules.mjs";

/** The smallest ELF-64 file with a section .modinfo. */
function moduleWith(modinfo: string): Uint8Array {
  const names = "\0.modinfo\0.shstrtab\0";
  const bytes = Buffer.alloc(64 + 3 * 64 + names.length + modinfo.length);
  bytes.write("\x7fELF\x02\x01\x01", "latin1");
  bytes.writeBigUInt64LE(64n, 40);
  for (const [offset, value] of [
    [58, 64],
    [60, 3],
    [62, 2],
  ] as const)
    bytes.writeUInt16LE(value, offset);
  const section = (index: number, name: number, offset: number, text: string): void => {
    bytes.writeUInt32LE(name, 64 * (index + 1));
    bytes.writeBigUInt64LE(BigInt(offset), 64 * (index + 1) + 24);
    bytes.writeBigUInt64LE(BigInt(text.length), 64 * (index + 1) + 32);
    bytes.write(text, offset, "latin1");
  };
  section(1, 1, 256 + names.length, modinfo);
  section(2, 10, 256, names);
  return bytes;
}

const FILES = {
  "k/virtio_pci.ko": moduleWith("license=GPL\0depends=virtio,ring-part\0"),
  "k/virtio.ko": moduleWith("depends=\0"),
  "k/ring-part.ko": moduleWith("depends=virtio\0"),
  "k/unused.ko": moduleWith("depends=\0"),
};

describe("kernel modules", () => {
  it("come with all they depend on, dependencies first, and nothing else", () => {
    expect(selectModules(FILES, ["virtio_pci", "virtio"])).toEqual(["k/virtio.ko", "k/ring-part.ko", "k/virtio_pci.ko"]);
  });

  it("are listed for modprobe with what they need, deepest last", () => {
    expect(modulesDep(FILES, ["k/virtio.ko", "k/virtio_pci.ko"])).toBe("k/virtio.ko:\nk/virtio_pci.ko: k/ring-part.ko k/virtio.ko\n");
  });

  it("that are missing are named, with who needs them", () => {
    const lacking = { "k/a.ko": moduleWith("depends=gone\0") };
    expect(() => selectModules(lacking, ["a"])).toThrow("kernel module gone, which a needs, is not in the package");
  });

  it("that are no modules are refused", () => {
    expect(() => selectModules({ "k/a.ko": Buffer.from("not an ELF file, but long enough to look for its header in it") }, ["a"])).toThrow(
      "not an ELF-64 file",
    );
  });
});
