// The way of interrupts on a PC: every ISA line reaches the 8259A pair and the IO-APIC, and both reach the local APIC.
//
//   ISA 0..15 ─┬─> 8259A pair ── INTR ─┬─> LINT0 ┐
//              │                       └─> pin 0 │      local APIC ── INTR ──> processor
//              └─> pin n (0 on pin 2) ── IO-APIC ┴─ messages ─> │
//   PCI INTx ────> pins 16..23 ─────────┘   MSI ────────────────┘
import { fanOut, lineTo, SharedLine, type Line } from "../../bus/line.ts";
import { ApicBus } from "../../cpu/apic/apic-bus.ts";
import { LocalApic } from "../../cpu/apic/local-apic.ts";
import { CRYSTAL_HZ, TSC_HZ } from "../../cpu/cpuid.ts";
import { PHYSICAL_BITS } from "../../cpu/mmu/control.ts";
import { ioapic, type IoApic } from "../../devices/ioapic/index.ts";
import { IOAPICID, IOREGSEL, IOWIN, PIN_COUNT } from "../../devices/ioapic/spec.ts";
import { pic8259, type Pic8259 } from "../../devices/pic8259/index.ts";
import type { ProcessorPins } from "./board.ts";
import type { Chassis } from "./chassis.ts";

/** Where a PC has its local APIC and IO-APIC, and the IO-APIC's identifier on a board with one processor. */
export const LOCAL_APIC_BASE = 0xfee0_0000;
export const IO_APIC_BASE = 0xfec0_0000;
export const IO_APIC_ID = 1;

/** The IO-APIC pin of the interval timer, whose ISA line 0 pin 0 does not get (MP 1.4 §5.2, MADT override). */
const TIMER_PIN = 2;
const ISA_LINES = 16;

/** The controllers of a board with one processor. */
export class InterruptControllers {
  readonly localApic: LocalApic;
  readonly bus: ApicBus = new ApicBus();
  readonly pic: Pic8259;
  readonly ioApic: IoApic;
  readonly #isa: readonly SharedLine[];
  readonly #pins: readonly SharedLine[];

  constructor(chassis: Chassis, pins: ProcessorPins, initRequested: () => void) {
    this.localApic = this.#makeLocalApic(chassis, pins, initRequested);
    this.bus.attach(this.localApic);
    this.ioApic = chassis.plug("ioapic", ioapic, { base: IO_APIC_BASE, deliver: (message) => this.bus.deliver(message) });
    const intr = fanOut(
      lineTo((level) => this.localApic.setLint0(level)),
      this.ioApic.pin(0),
    );
    this.pic = chassis.plug("pic", pic8259, {}, { intr });
    this.#isa = Array.from({ length: ISA_LINES }, (_, irq) => new SharedLine(this.#isaSink(irq)));
    this.#pins = Array.from({ length: PIN_COUNT }, (_, pin) => new SharedLine(this.ioApic.pin(pin)));
  }

  /** A source on ISA interrupt `irq`, 0..15. */
  isa(irq: number): Line {
    return this.#isa[irq]!.source();
  }

  /** A source on an IO-APIC pin that no ISA interrupt uses, 16..23. */
  pin(number: number): Line {
    return this.#pins[number]!.source();
  }

  /** As firmware leaves them: virtual-wire mode, and the IO-APIC's identifier as the MADT says it. */
  initialise(): void {
    this.localApic.reset();
    this.localApic.enterVirtualWireMode();
    const [registers] = this.ioApic.mmio;
    registers?.write(IOREGSEL, 4, IOAPICID);
    registers?.write(IOWIN, 4, (IO_APIC_ID << 24) >>> 0);
  }

  #isaSink(irq: number): Line {
    return fanOut(this.pic.input(irq), this.ioApic.pin(irq === 0 ? TIMER_PIN : irq));
  }

  #makeLocalApic({ resources }: Chassis, pins: ProcessorPins, initRequested: () => void): LocalApic {
    const { clock } = resources;
    const apic: LocalApic = new LocalApic(
      { id: 0, bootstrap: true, x2apic: true, physicalBits: PHYSICAL_BITS, tscHz: TSC_HZ, timerHz: CRYSTAL_HZ },
      {
        clock,
        tscNow: () => BigInt(Math.floor(clock.now())) + pins.tscOffset(),
        setInterruptLine: (level) => pins.setInterruptLine(level),
        nmi: () => pins.nmi(),
        init: initRequested,
        // A start-up message means nothing to the processor that runs already (SDM 3A §9.4.1).
        startUp: () => {},
        acknowledgePic: () => this.pic.acknowledge(),
        deliver: (message) => this.bus.deliver(message),
        deliverToOthers: (message) => this.bus.deliverToOthers(message, apic),
        endOfInterrupt: (vector) => this.ioApic.endOfInterrupt(vector),
      },
    );
    return apic;
  }
}
