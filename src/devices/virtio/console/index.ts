// Console device (VIRTIO 1.3 §5.3). With one unnamed port it is a plain console whose size follows by configuration change; with
// more, or with names, it offers MULTIPORT, and a driver learns of the ports over the control queues.
//
// Linux reads the RESIZE message as rows and columns, against §5.3.6.2, in releases before 6.15; a guest's terminal should
// therefore be a console device of its own with one port, where the order is beyond doubt.
import { array, boolean, bytes, record, type Schema } from "../../../support/schema.ts";
import { VmError } from "../../../support/errors.ts";
import type { Width } from "../../device.ts";
import type { Activation, VirtioDevice, VirtioDeviceType, VirtioWiring } from "../device.ts";
import type { Chain, VirtQueue } from "../queue.ts";
import { TYPE_CONSOLE } from "../spec.ts";
import { ConsolePort } from "./port.ts";
import * as spec from "./spec.ts";

export type { ConsolePort, PortListener } from "./port.ts";

/** One port. */
export interface PortConfig {
  /** What a Linux guest finds in /sys/class/virtio-ports/vportNpM/name: ASCII, at most 64 characters. */
  readonly name?: string;
  /** The guest offers a terminal on it (hvc). */
  readonly console?: boolean;
}

/** What a console device is made of. */
export interface ConsoleConfig {
  /** 1 to 31 ports; one unnamed console when absent. */
  readonly ports?: readonly PortConfig[];
  /** Character cells of the terminal. */
  readonly size?: { readonly cols: number; readonly rows: number };
}

/** What the guest knows and did about a port. */
interface PortState {
  /** The driver is ready for it. */
  ready: boolean;
  guestOpen: boolean;
  /** The driver was told that the host's end is connected. */
  hostOpen: boolean;
}

/** State of the device; input that waits and the terminal's size belong to the host and are not in it. */
export interface ConsoleState {
  ports: PortState[];
  /** Control messages that wait for buffers. */
  control: Uint8Array[];
}

const MOST_PORTS = 31;
const LONGEST_NAME = 64;
const CONSOLE_STATE: Schema<ConsoleState> = record<ConsoleState>({
  ports: array(record<PortState>({ ready: boolean, guestOpen: boolean, hostOpen: boolean }), 1, MOST_PORTS),
  control: array(bytes(spec.CONTROL, spec.CONTROL + LONGEST_NAME), 0, 8 * MOST_PORTS),
});

const QUEUE_SIZE = 128;
// Far beyond what any driver sends in one buffer, and a bound on what the host is made to look at.
const MOST_OUTPUT = 0x100_0000;
const DEFAULT_SIZE = { cols: 80, rows: 24 };

/** A virtio console device. */
export class VirtioConsole implements VirtioDevice<ConsoleState> {
  readonly features: bigint;
  readonly queueSizes: readonly number[];
  readonly config: Uint8Array = new Uint8Array(spec.CFG_LENGTH);
  readonly state: ConsoleState;
  readonly ports: readonly ConsolePort[];
  readonly #ports: readonly PortConfig[];
  readonly #wiring: VirtioWiring;
  #queues: readonly VirtQueue[] = [];
  #multiport = false;

  constructor({ ports = [{ console: true }], size = DEFAULT_SIZE }: ConsoleConfig, wiring: VirtioWiring) {
    checkPorts(ports);
    this.#ports = ports;
    this.#wiring = wiring;
    const multiport = ports.length > 1 || ports.some(({ name }) => name !== undefined);
    this.features = spec.F_SIZE | spec.F_EMERG_WRITE | (multiport ? spec.F_MULTIPORT : 0n);
    this.queueSizes = Array.from({ length: multiport ? 2 + 2 * ports.length : 2 }, () => QUEUE_SIZE);
    this.ports = ports.map(
      ({ name = "" }, index) =>
        new ConsolePort(name, {
          hostChanged: () => this.#tellHostOpen(index),
          inputWaiting: () => this.#deliver(index),
          outputWanted: () => this.#collect(index),
        }),
    );
    this.state = { ports: [], control: [] };
    this.#clear();
    this.#setConfig(size.cols, size.rows);
  }

