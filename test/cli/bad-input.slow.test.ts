// Files and options that cannot be used: each gives one clear error, its exit status, and no machine.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { packCpio } from "../../guest/build/cpio.mjs";
import { GUEST, nidoRun } from "../boot/nido.ts";
import { Folder } from "./folder.ts";

const MIB = 1 << 20;
let folder: Folder;
beforeAll(() => {
  folder = new Folder();
});
afterAll(() => folder[Symbol.dispose]());

/** What, where and what to do, in two lines; nothing on the standard output. */
async function refuses(args: readonly string[], status: number, words: string): Promise<void> {
  const run = await nidoRun(args);
  expect(run).toMatchObject({ status, stdout: "" });
  expect(run.stderr).toMatch(/^nido: [^\n]+\n {6}[^\n]+\n$/);
  expect(run.stderr).toContain(words);
}

/** A file that begins with these bytes and goes on with zeroes. */
function imageOf(at: number, magic: string, length = 0x2_0000): Uint8Array {
  const bytes = Buffer.alloc(length);
  bytes.write(magic, at, "latin1");
  return bytes;
}

type Make = () => string;

const KERNELS: readonly (readonly [what: string, make: Make, words: string])[] = [
  ["that is not there", () => folder.at("nowhere"), "no such file"],
  ["that is a folder", () => folder.path, "not a regular file"],
  ["that is empty", () => folder.put("empty", ""), "an empty file"],
  [
    "that is random",
    () => folder.put("random", Buffer.concat([Buffer.alloc(2), randomBytes(100_000)])),
    "none of the kernel formats known",
  ],
  ["cut in its setup code", () => folder.put("cut1", readFileSync(GUEST.kernel).subarray(0, 1000)), "the file is truncated"],
  ["cut in its middle", () => folder.put("cut2", readFileSync(GUEST.kernel).subarray(0, 5 * MIB)), "the file is truncated"],
  ["cut near its end", () => folder.put("cut3", readFileSync(GUEST.kernel).subarray(0, -0x1_0000)), "the file is truncated"],
  ["for arm64", () => folder.put("arm64", imageOf(0x38, "ARMd")), "a Linux Image for arm64"],
  ["for RISC-V", () => folder.put("riscv", imageOf(0x38, "RSC\x05")), "a Linux Image for RISC-V"],
  ["that is a program of this system", () => process.execPath, "Cannot boot"],
  ["that is an ISO image", () => folder.put("iso", imageOf(0x8001, "CD001")), "an ISO 9660 image"],
  ["packed with gzip", () => folder.put("gz", imageOf(0, "\x1f\x8b")), "gzip data; unpack it first"],
];

const INITRDS: readonly (readonly [what: string, make: Make, words: string])[] = [
  ["that is not there", () => folder.at("nowhere"), "no such file"],
  ["that is a folder", () => folder.path, "not a regular file"],
  ["that is empty", () => folder.put("empty", ""), "empty"],
  ["that is random", () => folder.put("random", Buffer.concat([Buffer.alloc(8), randomBytes(100_000)])), "neither a cpio archive"],
  ["larger than the memory", () => folder.sparse("larger", 600 * MIB), "do not fit into 512M of guest memory"],
  [
    "too large beside the kernel",
    () => folder.sparse("large", 500 * MIB, packCpio({ a: { file: Buffer.from("a"), mode: 0o644 } })),
    "guest",
  ],
];

describe("a kernel", () => {
  it.each(KERNELS)("%s is refused", async (_what, make, words) => {
    await refuses(["--kernel", make()], 65, words);
    expect.assertions(3);
  });
});

describe("an initrd", () => {
  it.each(INITRDS)("%s is refused", async (_what, make, words) => {
    await refuses(["--kernel", GUEST.kernel, "--initrd", make()], 65, words);
    expect.assertions(3);
  });
});

describe("a disk", () => {
  it.each<[string, Make, number, string]>([
    ["that is not there", () => `${folder.at("nowhere.img")},format=raw`, 65, 'nowhere.img": no such file'],
    ["that is a folder", () => `${folder.path},format=raw`, 65, "it is a directory"],
    ["that is a device", () => "/dev/null,format=raw", 65, 'disk "/dev/null": not a regular file'],
    ["that is empty", () => `${folder.put("empty.img", "")},format=raw`, 65, 'empty.img": it is empty'],
    [
      "of no whole number of sectors",
      () => `${folder.put("odd.img", Buffer.alloc(1000))},format=raw`,
      65,
      "1000 bytes are not a whole number of 512-byte sectors",
    ],
    ["without a format", () => folder.put("guess.img", Buffer.alloc(512)), 64, "a format is never guessed"],
    ["of an unknown format", () => `${folder.put("vhd.img", Buffer.alloc(512))},format=vhd`, 64, "format=raw"],
  ])("%s is refused", async (_what, make, status, words) => {
    await refuses(["--disk", make()], status, words);
    expect.assertions(3);
  });
});

describe("an option", () => {
  it.each<[string[], number, string]>([
    [["--memory", "15M"], 64, "expected 16M to 3584M"],
    [["--memory", "4G"], 64, "expected 16M to 3584M"],
    [["--memory", "much"], 64, "expected 16M to 3584M"],
    [["--memory", "16M"], 65, "Cannot boot the kernel: it needs"],
    [["--memory"], 64, "Option --memory needs a value"],
    [["--memroy", "1G"], 64, "Did you mean --memory?"],
    [["--timeout", "soon"], 64, "--timeout"],
    [["--serial", "tty"], 64, "stdio, null or file:PATH"],
    [["--serial", "file:/nowhere/log"], 65, 'Cannot write the serial console to "/nowhere/log": no such file'],
    [["--device", "isa-debug-exti"], 64, "isa-debug-exit"],
    [["--board", "vax"], 64, "microvm or pc"],
    [["--append", "x".repeat(3000)], 64, "at most 2047 bytes"],
    [["one", "two"], 64, "a command for the guest follows --"],
    [["--"], 64, "Nothing follows --"],
  ])("such as %j is refused", async (args, status, words) => {
    await refuses(args, status, words);
    expect.assertions(3);
  });
});
