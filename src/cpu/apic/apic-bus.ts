// The bus between interrupt sources and local APICs: finds the destinations of a message, chooses one for lowest priority, and reads MSI
// writes as messages.
import { DELIVERY, destination8, type DeliveryMode, type InterruptMessage } from "../../bus/interrupt-message.ts";

/** What the bus needs of a local APIC. */
export interface ApicTarget {
  readonly accepting: boolean;
  readonly arbitrationPriority: number;
  matches(destination: number, logical: boolean): boolean;
  receive(message: InterruptMessage): boolean;
}

// Message signalled interrupts (SDM 3A §11.11.1 and §11.11.2).
//
//   address  31        20 19         12 11      4 3  2  1 0
//           ┌────────────┬─────────────┬─────────┬──┬──┬────┐
//           │    FEEh    │ destination │reserved │RH│DM│ XX │
//           └────────────┴─────────────┴─────────┴──┴──┴────┘
//   data     31                  16 15 14 13 11 10  8 7      0
//           ┌──────────────────────┬──┬──┬─────┬─────┬────────┐
//           │       reserved       │TM│ L│     │ DM  │ vector │
//           └──────────────────────┴──┴──┴─────┴─────┴────────┘
const MSI_BASE = 0xfee0_0000;
const MSI_SIZE = 0x10_0000;
const MSI_LOGICAL = 1 << 2;
const MSI_LEVEL = 1 << 15;

/** Whether a memory write by a device to this guest-physical address is a message signalled interrupt. */
export function isMsiAddress(address: number): boolean {
  return address >= MSI_BASE && address < MSI_BASE + MSI_SIZE;
}

/** The message that a write of `data` to `address` stands for, or undefined when it is not one. */
export function msiMessage(address: number, data: number): InterruptMessage | undefined {
  if (!isMsiAddress(address)) return undefined;
  const logical = (address & MSI_LOGICAL) !== 0;
  return {
    destination: destination8((address >>> 12) & 0xff, logical),
    logical,
    delivery: ((data >>> 8) & 7) as DeliveryMode,
    vector: data & 0xff,
    level: (data & MSI_LEVEL) !== 0,
  };
}

/** All local APICs of a machine, as interrupt sources see them. */
export class ApicBus {
  readonly #targets: ApicTarget[] = [];

  /** Connects a local APIC. */
  attach(target: ApicTarget): void {
    this.#targets.push(target);
  }

  /** Hands a message to its destinations; true when at least one took it. */
  deliver(message: InterruptMessage): boolean {
    if (message.delivery === DELIVERY.LOWEST_PRIORITY) return this.#deliverToLowest(message, undefined);
    return this.#deliverToAll(message, undefined);
  }

  /** As `deliver`, but never to `sender` (ICR shorthand "all excluding self"). */
  deliverToOthers(message: InterruptMessage, sender: ApicTarget): boolean {
    if (message.delivery === DELIVERY.LOWEST_PRIORITY) return this.#deliverToLowest(message, sender);
    return this.#deliverToAll(message, sender);
  }

  /** A device's memory write as an interrupt; false when it is none, or nobody took it. */
  deliverMsi(address: number, data: number): boolean {
    const message = msiMessage(address, data);
    return message !== undefined && this.deliver(message);
  }

  #deliverToAll(message: InterruptMessage, except: ApicTarget | undefined): boolean {
    let taken = false;
    for (const target of this.#targets) {
      if (target === except || !target.matches(message.destination, message.logical)) continue;
      taken = target.receive(message) || taken;
    }
    return taken;
  }

  // SDM 3A §11.6.2.4: the APIC with the lowest arbitration priority gets the message. Among equals the vector decides where the search starts,
  // which spreads interrupts without a memory of who had the last one.
  #deliverToLowest(message: InterruptMessage, except: ApicTarget | undefined): boolean {
    let best = -1;
    const count = this.#targets.length;
    for (let step = 0; step < count; step++) {
      const index = (message.vector + step) % count;
      const target = this.#targets[index]!;
      if (target === except || !target.accepting || !target.matches(message.destination, message.logical)) continue;
      if (best < 0 || target.arbitrationPriority < this.#targets[best]!.arbitrationPriority) best = index;
    }
    return best >= 0 && this.#targets[best]!.receive(message);
  }
}
