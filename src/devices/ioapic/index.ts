// The IO-APIC: 24 interrupt pins, each turned into messages to local APICs as its redirection entry says (82093AA datasheet; EOI register as
// in ICH9).
//
// Polarity bits are held but decide nothing: a line here carries assertion, not voltage. Edges that come while a pin is masked are lost, as on
// the 82093AA; a level that is still there when the mask goes is not.
import { DELIVERY, destination8, type DeliverInterrupt, type DeliveryMode, type InterruptMessage } from "../../bus/interrupt-message.ts";
import { array, codec, integer, record, u32, u8, type Codec } from "../../support/schema.ts";
import { VmError } from "../../support/errors.ts";
import type { Device, DeviceType, Line, MmioRegion, Width } from "../device.ts";
import {
  DEFAULT_BASE,
  EOIR,
  IOAPICARB,
  IOAPICID,
  IOAPICVER,
  IOREDTBL,
  IOREGSEL,
  IOWIN,
  PAGE_BYTES,
  PIN_COUNT,
  RTE_DELIVERY_SHIFT,
  RTE_DELIVERY_STATUS,
  RTE_LEVEL,
  RTE_LOGICAL,
  RTE_MASKED,
  RTE_REMOTE_IRR,
  RTE_VECTOR,
  RTE_WRITABLE,
  VERSION,
} from "./spec.ts";

/** What an IO-APIC is made with. */
export interface IoApicConfig {
  /** Hands a message to the local APICs; true when one took it. */
  readonly deliver: DeliverInterrupt;
  /** Guest-physical address of the register page; FEC0_0000h unless given. */
  readonly base?: number;
}

/** All guest-visible state of an IO-APIC. */
export interface IoApicState {
  id: number;
  /** IOREGSEL. */
  select: number;
  /** Levels of the pins, one bit each. */
  pins: number;
  /** Redirection entries, low halves. */
  low: number[];
  /** Redirection entries, bits 63:56. */
  destination: number[];
}

const STATE: Codec<IoApicState> = codec(
  "ioapic",
  1,
  record<IoApicState>({
    id: integer(0, 15),
    select: u8,
    pins: integer(0, 2 ** PIN_COUNT - 1),
    low: array(u32, PIN_COUNT),
    destination: array(u8, PIN_COUNT),
  }),
);

function powerOn(): IoApicState {
  return {
    id: 0,
    select: 0,
    pins: 0,
    low: Array.from({ length: PIN_COUNT }, () => RTE_MASKED),
    destination: Array.from({ length: PIN_COUNT }, () => 0),
  };
}

/** An IO-APIC. */
export class IoApic implements Device<IoApicState> {
  readonly #deliver: DeliverInterrupt;
  readonly state: IoApicState = powerOn();
  readonly mmio: readonly MmioRegion[];
  /** What each pin sends, made when its entry is written: pins are hot, entries are not. */
  readonly #messages: InterruptMessage[] = [];

  constructor(config: IoApicConfig) {
    this.#deliver = config.deliver;
    this.mmio = [
      {
        name: "ioapic",
        base: config.base ?? DEFAULT_BASE,
        length: PAGE_BYTES,
        read: (offset, width) => this.#read(offset, width),
        write: (offset, width, value) => this.#write(offset, width, value),
      },
    ];
    this.#prepareAll();
  }

  /** Power-on: every pin masked. Pin levels stay as they are driven. */
  reset(): void {
    Object.assign(this.state, powerOn(), { pins: this.state.pins });
    this.#prepareAll();
  }

  resync(): void {
    if (
      this.state.low.some(
        (entry) =>
          (entry & ~(RTE_WRITABLE | RTE_REMOTE_IRR | RTE_DELIVERY_STATUS)) !== 0 ||
          (entry & (RTE_REMOTE_IRR | RTE_LEVEL)) === RTE_REMOTE_IRR,
      )
    ) {
      throw new VmError("STATE_INVALID", "Cannot restore ioapic: a redirection entry holds a value that no guest can bring about", {
        data: { unit: "ioapic", field: "low" },
      });
    }
    this.#prepareAll();
  }

  /** Drives pin `n`, 0..23; others lead nowhere. */
  setPin(n: number, level: boolean): void {
    if (n < 0 || n >= PIN_COUNT) return;
    const bit = 1 << n;
    const before = (this.state.pins & bit) !== 0;
    this.state.pins = level ? this.state.pins | bit : this.state.pins & ~bit;
    if (level) this.#service(n, !before);
    else this.state.low[n]! &= ~RTE_DELIVERY_STATUS;
  }

