import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FakeWiring, fakeWiring } from "../../../testing/fake-wiring.ts";
import { restore, save } from "../../../testing/restore.ts";
import { MmioDriverTransport, VirtioDriver } from "../../../testing/virtio-driver.ts";
import { virtioConsoleMmio } from "../index.ts";
import { ISR_CONFIG } from "../spec.ts";
import type { ConsoleConfig, ConsolePort, PortListener } from "./index.ts";
import * as spec from "./spec.ts";

const EXEC: ConsoleConfig = { ports: [{ console: true }, { name: "org.nido.exec" }, { name: "org.nido.second" }] };
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** The host's end of a port, recorded. */
class Host implements PortListener {
  readonly seen: string[] = [];
  accepting = true;
  data(bytes: Uint8Array): boolean {
    this.seen.push(new TextDecoder().decode(bytes.slice()));
    return this.accepting;
  }
  open(): void {
    this.seen.push("<open>");
  }
  close(): void {
    this.seen.push("<close>");
  }
  drain(): void {
    this.seen.push("<drain>");
  }
}

class Rig {
  readonly wiring: FakeWiring = fakeWiring();
  readonly device;
  readonly driver: VirtioDriver;
  /** Buffers that the device has on the control receive queue. */
  #controlBuffers = 0;

  constructor(config: ConsoleConfig = {}) {
    this.device = virtioConsoleMmio.create({ base: 0, device: config }, this.wiring);
    this.driver = new VirtioDriver(new MmioDriverTransport(this.device.mmio[0]!), this.wiring.memory);
  }

  get port(): ConsolePort {
    return this.device.device.ports[0]!;
  }

  /** The guest sends bytes on a port. */
  send(port: number, bytes: Uint8Array): void {
    this.driver.queue(spec.receiveQueue(port) + 1).offer(bytes);
    this.driver.transport.notify(spec.receiveQueue(port) + 1);
  }

  /** The guest offers room on a port, and gets what arrived. */
  receive(port: number, ...room: number[]): string[] {
    const queue = this.driver.queue(spec.receiveQueue(port));
    for (const bytes of room) queue.offer(bytes);
    this.driver.transport.notify(spec.receiveQueue(port));
    return queue.collect().map(({ bytes, written }) => new TextDecoder().decode(bytes.subarray(0, written)));
  }

  control(id: number, event: number, value: number): void {
    const bytes = new Uint8Array(spec.CONTROL);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, id, true);
    view.setUint16(4, event, true);
    view.setUint16(6, value, true);
    this.driver.queue(spec.CONTROL_TRANSMITQ).offer(bytes);
    this.driver.transport.notify(spec.CONTROL_TRANSMITQ);
  }

  /** Control messages for the guest, as [id, event, value, rest]. */
  controls(): [number, number, number, string][] {
    const queue = this.driver.queue(spec.CONTROL_RECEIVEQ);
    for (; this.#controlBuffers < 12; this.#controlBuffers++) queue.offer(64);
    this.driver.transport.notify(spec.CONTROL_RECEIVEQ);
    const used = queue.collect();
    this.#controlBuffers -= used.length;
    return used.map(({ bytes, written }) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      return [
        view.getUint32(0, true),
        view.getUint16(4, true),
        view.getUint16(6, true),
        new TextDecoder().decode(bytes.subarray(spec.CONTROL, written)),
      ];
    });
  }
}

