// Raw disk images of real files, with what a host can do to them.
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, openSync, readFileSync, readSync, statSync, truncateSync, unlinkSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NidoRun, nidoRun } from "../boot/nido.ts";
import { Folder } from "./folder.ts";

const MIB = 1 << 20;
let folder: Folder;
beforeAll(() => {
  folder = new Folder();
});
afterAll(() => folder[Symbol.dispose]());

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const disk = (path: string, ...words: readonly string[]): string[] => ["--disk", [path, "format=raw", ...words].join()];
const shell = (script: string): string[] => ["--", "sh", "-c", script];

/** An image of 9 MiB with one partition, of 8 MiB from sector 2048 on, and what is in it. */
function partitioned(): { readonly image: Buffer; readonly content: Buffer } {
  const content = randomBytes(8 * MIB);
  const image = Buffer.concat([Buffer.alloc(MIB), content]);
  const entry = 0x1be;
  image[entry + 4] = 0x83;
  image.writeUInt32LE(2048, entry + 8);
  image.writeUInt32LE(content.length / 512, entry + 12);
  image.writeUInt16LE(0xaa55, 510);
  return { image, content };
}

describe("a raw disk", () => {
  it("reads as the file does, by its partitions too", async () => {
    const { image, content } = partitioned();
    const path = folder.put("read.img", image);
    const { status, stdout } = await nidoRun([...disk(path), ...shell("sha256sum /dev/vda /dev/vda1")]);
    expect([status, stdout]).toEqual([0, `${sha256(image)}  /dev/vda\n${sha256(content)}  /dev/vda1\n`]);
    expect(sha256(readFileSync(path))).toBe(sha256(image));
  });

  it("has what the guest wrote, without a word about flushing, once the run has ended", async () => {
    const { image, content } = partitioned();
    const [from, to] = [folder.put("from.img", content), folder.put("to.img", image)];
    const copy = await nidoRun([...disk(from, "readonly"), ...disk(to), ...shell("dd if=/dev/vda of=/dev/vdb1 bs=4k skip=1 2>&1")]);
    expect(copy.status).toBe(0);
    content.copy(image, MIB, 4096);
    expect(sha256(readFileSync(to))).toBe(sha256(image));
    expect(sha256(readFileSync(from))).toBe(sha256(content));
  });

  it("has what was written in a shell that was left by power-off", async () => {
    const path = folder.put("console.img", Buffer.alloc(MIB));
    const { status } = await nidoRun(disk(path), "echo written > /dev/vda; poweroff\n");
    expect([status, readFileSync(path).subarray(0, 8).toString()]).toEqual([0, "written\n"]);
  });

  it("may be larger than 4 GiB and than the guest's memory", async () => {
    const path = folder.sparse("large.img", 6 * 1024 * MIB);
    const script = "blockdev --getsize64 /dev/vda; echo far | dd of=/dev/vda bs=1M seek=6143 conv=fsync 2>/dev/null";
    const { status, stdout } = await nidoRun([...disk(path), ...shell(script)]);
    expect([status, stdout]).toEqual([0, `${6 * 1024 * MIB}\n`]);
    const bytes = Buffer.alloc(4);
    readSync(openSync(path, "r"), bytes, 0, 4, 6143 * MIB);
    expect(bytes.toString()).toBe("far\n");
  });

  it("keeps its size and everything flushed when the run is ended by a signal", async () => {
    const path = folder.put("signal.img", Buffer.alloc(4 * MIB));
    const run = new NidoRun([
      ...disk(path),
      ...shell("echo flushed | dd of=/dev/vda conv=fsync 2>/dev/null; echo now; dd if=/dev/urandom of=/dev/vda bs=4k seek=1"),
    ]);
    await run.stdout.until("now\n", 120_000);
    run.kill("SIGTERM");
    expect((await run.ended).status).toBe(143);
    expect([statSync(path).size, readFileSync(path).subarray(0, 8).toString()]).toEqual([4 * MIB, "flushed\n"]);
  });

  it("cannot be attached twice when one of them may be written", async () => {
    const path = folder.put("twice.img", Buffer.alloc(MIB));
    const { status, stderr } = await nidoRun([
      ...disk(path),
      ...disk(`${folder.path}/../${folder.path.split("/").at(-1)}/twice.img`, "readonly"),
    ]);
    expect([status, stderr]).toEqual([64, expect.stringContaining("is the same file as disk")]);
    const both = await nidoRun([...disk(path, "readonly"), ...disk(path, "readonly"), ...shell("cat /sys/block/vd[ab]/ro")]);
    expect(both).toEqual({ status: 0, stdout: "1\n1\n", stderr: "" });
  });
});