  /** Pin `n` as a line. */
  pin(n: number): Line {
    return { set: (level) => this.setPin(n, level) };
  }

  /** A local APIC's EOI of a level-triggered vector, or a write to the EOI register: entries with this vector may send again. */
  endOfInterrupt(vector: number): void {
    for (let n = 0; n < PIN_COUNT; n++) {
      const entry = this.state.low[n]!;
      if ((entry & RTE_REMOTE_IRR) === 0 || (entry & RTE_VECTOR) !== vector) continue;
      this.state.low[n] = entry & ~RTE_REMOTE_IRR;
      this.#service(n, false);
    }
  }

  #read(offset: number, width: Width): number {
    if (offset === IOREGSEL) return this.state.select;
    // IOWIN must be accessed as 32 bits (§3.1.2).
    return offset === IOWIN && width === 4 ? this.#readSelected() : 0;
  }

  #write(offset: number, width: Width, value: number): void {
    if (offset === IOREGSEL) this.state.select = value & 0xff;
    else if (offset === IOWIN && width === 4) this.#writeSelected(value);
    else if (offset === EOIR) this.endOfInterrupt(value & 0xff);
  }

  #readSelected(): number {
    const { select } = this.state;
    if (select === IOAPICID || select === IOAPICARB) return this.state.id << 24;
    if (select === IOAPICVER) return VERSION;
    const entry = select - IOREDTBL;
    if (entry < 0 || entry >= 2 * PIN_COUNT) return 0;
    return (entry & 1) === 0 ? this.state.low[entry >> 1]! : (this.state.destination[entry >> 1]! << 24) >>> 0;
  }

  #writeSelected(value: number): void {
    const entry = this.state.select - IOREDTBL;
    if (this.state.select === IOAPICID) this.state.id = (value >>> 24) & 15;
    if (entry < 0 || entry >= 2 * PIN_COUNT) return;
    const n = entry >> 1;
    if ((entry & 1) === 0) this.#writeLow(n, value);
    else this.state.destination[n] = value >>> 24;
    this.#prepare(n);
    if ((this.state.pins & (1 << n)) !== 0) this.#service(n, false);
  }

  // Remote IRR means nothing for edges; making an entry edge-triggered clears it, which guests use as an EOI where there is no register for it.
  #writeLow(n: number, value: number): void {
    const remote = (value & RTE_LEVEL) !== 0 ? this.state.low[n]! & RTE_REMOTE_IRR : 0;
    this.state.low[n] = (value & RTE_WRITABLE) | remote;
  }

  #prepareAll(): void {
    for (let n = 0; n < PIN_COUNT; n++) this.#prepare(n);
  }

  #prepare(n: number): void {
    const entry = this.state.low[n]!;
    const delivery = ((entry >>> RTE_DELIVERY_SHIFT) & 7) as DeliveryMode;
    const logical = (entry & RTE_LOGICAL) !== 0;
    this.#messages[n] = {
      destination: destination8(this.state.destination[n]!, logical),
      logical,
      delivery,
      vector: entry & RTE_VECTOR,
      level: this.#isLevel(entry),
    };
  }

  // SMI, NMI, INIT and ExtINT are edges whatever the trigger bit says (§3.2.4, delivery mode).
  #isLevel(entry: number): boolean {
    const delivery = (entry >>> RTE_DELIVERY_SHIFT) & 7;
    return (entry & RTE_LEVEL) !== 0 && (delivery === DELIVERY.FIXED || delivery === DELIVERY.LOWEST_PRIORITY);
  }

  /** Sends what pin `n`, which is asserted, calls for now. A level that nobody takes stays pending and is offered again. */
  #service(n: number, rising: boolean): void {
    const entry = this.state.low[n]!;
    if ((entry & RTE_MASKED) !== 0 || (this.state.pins & (1 << n)) === 0) return;
    if (!this.#isLevel(entry)) {
      if (rising) this.#deliver(this.#messages[n]!);
      return;
    }
    if ((entry & RTE_REMOTE_IRR) !== 0) return;
    // Set before sending: the EOI may come while the message is being delivered.
    this.state.low[n] = (entry | RTE_REMOTE_IRR) & ~RTE_DELIVERY_STATUS;
    if (!this.#deliver(this.#messages[n]!)) this.state.low[n] = entry | RTE_DELIVERY_STATUS;
  }
}

/** 82093AA-style IO-APIC, version 20h. */
export const ioapic: DeviceType<IoApicConfig, IoApicState, IoApic> = {
  kind: "ioapic",
  state: STATE,
  create: (config) => new IoApic(config),
};