describe("a plain console (VIRTIO 1.3 §5.3)", () => {
  function make(): { rig: Rig; host: Host } {
    const rig = new Rig();
    const host = new Host();
    rig.port.connect(host);
    rig.driver.start(spec.F_SIZE);
    return { rig, host };
  }

  it("is open as long as its driver works", () => {
    const { rig, host } = make();
    rig.driver.transport.status = 0;
    expect(host.seen).toEqual(["<open>", "<close>"]);
    expect(rig.driver.transport.deviceFeatures & spec.F_MULTIPORT).toBe(0n);
  });

  it("carries output to the host", () => {
    const { rig, host } = make();
    rig.send(0, text("hello "));
    rig.send(0, text("world"));
    expect(host.seen.slice(1)).toEqual(["hello ", "world"]);
  });

  it("takes the guest's output also while nobody listens", () => {
    const { rig, host } = make();
    rig.port.disconnect();
    rig.send(0, text("lost"));
    expect([rig.driver.queue(1).usedIndex, host.seen]).toEqual([1, ["<open>"]]);
  });

  it("carries input to the guest as far as there are buffers, in order", () => {
    const { rig } = make();
    expect(rig.port.write(text("0123456789"))).toBe(true);
    expect(rig.receive(0, 4, 3)).toEqual(["0123", "456"]);
    rig.port.write(text("ab"));
    expect(rig.receive(0, 100)).toEqual(["789ab"]);
    expect(rig.receive(0, 5)).toEqual([]);
    rig.port.write(text("c"));
    expect(rig.receive(0)).toEqual(["c"]);
  });

  it("keeps what was typed before the driver was there, and through its reset", () => {
    const rig = new Rig();
    rig.port.write(text("early"));
    rig.driver.start();
    rig.driver.start();
    expect(rig.receive(0, 10)).toEqual(["early"]);
  });

  it("holds the guest's output back when the host has enough", () => {
    const { rig, host } = make();
    host.accepting = false;
    rig.send(0, text("a"));
    rig.send(0, text("b"));
    expect([host.seen.slice(1), rig.driver.queue(1).usedIndex]).toEqual([["a"], 1]);
    host.accepting = true;
    rig.port.resume();
    expect([host.seen.slice(1), rig.driver.queue(1).usedIndex]).toEqual([["a", "b"], 2]);
  });

  it("asks the host to wait when the guest does not read, and to go on when it does", () => {
    const { rig, host } = make();
    expect(rig.port.write(new Uint8Array(0x1_0000).fill(0x61))).toBe(false);
    rig.receive(0, 0x4000);
    expect(host.seen).toEqual(["<open>"]);
    rig.receive(0, 0x8000);
    expect(host.seen).toEqual(["<open>", "<drain>"]);
    expect(rig.port.write(text("x"))).toBe(true);
  });

  it("tells its size, and every change of it (§5.3.4, §5.3.5)", () => {
    const { rig } = make();
    const { transport } = rig.driver;
    expect([transport.readConfig(spec.CFG_COLS, 2), transport.readConfig(spec.CFG_ROWS, 2)]).toEqual([80, 24]);
    const generation = transport.configGeneration;
    rig.device.device.resize(132, 43);
    expect([transport.readConfig(0, 4), transport.takeInterrupts()]).toEqual([132 + 43 * 0x1_0000, ISR_CONFIG]);
    expect(transport.configGeneration).not.toBe(generation);
  });

  it("writes single characters before the driver is ready (§5.3.4)", () => {
    const rig = new Rig();
    const host = new Host();
    rig.port.connect(host);
    for (const byte of text("ok")) rig.driver.transport.writeConfig(spec.CFG_EMERG_WR, 4, byte);
    expect(host.seen).toEqual(["o", "k"]);
  });

  it("asks for a reset rather than look at absurdly long output", () => {
    const { rig, host } = make();
    const queue = rig.driver.queue(1);
    const count = 16;
    for (let i = 0; i < count; i++)
      queue.setDescriptor(i, { address: 0n, length: 0x10_0000 - 1, flags: i + 1 < count ? 1 : 0, next: i + 1 });
    queue.offerHead(0);
    rig.driver.transport.notify(1);
    expect([rig.driver.transport.status & 0x40, host.seen.length]).toEqual([0, count + 1]);
  });
});

