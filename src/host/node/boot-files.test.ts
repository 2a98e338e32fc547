import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readBootFile } from "./boot-files.ts";
import { checkHostMemory, hostMemory } from "./host-memory.ts";

const folder = mkdtempSync(join(tmpdir(), "nido-boot-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("boot files", () => {
  it("are read whole", async () => {
    const path = join(folder, "kernel");
    writeFileSync(path, "kernel");
    expect(new TextDecoder().decode(await readBootFile("kernel", path, 100))).toBe("kernel");
    expect([...(await readBootFile("initrd", Uint8Array.of(1, 2), 100))]).toEqual([1, 2]);
  });

  it("that cannot be read are named, with their role", async () => {
    await expect(readBootFile("kernel", join(folder, "none"), 100)).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
      message: expect.stringMatching(/kernel ".*none": no such file/),
    });
    await expect(readBootFile("initrd", folder, 100)).rejects.toMatchObject({
      code: "INITRD_INVALID",
      message: expect.stringContaining("not a regular file"),
    });
    await expect(readBootFile("kernel", "/dev/zero", 100)).rejects.toMatchObject({ code: "KERNEL_INVALID" });
  });

  it("that exceed the guest's memory are refused before they are read", async () => {
    const path = join(folder, "large");
    writeFileSync(path, new Uint8Array(2000));
    await expect(readBootFile("kernel", path, 1024)).rejects.toMatchObject({
      code: "KERNEL_INVALID",
      data: { bytes: 2000, maxBytes: 1024 },
    });
    await expect(readBootFile("initrd", new Uint8Array(2000), 1024)).rejects.toMatchObject({ code: "INITRD_INVALID" });
  });
});

describe("host memory", () => {
  it("is what a guest may have at most", () => {
    const memory = { total: 2 ** 30, free: 2 ** 20 };
    checkHostMemory(2 ** 30, memory);
    expect(() => checkHostMemory(2 ** 30 + 2 ** 20, memory)).toThrow("Cannot give the guest 1025M of memory: this host has 1G");
  });

  it("of this host is more than nothing", () => {
    const { total, free } = hostMemory();
    expect(free).toBeGreaterThan(0);
    expect(total).toBeGreaterThanOrEqual(free);
  });
});
