// The ways into a kernel: every entry of Linux, and test kernels that are multiboot files.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BareGuest } from "../../src/testing/bare-guest.ts";
import { describeWithPeers } from "../peers.ts";
import { GUEST, nidoRun, type Outcome } from "./nido.ts";
import { vmlinux } from "./vmlinux.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nido-entries-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes a file into the test's folder → its path. */
function put(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** Boots Linux to the embedded guest's shell, in which somebody reckons and leaves. */
function boot(kernel: string, ...options: readonly string[]): Promise<Outcome> {
  const args = ["--kernel", kernel, "--initrd", GUEST.initrd, "--append", GUEST.append, "--no-reboot", ...options];
  return nidoRun(args, "echo $((6 * 7)); exit\n");
}

const GOOD: Outcome = { status: 0, stdout: expect.stringContaining("\n42\r\n") as string, stderr: "" };

describe("Linux", () => {
  it.each(["64", "32", "16"])("starts at its %s-bit entry", async (entry) => {
    expect(await boot(GUEST.kernel, "--entry", entry)).toEqual(GOOD);
  });

  it("starts at its PVH entry when it comes unpacked", async () => {
    expect(await boot(put("vmlinux", vmlinux(readFileSync(GUEST.kernel))))).toEqual(GOOD);
  });

  it("has no entry but one outside a bzImage", async () => {
    const { status, stderr } = await nidoRun(["--kernel", put("flat", new BareGuest().kernel()), "--entry", "16"]);
    expect([status, stderr]).toEqual([64, expect.stringContaining("it is a multiboot kernel, which has one entry")]);
  });
});

const EXIT = ["--device", "isa-debug-exit"];

describe("a multiboot kernel", () => {
  it.each([0, 1, 16, 0x7f])("that is a flat binary ends the run through port F4h with %d", async (value) => {
    const kernel = put("flat", new BareGuest().print("to the console\n").out(0xf4, value).kernel());
    expect(await nidoRun(["--kernel", kernel, ...EXIT])).toEqual({ status: (value << 1) | 1, stdout: "to the console\n", stderr: "" });
  });

  it("that writes to port F4h where no device is runs on", async () => {
    const kernel = put("flat", new BareGuest().out(0xf4, 3).powerOff().kernel());
    expect(await nidoRun(["--kernel", kernel])).toEqual({ status: 0, stdout: "", stderr: "" });
  });

  it("that runs into a triple fault, resets its board, or never ends is told apart", async () => {
    const tripleFault = put("fault", new BareGuest().raw(0x0f, 0x01, 0x1d, 0, 0, 0x30, 0, 0x0f, 0x0b).kernel());
    expect(await nidoRun(["--kernel", tripleFault])).toEqual({
      status: 120,
      stdout: "",
      stderr: expect.stringMatching(/^nido: The guest's processor shut down after a triple fault: at 0010:100027 /),
    });
    const reset = put("reset", new BareGuest().print("!").out(0xcf9, 6).raw(0xf4).kernel());
    expect(await nidoRun(["--kernel", reset, "--no-reboot"])).toEqual({
      status: 122,
      stdout: "!",
      stderr: "nido: The guest reset its board.\n",
    });
    const again = await nidoRun(["--kernel", reset, "--timeout", "4s"]);
    expect([again.status, again.stdout.slice(0, 3)]).toEqual([124, "!!!"]);
    const endless = put("endless", new BareGuest().label("here").jump("here").kernel());
    expect(await nidoRun(["--kernel", endless, "--timeout", "500ms"])).toMatchObject({
      status: 124,
      stderr: expect.stringContaining("time ran out"),
    });
  });

  it("has its words and its module", async () => {
    // MOV ESI, [EBX+16] (the command line); then every byte of it to COM1 up to the NUL; then the module's: MOV EAX, [EBX+24], its start, end.
    const guest = new BareGuest().raw(0x8b, 0x73, 0x10).label("word").raw(0xac, 0x84, 0xc0).jumpIf(4, "module").outAl(0x3f8).jump("word");
    guest.label("module").raw(0x8b, 0x43, 0x18, 0x8b, 0x30, 0x8b, 0x48, 0x04);
    guest.label("byte").raw(0xac).outAl(0x3f8).raw(0x39, 0xce).jumpIf(5, "byte").out(0xf4, 0);
    const options = ["--append", "one two", "--initrd", put("module", "|the module"), ...EXIT];
    const { status, stdout } = await nidoRun(["--kernel", put("words", guest.kernel()), ...options]);
    expect([status, stdout]).toEqual([1, "one two|the module"]);
  });
});

const SOURCE = `
static const unsigned header[] __attribute__((section(".multiboot"), used)) = { 0x1badb002, 2, -(0x1badb002 + 2) };
static char cleared[4096];
static void out(unsigned short port, unsigned char value) { __asm__ volatile("outb %0, %1" : : "a"(value), "d"(port)); }
void _start(void)
{
    unsigned magic;
    __asm__ volatile("" : "=a"(magic));
    unsigned sum = 0;
    for (unsigned i = 0; i < sizeof cleared; i++) sum |= cleared[i];
    for (const char *s = "compiled\\n"; *s; s++) out(0x3f8, *s);
    out(0xf4, magic == 0x2badb002 && sum == 0 ? 21 : 1);
    for (;;) __asm__ volatile("hlt");
}
`;

describeWithPeers(["gcc"], "a multiboot kernel of gcc's", () => {
  it("is loaded as ELF says, with its uninitialised data cleared", async () => {
    const [source, elf] = [put("kernel.c", SOURCE), join(folder, "kernel.elf")];
    const script = put(
      "kernel.ld",
      "ENTRY(_start) SECTIONS { . = 1M; .text : { *(.multiboot) *(.text*) *(.rodata*) } .data : { *(.data*) } .bss : { *(.bss*) } }",
    );
    const flags = ["-m32", "-march=i686", "-O1", "-ffreestanding", "-fno-pic", "-no-pie", "-nostdlib", "-static", "-fno-stack-protector"];
    execFileSync("gcc", [...flags, "-Wl,--build-id=none", "-T", script, "-o", elf, source]);
    expect(await nidoRun(["--kernel", elf, ...EXIT])).toEqual({ status: (21 << 1) | 1, stdout: "compiled\n", stderr: "" });
  });
});
