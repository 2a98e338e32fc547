// A PCI bus: 32 device numbers of 8 functions. The root bus is one; a bridge would own another and answer for its bus numbers.
import { assert } from "../../support/assert.ts";
import { SharedLine, type Line } from "../line.ts";
import { FLOAT, type Width } from "../region.ts";
import type { DeliverMsi } from "./capability.ts";
import type { PciSlot, PciTarget } from "./function.ts";

const DEVICES = 32;
const FUNCTIONS = 8;

/** What a bus is connected to: the address spaces, four interrupt wires, and where messages go. */
export interface PciUpstream {
  readonly ports: PciSlot["ports"];
  readonly mmio: PciSlot["mmio"];
  /** Where the bus's INTA#..INTD# wires lead. */
  readonly intx: readonly [Line, Line, Line, Line];
  readonly deliverMsi: DeliverMsi;
}

/**
 * Which of a bus's four wires (0..3) an interrupt pin (1..4) of a device drives: pins are swizzled so that single-function
 * devices, which all use INTA#, spread over the wires (PCI-to-PCI Bridge 1.2 §9.1).
 */
export function intxWire(device: number, pin: number): number {
  return (device + pin - 1) % 4;
}

/** A bus with its devices. */
export class PciBus {
  readonly #upstream: PciUpstream;
  readonly #wires: readonly SharedLine[];
  readonly #targets: (PciTarget | undefined)[] = Array.from({ length: DEVICES * FUNCTIONS }, () => undefined);

  constructor(upstream: PciUpstream) {
    this.#upstream = upstream;
    this.#wires = upstream.intx.map((line) => new SharedLine(line));
  }

  /** Plugs a function in. Function 0 comes first; each place is taken once. */
  attach(device: number, target: PciTarget, fn: number = 0): void {
    const at = place(device, fn);
    assert(this.#targets[at] === undefined, `PCI device ${device} function ${fn} is taken`);
    assert(fn === 0 || this.#targets[place(device, 0)] !== undefined, "a PCI device has function 0");
    this.#targets[at] = target;
    if (fn !== 0) this.#targets[place(device, 0)]!.setMultifunction();
    const { ports, mmio, deliverMsi } = this.#upstream;
    target.connect({ ports, mmio, deliverMsi, intx: this.#wireOf(device, target.interruptPin) });
  }

  /** What is at a device number, or undefined. */
  target(device: number, fn: number): PciTarget | undefined {
    return this.#targets[place(device, fn)];
  }

  /** The lowest device number with nothing plugged in, from `from` on; undefined when the bus is full. */
  freeDevice(from: number = 0): number | undefined {
    for (let device = from; device < DEVICES; device++) if (this.target(device, 0) === undefined) return device;
    return undefined;
  }

  /** A configuration read; all-ones where there is nothing (PCI 3.0 §6.1), which is how software enumerates. */
  read(device: number, fn: number, offset: number, width: Width): number {
    return this.target(device, fn)?.readConfig(offset, width) ?? FLOAT[width];
  }

  /** A configuration write; nothing happens where there is nothing. */
  write(device: number, fn: number, offset: number, width: Width, value: number): void {
    this.target(device, fn)?.writeConfig(offset, width, value);
  }

  #wireOf(device: number, pin: number): Line {
    return this.#wires[pin === 0 ? 0 : intxWire(device, pin)]!.source();
  }
}

function place(device: number, fn: number): number {
  assert(device >= 0 && device < DEVICES && fn >= 0 && fn < FUNCTIONS, "PCI place");
  return device * FUNCTIONS + fn;
}
