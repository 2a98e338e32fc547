// One function with a type 0 header: identity, base address registers, capabilities and its interrupt (PCI 3.0 §6.1).
// A device builds its function once, and keeps `function.state` in its own state.
import { assert } from "../../support/assert.ts";
import { array, bytes, record, type Schema } from "../../support/schema.ts";
import { UNCONNECTED, type Line } from "../line.ts";
import { FLOAT, type Width } from "../region.ts";
import type { Window, WindowRegion } from "../address-bus.ts";
import { Bar, type BarSpec } from "./bar.ts";
import type { Capability, DeliverMsi, MessagePort } from "./capability.ts";
import { ConfigSpace } from "./config-space.ts";
import { Msi, type MsiSpec } from "./msi.ts";
import { Msix, msixPendingBytes, msixTableBytes, type MsixSpec } from "./msix.ts";
import * as spec from "./spec.ts";

/** Who a function says it is. */
export interface PciIdentity {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly revision: number;
  /** 24 bits: base class, sub-class, programming interface. */
  readonly classCode: number;
  readonly subsystemVendorId?: number;
  readonly subsystemId?: number;
  /** 1..4 for INTA#..INTD#; 0 or absent when it uses none. */
  readonly interruptPin?: number;
}

/** What a bus gives a function that is plugged in. */
export interface PciSlot {
  readonly ports: { window(region: WindowRegion): Window };
  readonly mmio: { window(region: WindowRegion): Window };
  /** The interrupt wire that the function's pin leads to. */
  readonly intx: Line;
  readonly deliverMsi: DeliverMsi;
}

/** Anything that answers configuration accesses: a device's function, later a bridge. */
export interface PciTarget {
  readonly interruptPin: number;
  connect(slot: PciSlot): void;
  /** There are further functions behind the same device number. */
  setMultifunction(): void;
  readConfig(offset: number, width: Width): number;
  writeConfig(offset: number, width: Width, value: number): void;
}

/** A function's state; live arrays. */
export interface PciFunctionState {
  config: Uint8Array;
  /** Empty without MSI-X. */
  msixTable: Uint8Array;
  msixPending: Uint8Array;
}

/** Describes PciFunctionState. */
export const PCI_FUNCTION_STATE: Schema<PciFunctionState> = record<PciFunctionState>({
  config: bytes(spec.CONFIG_SIZE),
  msixTable: bytes(0, msixTableBytes(2048)),
  msixPending: bytes(0, msixPendingBytes(2048)),
});

/** Describes the functions of a device that has several. */
export function pciFunctionStates(count: number): Schema<PciFunctionState[]> {
  return array(PCI_FUNCTION_STATE, count);
}

interface Placed {
  readonly at: number;
  readonly capability: Capability;
}

/** A type 0 function. */
export class PciFunction implements PciTarget {
  readonly config: ConfigSpace = new ConfigSpace();
  readonly interruptPin: number;
  readonly #name: string;
  readonly #bars: Bar[] = [];
  readonly #capabilities: Placed[] = [];
  readonly #messages: MessagePort;
  #msi: Msi | undefined;
  #msix: Msix | undefined;
  #nextCapability: number = spec.DEVICE_SPECIFIC;
  #deliver: DeliverMsi = () => {};
  #intx: Line = UNCONNECTED;
  #asserted = false;