  /** The port of that name, or undefined. */
  port(name: string): ConsolePort | undefined {
    return this.ports.find((port) => port.name === name);
  }

  /** The host's terminal has a new size in character cells, 1..65535. */
  resize(cols: number, rows: number): void {
    this.#setConfig(cols, rows);
    this.#wiring.configChanged();
    this.#ports.forEach((port, index) => {
      if (port.console === true && this.state.ports[index]?.ready === true) this.#sendSize(index);
    });
  }

  activate({ features, queues }: Activation): void {
    this.#queues = queues;
    this.#multiport = (features & spec.F_MULTIPORT) !== 0n;
    // Without MULTIPORT there is port 0 only, and it is open as long as the driver works.
    if (!this.#multiport) this.state.ports[0]!.guestOpen = true;
    this.#followGuest();
  }

  handle(queue: VirtQueue): void {
    if (!this.#multiport && queue.index >= spec.CONTROL_RECEIVEQ) return;
    if (queue.index === spec.CONTROL_TRANSMITQ) this.#receiveControl(queue);
    else if (queue.index === spec.CONTROL_RECEIVEQ) this.#flushControl();
    else if (queue.index % 2 === 1) this.#collect(portOf(queue.index));
    else this.#deliver(portOf(queue.index));
  }

  // §5.3.4: an emergency write is one character, at any time, also before the driver is ready.
  writeConfig(offset: number, _width: Width, value: number): void {
    if (offset === spec.CFG_EMERG_WR) this.ports[0]?.output(Uint8Array.of(value));
  }

  reset(): void {
    this.#queues = [];
    this.#multiport = false;
    this.#clear();
    this.#followGuest();
  }

  resync(): void {
    if (this.state.ports.length !== this.ports.length) {
      throw new VmError("STATE_INVALID", `Saved console has ${this.state.ports.length} ports, this one ${this.ports.length}`, {
        data: { ports: this.state.ports.length },
      });
    }
    this.#followGuest();
  }

  #clear(): void {
    this.state.ports = this.#ports.map(() => ({ ready: false, guestOpen: false, hostOpen: false }));
    this.state.control = [];
  }

  #setConfig(cols: number, rows: number): void {
    const view = new DataView(this.config.buffer);
    view.setUint16(spec.CFG_COLS, cols, true);
    view.setUint16(spec.CFG_ROWS, rows, true);
    view.setUint32(spec.CFG_MAX_NR_PORTS, this.ports.length, true);
  }

  /** Tells hosts what the guest's ends are, and the guest what the hosts' ends are. */
  #followGuest(): void {
    this.ports.forEach((port, index) => {
      const { guestOpen } = this.state.ports[index]!;
      port.setGuestOpen(guestOpen, this.#ports[index]?.console === true);
      this.#tellHostOpen(index);
    });
  }

  /** Fills the guest's buffers with the input that waits. */
  #deliver(index: number): void {
    const port = this.ports[index];
    const queue = this.#queues[spec.receiveQueue(index)];
    if (port === undefined || queue === undefined || !port.guestOpen) return;
    while (port.input.length > 0) {
      const chain = queue.pop();
      if (chain === undefined) break;
      const written = chain.writable.write(0, port.input);
      queue.push(chain, written);
      port.taken(written);
    }
    queue.signal();
  }

  /** Takes the guest's output until there is none or the host has enough. */
  #collect(index: number): void {
    const port = this.ports[index];
    const queue = this.#queues[spec.receiveQueue(index) + 1];
    if (port === undefined || queue === undefined) return;
    while (!port.held) {
      const chain = queue.pop();
      if (chain === undefined) break;
      if (chain.readable.length > MOST_OUTPUT) return queue.fail("a console buffer beyond 16 MiB");
      chain.readable.forEach((piece) => port.output(piece));
      queue.push(chain, 0);
    }
    queue.signal();
  }

  #receiveControl(queue: VirtQueue): void {
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      if (chain.readable.length >= spec.CONTROL) this.#control(chain);
      queue.push(chain, 0);
    }
    queue.signal();
    this.#flushControl();
  }

  #control({ readable }: Chain): void {
    const [id, event, value] = [readable.u32(0), readable.u16(4), readable.u16(6)];
    if (event === spec.DEVICE_READY)
      return value === 1 ? this.ports.forEach((_, index) => this.#send(index, spec.DEVICE_ADD, 1)) : undefined;
    const state = this.state.ports[id];
    if (state === undefined) return;
    if (event === spec.PORT_READY && value === 1) this.#introduce(id, state);
    if (event !== spec.PORT_OPEN) return;
    state.guestOpen = value === 1;
    this.ports[id]?.setGuestOpen(state.guestOpen, this.#ports[id]?.console === true);
    this.#deliver(id);
  }

  /** §5.3.6.1: what a driver wants to know about a port once it is ready for it. */
  #introduce(id: number, state: PortState): void {
    const { name, console } = this.#ports[id]!;
    state.ready = true;
    state.hostOpen = false;
    if (console === true) {
      this.#send(id, spec.CONSOLE_PORT, 1);
      this.#sendSize(id);
    }
    if (name !== undefined) this.#send(id, spec.PORT_NAME, 1, new TextEncoder().encode(name));
    this.#tellHostOpen(id);
  }

  #tellHostOpen(index: number): void {
    const state = this.state.ports[index]!;
    const { hostOpen } = this.ports[index]!;
    if (!state.ready || state.hostOpen === hostOpen) return;
    state.hostOpen = hostOpen;
    this.#send(index, spec.PORT_OPEN, hostOpen ? 1 : 0);
    this.#flushControl();
  }

  #sendSize(id: number): void {
    this.#send(id, spec.RESIZE, 0, this.config.subarray(spec.CFG_COLS, spec.CFG_ROWS + 2));
    this.#flushControl();
  }

  /** Queues a control message; it replaces one of the same kind that still waits, so that they cannot pile up. */
  #send(id: number, event: number, value: number, tail: Uint8Array = new Uint8Array()): void {
    const message = new Uint8Array(spec.CONTROL + tail.length);
    const view = new DataView(message.buffer);
    view.setUint32(0, id, true);
    view.setUint16(4, event, true);
    view.setUint16(6, value, true);
    message.set(tail, spec.CONTROL);
    this.state.control = this.state.control.filter((other) => other.subarray(0, 6).some((byte, i) => byte !== message[i]));
    this.state.control.push(message);
  }

  #flushControl(): void {
    const queue = this.#queues[spec.CONTROL_RECEIVEQ];
    if (queue === undefined || !this.#multiport) return;
    let sent = 0;
    for (const message of this.state.control) {
      const chain = queue.pop();
      if (chain === undefined) break;
      queue.push(chain, chain.writable.write(0, message));
      sent++;
    }
    this.state.control.splice(0, sent);
    queue.signal();
  }
}

function portOf(queue: number): number {
  return queue < 2 ? 0 : (queue >> 1) - 1;
}

function checkPorts(ports: readonly PortConfig[]): void {
  const bad = ports.find(({ name }) => name !== undefined && !/^[\x21-\x7e]{1,64}$/.test(name));
  if (ports.length >= 1 && ports.length <= MOST_PORTS && bad === undefined) return;
  throw new VmError(
    "CONFIG_INVALID",
    bad === undefined
      ? `A console has 1 to ${MOST_PORTS} ports, not ${ports.length}`
      : `Console port name ${JSON.stringify(bad.name)} is not 1 to ${LONGEST_NAME} ASCII characters`,
    { data: { option: "ports" } },
  );
}

/** The console device. */
export const virtioConsole: VirtioDeviceType<ConsoleConfig, ConsoleState, VirtioConsole> = {
  kind: "virtio-console",
  version: 1,
  state: CONSOLE_STATE,
  deviceType: TYPE_CONSOLE,
  classCode: 0x07_8000,
  create: (config, wiring) => new VirtioConsole(config, wiring),
};
