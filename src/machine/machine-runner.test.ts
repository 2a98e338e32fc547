// Whole machines on the real processor, with guests of a few instructions each. Time is simulated.
import { beforeAll, describe, expect, it } from "vitest";
import { ProgramGenerator } from "../cpu/engine/generator.ts";
import { MemoryByteStore } from "../disk/byte-store.ts";
import { BareGuest } from "../testing/bare-guest.ts";
import { FaultyStore } from "../testing/faulty-store.ts";
import { FakeMachineHost, type FakeMachineFiles } from "../testing/fake-machine-host.ts";
import { resolveConfig, type MachineConfig } from "./config.ts";
import type { MachineEnd } from "./machine.ts";
import { createMachine } from "./machine-runner.ts";

let interpreter: WebAssembly.Module;
beforeAll(() => {
  interpreter = new WebAssembly.Module(new ProgramGenerator().build());
});

interface Ran {
  readonly end: MachineEnd;
  readonly host: FakeMachineHost;
}

async function run(guest: BareGuest, config: MachineConfig = {}, files: Partial<FakeMachineFiles> = {}): Promise<Ran> {
  const host = new FakeMachineHost({ kernel: guest.kernel(), interpreter, ...files });
  const machine = await createMachine(resolveConfig({ memory: "16M", kernel: "test", ...config }), host);
  return { end: await host.run(machine), host };
}

/** Vectors 30h to 3Fh for the 8259 pair, and only interrupt 0 let through. */
function setUpPic(guest: BareGuest): BareGuest {
  for (const [port, value] of [
    [0x20, 0x11],
    [0x21, 0x30],
    [0x21, 4],
    [0x21, 1],
    [0x21, 0xfe],
    [0xa1, 0xff],
  ] as const)
    guest.out(port, value);
  return guest;
}

/** A value as four bytes. */
const word = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

const COUNTER = 0x30_0000;
const BELOW = 2;