  /** @param name for messages and traces */
  constructor(name: string, identity: PciIdentity) {
    this.#name = name;
    this.interruptPin = identity.interruptPin ?? 0;
    const { config } = this;
    config.define(spec.VENDOR_ID, 2, identity.vendorId);
    config.define(spec.DEVICE_ID, 2, identity.deviceId);
    config.define(spec.COMMAND, 2, 0, {
      writable: spec.COMMAND_MASTER | spec.COMMAND_PARITY | spec.COMMAND_SERR | spec.COMMAND_INTX_DISABLE,
    });
    config.define(spec.REVISION_ID, 4, identity.revision | (identity.classCode << 8));
    config.define(0x0c, 1, 0, { writable: 0xff });
    config.define(spec.SUBSYSTEM_VENDOR_ID, 2, identity.subsystemVendorId ?? 0);
    config.define(spec.SUBSYSTEM_ID, 2, identity.subsystemId ?? 0);
    config.define(spec.INTERRUPT_LINE, 1, 0, { writable: 0xff });
    config.define(spec.INTERRUPT_PIN, 1, this.interruptPin);
    this.#defineStatus(0);
    const fn = this;
    this.#messages = {
      get enabled() {
        return (config.get(spec.COMMAND, 2) & spec.COMMAND_MASTER) !== 0;
      },
      deliver: (address, data) => fn.#deliver(address, data),
    };
  }

  /** The state as it is now; a restore hands it back to `resync`. */
  get state(): PciFunctionState {
    return {
      config: this.config.bytes,
      msixTable: this.#msix?.table ?? new Uint8Array(),
      msixPending: this.#msix?.pending ?? new Uint8Array(),
    };
  }

  /** Adds a base address register; before `connect`. */
  addBar(bar: BarSpec): void {
    this.#bars.push(new Bar(bar, this.config));
    // PCI 3.0 §6.2.2: the enable bits exist for what the function decodes.
    const decodes = this.#bars.reduce((bits, { spec: { kind } }) => bits | (kind === "io" ? spec.COMMAND_IO : spec.COMMAND_MEMORY), 0);
    const writable = decodes | spec.COMMAND_MASTER | spec.COMMAND_PARITY | spec.COMMAND_SERR | spec.COMMAND_INTX_DISABLE;
    this.config.define(spec.COMMAND, 2, 0, { writable });
  }

  /** Appends to the capabilities list, and returns where in configuration space it is. */
  addCapability(capability: Capability): number {
    const at = this.#nextCapability;
    this.#nextCapability = (at + capability.length + 3) & ~3;
    assert(this.#nextCapability <= spec.CONFIG_SIZE, "capabilities exceed configuration space");
    const last = this.#capabilities.at(-1);
    this.config.define(last === undefined ? spec.CAPABILITIES_POINTER : last.at + 1, 1, at);
    this.config.define(at, 1, capability.id);
    capability.define(this.config, at);
    this.#defineStatus(spec.STATUS_CAPABILITIES);
    this.#capabilities.push({ at, capability });
    return at;
  }

  addMsi(msi: MsiSpec): Msi {
    this.#msi = new Msi(msi, this.#messages);
    this.addCapability(this.#msi);
    return this.#msi;
  }

  /** The caller puts the returned registers behind the base address register it named. */
  addMsix(msix: MsixSpec): Msix {
    this.#msix = new Msix(msix, this.#messages);
    this.addCapability(this.#msix);
    return this.#msix;
  }

  connect(slot: PciSlot): void {
    this.#intx = slot.intx;
    this.#deliver = slot.deliverMsi;
    for (const bar of this.#bars) {
      const { index, kind, size, handler } = bar.spec;
      const region: WindowRegion = {
        name: `${this.#name} BAR ${index}`,
        length: size,
        read: (offset, width) => handler.read(offset, width),
        write: (offset, width, value) => handler.write(offset, width, value),
      };
      bar.connect((kind === "io" ? slot.ports : slot.mmio).window(region));
    }
    this.#placeBars();
  }

  setMultifunction(): void {
    this.config.define(spec.HEADER_TYPE, 1, spec.HEADER_MULTIFUNCTION);
  }

  /** Software lets the function read and write memory. */
  get busMaster(): boolean {
    return this.#messages.enabled;
  }

  /** The registers behind a base address register, if it has them; its size in bytes bounds `offset`. */
  bar(index: number): BarSpec | undefined {
    return this.#bars.find((bar) => bar.spec.index === index)?.spec;
  }

  /** Drives the interrupt pin; it stays low while software disabled it or chose messages (PCI 3.0 §6.2.2, §6.8.2.3). */
  setIntx(level: boolean): void {
    const status = this.config.get(spec.STATUS, 2) & ~spec.STATUS_INTERRUPT;
    this.config.set(spec.STATUS, 2, status | (level ? spec.STATUS_INTERRUPT : 0));
    this.#driveIntx();
  }

  readConfig(offset: number, width: Width): number {
    if (offset + width > spec.CONFIG_SIZE) return FLOAT[width];
    const placed = this.#placedAt(offset);
    placed?.capability.reading?.(offset - placed.at, width);
    return this.config.get(offset, width);
  }

  writeConfig(offset: number, width: Width, value: number): void {
    if (offset + width > spec.CONFIG_SIZE) return;
    this.config.write(offset, width, value);
    if (offset < spec.COMMAND + 2 && offset + width > spec.COMMAND) this.#placeBars();
    else if (this.#bars.some((bar) => bar.touches(offset, width))) this.#placeBars();
    const placed = this.#placedAt(offset);
    placed?.capability.wrote?.(offset - placed.at, width);
    this.#driveIntx();
  }

  /** Power-on state: nothing decoded, interrupt low. */
  reset(): void {
    this.config.reset();
    this.#msix?.reset();
    this.resync();
  }

  /** Follows restored state. Throws STATE_INVALID when it cannot be this function's. */
  resync(state: PciFunctionState = this.state): void {
    this.config.adopt(state.config);
    this.#msix?.adopt(state.msixTable, state.msixPending);
    this.#placeBars();
    this.#driveIntx();
  }

  #defineStatus(fixed: number): void {
    this.config.define(spec.STATUS, 2, fixed, { clearable: spec.STATUS_ERRORS, volatile: spec.STATUS_INTERRUPT });
  }

  #placeBars(): void {
    const command = this.config.get(spec.COMMAND, 2);
    for (const bar of this.#bars)
      bar.place(this.config, (command & (bar.spec.kind === "io" ? spec.COMMAND_IO : spec.COMMAND_MEMORY)) !== 0);
  }

  #driveIntx(): void {
    const wanted = (this.config.get(spec.STATUS, 2) & spec.STATUS_INTERRUPT) !== 0;
    const disabled = (this.config.get(spec.COMMAND, 2) & spec.COMMAND_INTX_DISABLE) !== 0;
    const level = wanted && !disabled && this.#msi?.enabled !== true && this.#msix?.enabled !== true;
    if (level === this.#asserted) return;
    this.#asserted = level;
    this.#intx.set(level);
  }

  #placedAt(offset: number): Placed | undefined {
    if (offset < spec.DEVICE_SPECIFIC) return undefined;
    return this.#capabilities.find(({ at, capability }) => offset >= at && offset < at + capability.length);
  }
}
