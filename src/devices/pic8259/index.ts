// The two cascaded 8259As of a PC/AT with their edge/level control registers, as the PIIX has them.
//
// Inputs must stay high until they are acknowledged, as the datasheet demands; a device that only pulses its line loses the request. Buffered mode,
// 8080 mode and polling through the cascade are the only parts of the datasheet without an effect here.
import { byteWide } from "../../bus/byte-wide.ts";
import { codec, record } from "../../support/schema.ts";
import type { Codec, Device, DeviceType, Line, PortRegion, Wiring } from "../device.ts";
import {
  accept,
  CONTROLLER,
  hasSlave,
  powerOnController,
  readMask,
  readStatus,
  requested,
  setElcr,
  setInput,
  vectorOf,
  writeCommand,
  writeData,
  type ControllerState,
} from "./controller.ts";
import { CASCADE_LEVEL, ELCR_BASE, ELCR_MASTER_MASK, ELCR_SLAVE_MASK, ICW3_ID, MASTER_BASE, SLAVE_BASE } from "./spec.ts";

/** Both controllers. */
export interface PicState {
  master: ControllerState;
  slave: ControllerState;
}

const STATE: Codec<PicState> = codec("pic8259", 1, record<PicState>({ master: CONTROLLER, slave: CONTROLLER }));

/** Nobody drives the data bus in an INTA cycle for a slave that is not there. */
const NO_VECTOR = 0xff;

/** A pair of 8259As. Line: "intr" (the master's INT, to the processor or the local APIC's LINT0). */
export class Pic8259 implements Device<PicState> {
  readonly ports: readonly PortRegion[];
  readonly #intr: Line;
  readonly state: PicState;

  constructor(wiring: Wiring) {
    this.#intr = wiring.line("intr");
    this.ports = [
      { name: "pic8259.master", base: MASTER_BASE, length: 2, ...this.#controller(() => this.state.master) },
      { name: "pic8259.slave", base: SLAVE_BASE, length: 2, ...this.#controller(() => this.state.slave) },
      { name: "pic8259.elcr", base: ELCR_BASE, length: 2, ...this.#elcr() },
    ];
    this.state = { master: powerOnController(0), slave: powerOnController(0) };
  }

  reset(): void {
    Object.assign(this.state, { master: powerOnController(0), slave: powerOnController(0) });
    this.resync();
  }

  resync(): void {
    this.#update();
  }

  /** Drives interrupt request `n`, 0 to 15. Request 2 is the cascade and leads nowhere. */
  setIrq(n: number, level: boolean): void {
    if (n === CASCADE_LEVEL) return;
    setInput(n < 8 ? this.state.master : this.state.slave, n & 7, level);
    this.#update();
  }

  /** Interrupt request `n`, 0 to 15, as a line. */
  input(n: number): Line {
    return { set: (level) => this.setIrq(n, level) };
  }

  /** Whether INT asks for the processor's attention. */
  get pending(): boolean {
    return requested(this.state.master) >= 0;
  }

  /** Both INTA cycles: the vector, 0 to FFh. Without a request it is that of the default level 7 (spurious interrupt). */
  acknowledge(): number {
    const { master } = this.state;
    const real = requested(master) >= 0;
    const level = accept(master);
    const vector = real && hasSlave(master, level) ? this.#acknowledgeSlave(level) : vectorOf(master, level);
    this.#update();
    return vector;
  }

  #acknowledgeSlave(id: number): number {
    const { master, slave } = this.state;
    if ((slave.icw3 & ICW3_ID) !== id) return NO_VECTOR;
    const vector = vectorOf(slave, accept(slave));
    // INT falls in the INTA cycle, so that a further request of the slave is a new edge at the master.
    setInput(master, CASCADE_LEVEL, false);
    return vector;
  }

  #update(): void {
    const { master, slave } = this.state;
    setInput(master, CASCADE_LEVEL, requested(slave) >= 0);
    this.#intr.set(requested(master) >= 0);
  }

  #controller(which: () => ControllerState): Pick<PortRegion, "read" | "write"> {
    const answered = (value: number): number => {
      // A polled read is an acknowledge.
      this.#update();
      return value;
    };
    return byteWide({
      readByte: (offset) => answered(offset === 0 ? readStatus(which()) : readMask(which())),
      writeByte: (offset, value) => {
        if (offset === 0) writeCommand(which(), value);
        else writeData(which(), value);
        this.#update();
      },
    });
  }

  #elcr(): Pick<PortRegion, "read" | "write"> {
    return byteWide({
      readByte: (offset) => (offset === 0 ? this.state.master : this.state.slave).elcr,
      writeByte: (offset, value) => {
        if (offset === 0) setElcr(this.state.master, value & ELCR_MASTER_MASK);
        else setElcr(this.state.slave, value & ELCR_SLAVE_MASK);
        this.#update();
      },
    });
  }
}

/** The pair of 8259A interrupt controllers. */
export const pic8259: DeviceType<Record<never, never>, PicState, Pic8259> = {
  kind: "pic8259",
  state: STATE,
  create: (_, wiring) => new Pic8259(wiring),
};