describe("a disk that the guest may not write", () => {
  it("is left as it is", async () => {
    const content = randomBytes(MIB);
    const path = folder.put("readonly.img", content);
    chmodSync(path, 0o444);
    const { status, stderr } = await nidoRun([...disk(path, "readonly"), ...shell("echo x > /dev/vda")]);
    expect([status, stderr]).toEqual([1, expect.stringContaining("Operation not permitted")]);
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it("is refused when it is not attached so", async ({ skip }) => {
    if (process.getuid?.() === 0) return skip("root may write to any file");
    const path = folder.put("forbidden.img", Buffer.alloc(MIB));
    chmodSync(path, 0o444);
    const { status, stderr } = await nidoRun(disk(path));
    expect([status, stderr]).toEqual([65, expect.stringMatching(/permission denied\n {6}Attach the disk with readonly/)]);
  });
});

/** Output of a program, or undefined when it fails. */
function attempt(command: string, ...args: readonly string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return undefined;
  }
}

describe("a disk that fails while it is used", () => {
  it("tells guest and user that the host's file system is full, and does not end in success", async ({ skip }) => {
    const small = folder.at("small");
    mkdirSync(small);
    if (attempt("mount", "-t", "tmpfs", "-o", "size=4m", "none", small) === undefined)
      return skip("this user may not mount a small file system");
    try {
      const path = folder.sparse("small/disk.img", 16 * MIB);
      const script = 'head -c 12000000 /dev/urandom | dd of=/dev/vda conv=fsync 2>&1 || echo "dd failed"';
      const { status, stdout, stderr } = await nidoRun([...disk(path), ...shell(script)]);
      expect(stdout).toContain("Input/output error");
      expect(stdout).toContain("dd failed\n");
      expect(stderr).toMatch(/^nido: Cannot write disk ".*disk\.img": no space left on the file system\n {6}Check the file system.*\n$/);
      expect([status, statSync(path).size]).toEqual([74, 16 * MIB]);
    } finally {
      execFileSync("umount", [small]);
    }
  });

  it("is noticed when its file is deleted", async () => {
    const path = folder.put("deleted.img", Buffer.alloc(MIB));
    const run = new NidoRun([
      ...disk(path),
      ...shell("echo ready; read -r _; echo x | dd of=/dev/vda conv=fsync 2>/dev/null || echo failed"),
    ]);
    await run.stdout.until("ready\n", 120_000);
    unlinkSync(path);
    const { status, stdout, stderr } = await run.type("\n").ended;
    expect([status, stdout]).toEqual([74, "ready\nfailed\n"]);
    expect(stderr).toContain("the file was deleted while in use\n");
  });

  it("is noticed when its file is made shorter", async () => {
    const path = folder.put("shorter.img", Buffer.alloc(2 * MIB));
    const run = new NidoRun([...disk(path), ...shell("echo ready; read -r _; cat /dev/vda | wc -c")]);
    await run.stdout.until("ready\n", 120_000);
    truncateSync(path, MIB);
    const { status, stdout, stderr } = await run.type("\n").ended;
    expect([status, stdout]).toEqual([74, `ready\n${MIB}\n`]);
    expect(stderr).toMatch(/Cannot read disk ".*shorter\.img": the file ends at byte 1048576, it was made shorter while in use\n/);
    expect(statSync(path).size).toBe(MIB);
  });
});