describe("a machine ends", () => {
  it("when the guest powers off, with what it printed", async () => {
    const { end, host } = await run(new BareGuest().print("hello, world\n").powerOff());
    expect([end, host.output.serial]).toEqual([{ kind: "powerOff" }, "hello, world\n"]);
    expect(host.log.messages.size).toBe(0);
  });

  it("when the guest resets it, by each way there is", async () => {
    for (const [port, value] of [
      [0xcf9, 6],
      [0x64, 0xfe],
      [0x92, 1],
    ] as const) {
      const { end } = await run(new BareGuest().out(port, value).raw(0xf4));
      expect(end).toEqual({ kind: "reset" });
    }
  });

  it("with (value << 1) | 1 from isa-debug-exit, which only a machine with that device has", async () => {
    const guest = (): BareGuest => new BareGuest().out(0xf4, 0x21).powerOff();
    expect((await run(guest(), { devices: ["isa-debug-exit"] })).end).toEqual({ kind: "debugExit", status: 0x43 });
    expect((await run(guest())).end).toEqual({ kind: "powerOff" });
  });

  it("by a triple fault, and says where", async () => {
    // An interrupt table without limit, and an undefined instruction: UD2, #GP, double fault, shutdown.
    const { end } = await run(new BareGuest().raw(0x0f, 0x01, 0x1d, 0, 0, 0x20, 0).raw(0x0f, 0x0b));
    expect(end).toMatchObject({ kind: "tripleFault", detail: expect.stringMatching(/^at 0010:100027 \(rsp 0, cr0 11, cr2 0, /) as string });
  });

  it("when it is stopped, halted as it is", async () => {
    const host = new FakeMachineHost({ kernel: new BareGuest().raw(0xfa, 0xf4).kernel(), interpreter });
    const machine = await createMachine(resolveConfig({ memory: "16M", kernel: "test" }), host);
    machine.start();
    machine.stop();
    await host.until(() => host.end !== undefined);
    expect(host.end).toEqual({ kind: "stopped" });
  });

  it("by a panic that a kernel reports and ends with a reset", async () => {
    const guest = new BareGuest().print("[    1.0] Kernel panic - not syncing: No working init found.\n").out(0xcf9, 6).raw(0xf4);
    expect((await run(guest)).end).toEqual({ kind: "panic", detail: "No working init found." });
  });
});

describe("a guest", () => {
  it("sleeps between timer interrupts, and so does its host", async () => {
    const guest = setUpPic(new BareGuest().gate(0x30, "tick").loadIdt().raw(0xbc, 0, 0, 0x40, 0).store(COUNTER, 0));
    for (const [port, value] of [
      [0x43, 0x34],
      [0x40, 0x9c],
      [0x40, 0x2e],
    ] as const)
      guest.out(port, value);
    guest.raw(0xfb).label("again").raw(0xf4).compare(COUNTER, 100).jumpIf(BELOW, "again").print("done").powerOff();
    guest.label("tick").increment(COUNTER).raw(0x50, 0x52).out(0x20, 0x20).raw(0x5a, 0x58, 0xcf);
    const { end, host } = await run(guest);
    expect([end.kind, host.output.serial]).toEqual(["powerOff", "done"]);
    // 100 periods of 10 ms, of which the processor needs next to nothing.
    expect(host.idleNs).toBeGreaterThan(0.9e9);
    expect(host.idleNs).toBeLessThan(1.01e9);
  });

  it("gets what is typed, also before it listens, and answers", async () => {
    const guest = new BareGuest().print(">").out(0x3fc, 3);
    guest
      .label("wait")
      .in(0x3fd)
      .raw(0xa8, 1)
      .jumpIf(4, "wait")
      .in(0x3f8)
      .raw(0x34, 0x20)
      .outAl(0x3f8)
      .raw(0x3c, 0x58)
      .jumpIf(5, "wait")
      .powerOff();
    const host = new FakeMachineHost({ kernel: guest.kernel(), interpreter });
    const machine = await createMachine(resolveConfig({ memory: "16M", kernel: "test" }), host);
    const taken = machine.serialInput(new TextEncoder().encode("abc"));
    machine.start();
    await taken;
    await host.until(() => host.output.serial === ">ABC");
    void machine.serialInput(Uint8Array.of(0x78));
    await host.until(() => host.end !== undefined);
    expect([host.end, host.output.serial]).toEqual([{ kind: "powerOff" }, ">ABCX"]);
  });

  it("runs code at the top of its memory, across pages, also where host addresses have their highest bit set", async () => {
    // MOV EDX, 3F8h / MOV AL, '!' / OUT DX, AL / RET, from every place before and behind a page's end, written two bytes at a time.
    const code = [0xba, 0xf8, 0x03, 0, 0, 0xb0, 0x21, 0xee, 0xc3, 0x90];
    const guest = new BareGuest().raw(0xbc, 0, 0, 0x40, 0);
    for (const at of [0xbff0_0ff8, 0xbff1_0ffb, 0xbff2_0fff, 0x8000_0ffe, 0x7fff_fffc]) {
      for (let index = 0; index < code.length; index += 2) {
        guest.raw(0x66, 0xc7, 0x05, ...word(at + index), code[index]!, code[index + 1]!);
      }
      guest.raw(0xb8, ...word(at), 0xff, 0xd0);
    }
    const { end, host } = await run(guest.powerOff(), { memory: "3584M" });
    expect([end.kind, host.output.serial]).toEqual(["powerOff", "!!!!!"]);
  });

  it("reads a disk over virtio, which the processor only waits for", async () => {
    const disk = new MemoryByteStore(8 * 512);
    disk.bytes.set(new TextEncoder().encode("from the disk"), 3 * 512);
    const { end, host } = await run(diskReader(0xfeb0_0000), { board: "microvm", disks: ["d,format=raw"] }, { disks: [disk] });
    expect([end.kind, host.output.serial]).toEqual(["powerOff", "from"]);
    expect(host.diskFailures).toEqual([]);
  });

  it("runs on when a disk fails, and says so", async () => {
    const disk = new FaultyStore(new MemoryByteStore(8 * 512));
    disk.plan = () => "fail";
    const { end, host } = await run(diskReader(0xfeb0_0000), { board: "microvm", disks: ["d,format=raw"] }, { disks: [disk] });
    expect(end.kind).toBe("powerOff");
    expect(host.diskFailures.map(({ code }) => code)).toEqual(["DISK_IO"]);
  });
});

/** Reads sector 3 of the first virtio device by its memory-mapped registers and prints the first four bytes. */
function diskReader(base: number): BareGuest {
  const [desc, avail, used, header, data, status] = [0x30_0000, 0x30_1000, 0x30_2000, 0x30_3000, 0x30_4000, 0x30_5000];
  const guest = new BareGuest();
  const register = (offset: number, value: number): BareGuest => guest.store(base + offset, value);
  for (const value of [0, 1, 3]) register(0x70, value);
  register(0x24, 1);
  register(0x20, 1);
  register(0x70, 0xb);
  register(0x30, 0);
  register(0x38, 8);
  for (const [offset, address] of [
    [0x80, desc],
    [0x90, avail],
    [0xa0, used],
  ] as const)
    register(offset, address);
  register(0x44, 1);
  register(0x70, 0xf);
  const descriptor = (index: number, address: number, length: number, flags: number): void => {
    [address, 0, length, flags | ((index + 1) << 16)].forEach((word, at) => guest.store(desc + index * 16 + at * 4, word));
  };
  descriptor(0, header, 16, 1);
  descriptor(1, data, 512, 3);
  descriptor(2, status, 1, 2);
  [0, 0, 3, 0].forEach((word, at) => guest.store(header + at * 4, word));
  guest
    .store(status, 0xff)
    .store(avail + 4, 0)
    .store(avail, 0x1_0000);
  register(0x50, 0);
  guest.label("wait").compare(used, 0).jumpIf(4, "wait").load(data);
  for (let byte = 0; byte < 4; byte++) guest.outAl(0x3f8).raw(0xc1, 0xe8, 8);
  return guest.powerOff();
}
