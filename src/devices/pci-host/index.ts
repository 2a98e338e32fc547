// PCI host: the root bus, configuration mechanism 1 at CF8h and CFCh, and the bridges that every PC finds at the bus's beginning
// (device 0 the host bridge, device 1 the ISA bridge). Which chips they say they are is configuration.
//
// Lines: "inta".."intd", the bus's interrupt wires; and "irq3".."irq15", where the ISA bridge routes them for a guest that uses
// the 8259 pair. A board with an IO-APIC connects both.
import {
  CONFIG_ADDRESS,
  ConfigMechanism1,
  PciBus,
  PciFunction,
  pciFunctionStates,
  type DeliverMsi,
  type PciFunctionState,
  type PciSlot,
} from "../../bus/pci/index.ts";
import { fanOut } from "../../bus/line.ts";
import { codec, record, u32 } from "../../support/schema.ts";
import { FLOAT, type Device, type DeviceType, type IoHandler, type Line, type PortRegion, type Width, type Wiring } from "../device.ts";
import { IsaBridge } from "./isa-bridge.ts";
import { I440FX, PIIX3, type BridgeSpec } from "./spec.ts";

export type { BridgeSpec } from "./spec.ts";

/** What the bus is connected to, and which chips begin it. */
export interface PciHostConfig {
  /** The port bus and the memory-mapped bus, on which functions place their registers. */
  readonly ports: PciSlot["ports"];
  readonly mmio: PciSlot["mmio"];
  /** Message-signalled interrupts: a write of `data` to a physical address. */
  readonly deliverMsi: DeliverMsi;
  /** I440FX unless given. */
  readonly hostBridge?: BridgeSpec;
  /** PIIX3 unless given. */
  readonly isaBridge?: BridgeSpec;
  /** The reset control register at CF9h, which lies within CONFIG_ADDRESS and answers bytes only. */
  readonly resetControl?: IoHandler;
}

/** CONFIG_ADDRESS, and the two bridges' configuration. */
export interface PciHostState {
  configAddress: number;
  bridges: PciFunctionState[];
}

/** First device number that is free for the board's devices. */
export const FIRST_FREE_DEVICE = 2;

const RESET_CONTROL_OFFSET = 1;

/** The host, with the bus that a board plugs its devices into. */
export class PciHost implements Device<PciHostState> {
  readonly ports: readonly PortRegion[];
  readonly bus: PciBus;
  readonly state: PciHostState;
  readonly #config: PciHostConfig;
  readonly #bridges: readonly [PciFunction, IsaBridge];
  readonly #mechanism: ConfigMechanism1;

  constructor(config: PciHostConfig, wiring: Wiring) {
    const { ports, mmio, deliverMsi, hostBridge = I440FX, isaBridge = PIIX3 } = config;
    this.#config = config;
    const host = new PciFunction("host-bridge", hostBridge.identity);
    for (const { offset, value, writable } of hostBridge.registers) host.config.define(offset, 1, value, { writable });
    const isa = new IsaBridge(isaBridge, (number) => wiring.line(`irq${number}`));
    const wire = (name: string, pirq: number): Line => fanOut(wiring.line(name), isa.pirqs[pirq]!);
    this.bus = new PciBus({ ports, mmio, deliverMsi, intx: [wire("inta", 0), wire("intb", 1), wire("intc", 2), wire("intd", 3)] });
    this.bus.attach(0, host);
    this.bus.attach(1, isa);
    this.#bridges = [host, isa];
    this.state = { configAddress: 0, bridges: this.#bridges.map((bridge) => bridge.state) };
    this.#mechanism = new ConfigMechanism1(this.bus, () => this.state);
    this.ports = [this.#addressPort(), this.#mechanism.data];
  }

  reset(): void {
    this.state.configAddress = 0;
    for (const bridge of this.#bridges) bridge.reset();
  }

  resync(): void {
    this.#bridges.forEach((bridge, index) => bridge.resync(this.state.bridges[index]));
  }

  #addressPort(): PortRegion {
    const mechanism = this.#mechanism;
    const { resetControl } = this.#config;
    const isReset = (offset: number, width: Width): boolean => offset === RESET_CONTROL_OFFSET && width === 1;
    return {
      name: "pci-config-address",
      base: CONFIG_ADDRESS,
      length: 4,
      read: (offset, width) => {
        if (width === 4) return mechanism.address;
        return (isReset(offset, width) ? resetControl?.read(0, 1) : undefined) ?? FLOAT[width];
      },
      write: (offset, width, value) => {
        if (width === 4) mechanism.address = value;
        else if (isReset(offset, width)) resetControl?.write(0, 1, value);
      },
    };
  }
}

/** The PCI host. */
export const pciHost: DeviceType<PciHostConfig, PciHostState, PciHost> = {
  kind: "pci-host",
  state: codec("pci-host", 1, record<PciHostState>({ configAddress: u32, bridges: pciFunctionStates(2) })),
  create: (config, wiring) => new PciHost(config, wiring),
};
