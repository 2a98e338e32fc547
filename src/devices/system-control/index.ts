// System control ports A (92h) and B (61h): speaker and counter 2 of the interval timer, refresh toggle, fast A20, fast reset.
//
// No memory parity and no I/O channel check fail here, so the NMI sources of port B never show. Kernels and firmware time short delays with
// the refresh bit, which changes every 15 us.
import { pulse } from "../../bus/line.ts";
import { codec, record, u8 } from "../../support/schema.ts";
import type { Codec, Device, DeviceType, Line, PortRegion, Wiring } from "../device.ts";
import { A_A20, A_FAST_INIT, A_WRITABLE, B_GATE2, B_OUT2, B_REFRESH, B_SPEAKER, B_WRITABLE, PORT_A, PORT_B, REFRESH_NS } from "./spec.ts";

/** What the ports read from elsewhere. */
export interface SystemControlConfig {
  /** The level of OUT of the interval timer's counter 2. */
  readonly out2: () => boolean;
}

/** The bits that were written. */
export interface SystemControlState {
  portA: number;
  portB: number;
}

const STATE: Codec<SystemControlState> = codec("system-control", 1, record<SystemControlState>({ portA: u8, portB: u8 }));

/** Ports 61h and 92h. Lines: "gate2", "speaker" (data enable), "a20" (this source of the A20 gate), "reset" (pulses). */
export class SystemControl implements Device<SystemControlState> {
  readonly ports: readonly PortRegion[];
  readonly #config: SystemControlConfig;
  readonly #wiring: Wiring;
  readonly #gate2: Line;
  readonly #speaker: Line;
  readonly #a20: Line;
  readonly #reset: Line;
  readonly state: SystemControlState = { portA: 0, portB: 0 };

  constructor(config: SystemControlConfig, wiring: Wiring) {
    this.#config = config;
    this.#wiring = wiring;
    this.#gate2 = wiring.line("gate2");
    this.#speaker = wiring.line("speaker");
    this.#a20 = wiring.line("a20");
    this.#reset = wiring.line("reset");
    this.ports = [
      {
        name: "system-control.b",
        base: PORT_B,
        length: 1,
        read: () => this.#readB(),
        write: (_offset, _width, value) => this.#writeB(value),
      },
      {
        name: "system-control.a",
        base: PORT_A,
        length: 1,
        read: () => this.state.portA,
        write: (_offset, _width, value) => this.#writeA(value),
      },
    ];
  }

  reset(): void {
    Object.assign(this.state, { portA: 0, portB: 0 });
    this.resync();
  }

  resync(): void {
    this.#gate2.set((this.state.portB & B_GATE2) !== 0);
    this.#speaker.set((this.state.portB & B_SPEAKER) !== 0);
    this.#a20.set((this.state.portA & A_A20) !== 0);
  }

  #readB(): number {
    const refresh = Math.floor(this.#wiring.clock.now() / REFRESH_NS) % 2 === 1 ? B_REFRESH : 0;
    return this.state.portB | refresh | (this.#config.out2() ? B_OUT2 : 0);
  }

  #writeB(value: number): void {
    this.state.portB = value & B_WRITABLE;
    this.resync();
  }

  #writeA(value: number): void {
    const resets = (value & ~this.state.portA & A_FAST_INIT) !== 0;
    this.state.portA = value & A_WRITABLE;
    this.resync();
    if (resets) pulse(this.#reset);
  }
}

/** System control ports A and B. */
export const systemControl: DeviceType<SystemControlConfig, SystemControlState, SystemControl> = {
  kind: "system-control",
  state: STATE,
  create: (config, wiring) => new SystemControl(config, wiring),
};