describe("a console with several ports (VIRTIO 1.3 §5.3.6)", () => {
  function make(connect = true): { rig: Rig; host: Host; exec: ConsolePort } {
    const rig = new Rig(EXEC);
    const host = new Host();
    const exec = rig.device.device.port("org.nido.exec")!;
    if (connect) exec.connect(host);
    rig.driver.start(spec.F_MULTIPORT);
    return { rig, host, exec };
  }

  it("has a pair of queues for each, and a pair for control (§5.3.2)", () => {
    const { rig } = make();
    expect([rig.driver.queues.length, rig.driver.transport.readConfig(spec.CFG_MAX_NR_PORTS, 4)]).toEqual([8, 3]);
  });

  it("introduces its ports when the driver is ready, and each when the driver is ready for it (§5.3.6.1)", () => {
    const { rig } = make();
    rig.control(0xffff_ffff, spec.DEVICE_READY, 1);
    expect(rig.controls()).toEqual([0, 1, 2].map((id) => [id, spec.DEVICE_ADD, 1, ""]));
    rig.control(1, spec.PORT_READY, 1);
    expect(rig.controls()).toEqual([
      [1, spec.PORT_NAME, 1, "org.nido.exec"],
      [1, spec.PORT_OPEN, 1, ""],
    ]);
    rig.control(2, spec.PORT_READY, 1);
    expect(rig.controls()).toEqual([[2, spec.PORT_NAME, 1, "org.nido.second"]]);
    rig.control(0, spec.PORT_READY, 1);
    expect(rig.controls()).toEqual([
      [0, spec.CONSOLE_PORT, 1, ""],
      [0, spec.RESIZE, 0, "P\0\u0018\0"],
    ]);
  });

  it("tells each side when the other opens and closes", () => {
    const { rig, host, exec } = make(false);
    rig.control(1, spec.PORT_READY, 1);
    expect(rig.controls().length).toBe(1);
    exec.connect(host);
    expect(rig.controls()).toEqual([[1, spec.PORT_OPEN, 1, ""]]);
    rig.control(1, spec.PORT_OPEN, 1);
    expect([host.seen, exec.guestOpen]).toEqual([["<open>"], true]);
    rig.control(1, spec.PORT_OPEN, 0);
    exec.disconnect();
    expect([host.seen, rig.controls()]).toEqual([["<open>", "<close>"], [[1, spec.PORT_OPEN, 0, ""]]]);
  });

  it("carries bytes both ways on the port's own queues", () => {
    const { rig, host, exec } = make();
    rig.control(1, spec.PORT_READY, 1);
    exec.write(text("stdin"));
    expect(rig.receive(1, 8)).toEqual([]);
    rig.control(1, spec.PORT_OPEN, 1);
    expect(rig.receive(1)).toEqual(["stdin"]);
    rig.send(1, text("stdout"));
    expect(host.seen).toEqual(["<open>", "stdout"]);
  });

  it("does not give one opener's unread input to the next", () => {
    const { rig, exec } = make();
    rig.control(1, spec.PORT_OPEN, 1);
    exec.write(text("for the first"));
    rig.control(1, spec.PORT_OPEN, 0);
    rig.control(1, spec.PORT_OPEN, 1);
    exec.write(text("for the second"));
    expect(rig.receive(1, 64)).toEqual(["for the second"]);
  });

  it("keeps few messages for a driver that does not take them", () => {
    const { rig, host, exec } = make();
    for (let i = 0; i < 300; i++) {
      rig.control(i % 4, [spec.DEVICE_READY, spec.PORT_READY, 99][i % 3]!, 1);
      exec.connect(host);
      exec.disconnect();
      rig.device.device.resize(80 + i, 25);
    }
    expect(rig.device.state.device.control.length).toBeLessThanOrEqual(3 * 5);
    expect(virtioConsoleMmio.state.decode(save(virtioConsoleMmio, rig.device), 1)).toEqual(rig.device.state);
  });

  it("works as one port for a driver that does not know of more (§5.3.5)", () => {
    const { rig, host } = make();
    rig.driver.start(0n);
    rig.port.write(text("in"));
    expect(rig.receive(0, 4)).toEqual(["in"]);
    rig.send(1, text("nowhere"));
    expect(host.seen).toEqual([]);
  });

  it("goes on after a restore, and tells the guest if the host's end is gone", () => {
    const { rig } = make();
    rig.control(1, spec.PORT_READY, 1);
    rig.controls();
    rig.control(1, spec.PORT_OPEN, 1);
    const other = new Rig(EXEC);
    other.wiring.memory.u8.set(rig.wiring.memory.u8);
    restore(virtioConsoleMmio, other.device, structuredClone(save(virtioConsoleMmio, rig.device)));
    expect([other.device.device.port("org.nido.exec")!.guestOpen, other.device.state.device.ports[1]]).toEqual([
      true,
      { ready: true, guestOpen: true, hostOpen: false },
    ]);
    // Guest memory may come back after the devices: nothing is delivered before the machine goes on.
    const used = (): number => other.wiring.memory.readUint16(rig.driver.queue(spec.CONTROL_RECEIVEQ).used + 2);
    expect([other.device.state.device.control.length, used()]).toEqual([1, 2]);
    other.device.resume();
    expect([other.device.state.device.control.length, used()]).toEqual([0, 3]);
  });

  it("survives any control messages", () => {
    const message = fc.record({ id: fc.nat(4), event: fc.nat(8), value: fc.nat(2), length: fc.nat(12) });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 30 }), (messages) => {
        const { rig, exec } = make();
        for (const { id, event, value, length } of messages) {
          const bytes = new Uint8Array([id, 0, 0, 0, event, 0, value, 0, 1, 2, 3, 4]).subarray(0, length);
          rig.driver.queue(spec.CONTROL_TRANSMITQ).offer(bytes);
          rig.driver.transport.notify(spec.CONTROL_TRANSMITQ);
          exec.write(bytes);
        }
        expect(rig.driver.transport.status & 0x40).toBe(0);
        expect(virtioConsoleMmio.state.decode(save(virtioConsoleMmio, rig.device), 1)).toEqual(rig.device.state);
      }),
      { numRuns: 60 },
    );
  });

  it("refuses names that no driver could show", () => {
    for (const name of ["", "with space", "é", "x".repeat(65)]) expect(() => new Rig({ ports: [{ name }] })).toThrow(/port name/);
    expect(() => new Rig({ ports: [] })).toThrow(/1 to 31 ports/);
  });
});
