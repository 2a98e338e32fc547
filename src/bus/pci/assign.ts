// Placing base address registers and routing interrupts, as firmware does at power-on: for boards that start a kernel without any.
import type { PciBus } from "./bus.ts";
import {
  BAR_IO,
  BAR_MEM64,
  BARS,
  BASE_ADDRESS_0,
  COMMAND,
  COMMAND_IO,
  COMMAND_MASTER,
  COMMAND_MEMORY,
  HEADER_MULTIFUNCTION,
  HEADER_TYPE,
  INTERRUPT_LINE,
  INTERRUPT_PIN,
  VENDOR_ID,
} from "./spec.ts";

/** A range of addresses to place registers in: [base, end). */
export interface AddressWindow {
  readonly base: number;
  readonly end: number;
}

/** What a board lets its bus use. */
export interface PciResources {
  readonly ports: AddressWindow;
  /** Below 4 GiB. */
  readonly memory: AddressWindow;
  /** The value for Interrupt Line of a device's pin (1..4); 255 means none. */
  readonly irq: (device: number, pin: number) => number;
}

/** Takes addresses from a window, each a multiple of its size. */
class Allocator {
  readonly #window: AddressWindow;
  #next: number;

  constructor(window: AddressWindow) {
    this.#window = window;
    this.#next = window.base;
  }

  /** An address for `size` bytes, or undefined when the window is full. */
  take(size: number): number | undefined {
    const at = Math.ceil(this.#next / size) * size;
    if (at + size > this.#window.end) return undefined;
    this.#next = at + size;
    return at;
  }
}

/** Gives every function on the bus addresses and an interrupt number. What does not fit stays disabled; the guest may place it itself. */
export function assignResources(bus: PciBus, resources: PciResources): void {
  const ports = new Allocator(resources.ports);
  const memory = new Allocator(resources.memory);
  for (const [device, fn] of functionsOf(bus)) {
    if ((bus.read(device, fn, HEADER_TYPE, 1) & ~HEADER_MULTIFUNCTION) !== 0) continue;
    const command = assignBars(bus, device, fn, ports, memory);
    const pin = bus.read(device, fn, INTERRUPT_PIN, 1);
    if (pin !== 0) bus.write(device, fn, INTERRUPT_LINE, 1, resources.irq(device, pin));
    bus.write(device, fn, COMMAND, 2, command);
  }
}

function* functionsOf(bus: PciBus): Generator<readonly [device: number, fn: number]> {
  for (let device = 0; device < 32; device++) {
    if (bus.read(device, 0, VENDOR_ID, 2) === 0xffff) continue;
    const count = (bus.read(device, 0, HEADER_TYPE, 1) & HEADER_MULTIFUNCTION) === 0 ? 1 : 8;
    for (let fn = 0; fn < count; fn++) if (bus.read(device, fn, VENDOR_ID, 2) !== 0xffff) yield [device, fn];
  }
}

/** Returns the command register that lets the function decode what was placed. */
function assignBars(bus: PciBus, device: number, fn: number, ports: Allocator, memory: Allocator): number {
  let command = 0;
  for (let index = 0; index < BARS; index++) {
    const at = BASE_ADDRESS_0 + 4 * index;
    bus.write(device, fn, at, 4, 0xffff_ffff);
    const sizing = bus.read(device, fn, at, 4);
    if (sizing === 0) continue;
    const io = (sizing & BAR_IO) !== 0;
    const size = io ? sizeOf(sizing & 0xfffc, 0x1_0000) : sizeOf((sizing & ~0xf) >>> 0, 0x1_0000_0000);
    const address = (io ? ports : memory).take(size);
    bus.write(device, fn, at, 4, address ?? 0);
    if (address !== undefined) command |= COMMAND_MASTER | (io ? COMMAND_IO : COMMAND_MEMORY);
    if (!io && (sizing & BAR_MEM64) !== 0) bus.write(device, fn, BASE_ADDRESS_0 + 4 * ++index, 4, 0);
  }
  return command;
}

function sizeOf(mask: number, space: number): number {
  return space - mask;
}
