// ACPI fixed hardware: power button, sleep states, power-management timer, general-purpose events, and the reset control register.
//
// Of the sleep states there is S5 (soft off) alone; the DSDT must not offer another. There is no system management mode: with ACPI disabled, an
// event sets its status bit and tells nobody.
import { codec, record, u16, u8 } from "../../support/schema.ts";
import { VmError } from "../../support/errors.ts";
import type { Codec, Device, DeviceType, IoHandler, Line, PortRegion, Timer, Width, Wiring } from "../device.ts";
import { nextToggleNs, ticksAt } from "./pm-timer.ts";
import {
  BLOCK_BYTES,
  BM_RLD,
  DEFAULT_BASE,
  GPE0,
  GPE0_EVENTS,
  PM1_CONTROL,
  PM1_EVENT,
  PM1_EVENTS,
  PM1_STATUS,
  PM_TIMER,
  PWRBTN_STS,
  RC_RCPU,
  RC_SRHRE,
  RESET_CONTROL,
  SCI_EN,
  SLPBTN_STS,
  SLP_EN,
  SLP_TYP,
  SLP_TYP_SHIFT,
  TMR_STS,
} from "./spec.ts";

/** What the power management is made with. */
export interface AcpiPmConfig {
  /** First port of the register block; 600h unless given. */
  readonly base?: number;
  readonly timerBits?: 24 | 32;
  /** The SLP_TYP that means soft off, as the DSDT's \_S5 says; 5 unless given. */
  readonly s5SleepType?: number;
  /** The way between legacy and ACPI mode, as the FADT says; without it the machine is always in ACPI mode. */
  readonly smi?: { readonly port: number; readonly acpiEnable: number; readonly acpiDisable: number };
  /** Port of the reset control register, CF9h unless given; null when a PCI host, whose ports lie around it, passes it on to `resetControl`. */
  readonly resetPort?: number | null;
  /** The guest turned the machine off. */
  readonly powerOff: () => void;
  /** The guest reset the machine. */
  readonly reset: () => void;
}

/** All guest-visible state but the timer, which is the clock. */
export interface AcpiPmState {
  pm1Status: number;
  pm1Enable: number;
  pm1Control: number;
  gpeStatus: number;
  gpeEnable: number;
  /** The bytes at the SMI command port and the one after it. */
  smiCommand: number;
  smiStatus: number;
  resetControl: number;
}

const STATE: Codec<AcpiPmState> = codec(
  "acpi-pm",
  1,
  record<AcpiPmState>({
    pm1Status: u16,
    pm1Enable: u16,
    pm1Control: u16,
    gpeStatus: u16,
    gpeEnable: u16,
    smiCommand: u8,
    smiStatus: u8,
    resetControl: u8,
  }),
);

/** Power management. Line: "sci". */
export class AcpiPm implements Device<AcpiPmState> {
  readonly #config: AcpiPmConfig;
  readonly #timerBits: 24 | 32;
  readonly ports: readonly PortRegion[];
  /** The reset control register, for a board whose PCI host owns the ports around it. */
  readonly resetControl: IoHandler;
  readonly #wiring: Wiring;
  readonly #sci: Line;
  #toggle: Timer | null = null;
  #toggleAtNs = Number.POSITIVE_INFINITY;
  readonly state: AcpiPmState;

  constructor(config: AcpiPmConfig, wiring: Wiring) {
    this.#config = config;
    this.#timerBits = config.timerBits ?? 24;
    this.#wiring = wiring;
    this.#sci = wiring.line("sci");
    this.state = this.#powerOn();
    this.resetControl = {
      read: (_offset, width) => (width === 1 ? this.state.resetControl : 0),
      write: (_offset, _width, value) => this.#writeResetControl(value),
    };
    this.ports = this.#regions();
    this.#armToggle();
  }

  reset(): void {
    Object.assign(this.state, this.#powerOn());
    this.#armToggle();
    this.#update();
  }

  resync(): void {
    const { pm1Status, pm1Enable, pm1Control } = this.state;
    const alwaysAcpi = this.#config.smi === undefined && (pm1Control & SCI_EN) === 0;
    if (
      (pm1Status & ~PM1_STATUS) !== 0 ||
      (pm1Enable & ~PM1_EVENTS) !== 0 ||
      (pm1Control & ~(SCI_EN | BM_RLD | SLP_TYP)) !== 0 ||
      alwaysAcpi
    ) {
      throw new VmError("STATE_INVALID", "Cannot restore acpi-pm: a PM1 register holds a value that no guest can bring about", {
        data: { unit: "acpi-pm", field: "pm1" },
      });
    }
    this.#armToggle();
    this.#update();
  }

  /** Presses the power button: a request to the guest, which may ignore it. */
  pressPowerButton(): void {
    this.#event(PWRBTN_STS);
  }

  /** Presses the sleep button. */
  pressSleepButton(): void {
    this.#event(SLPBTN_STS);
  }

  /** Signals general-purpose event `n`, 0..15 (the DSDT's \_GPE._Enn and _Lnn methods). */
  signalEvent(n: number): void {
    if (n < 0 || n >= GPE0_EVENTS) return;
    this.state.gpeStatus |= 1 << n;
    this.#update();
  }

  #powerOn(): AcpiPmState {
    const pm1Control = this.#config.smi === undefined ? SCI_EN : 0;
    return { pm1Status: 0, pm1Enable: 0, pm1Control, gpeStatus: 0, gpeEnable: 0, smiCommand: 0, smiStatus: 0, resetControl: 0 };
  }

  #regions(): PortRegion[] {
    const { base = DEFAULT_BASE, smi, resetPort = RESET_CONTROL } = this.#config;
    const regions: PortRegion[] = [
      {
        name: "acpi-pm",
        base,
        length: BLOCK_BYTES,
        read: (offset, width) => this.#read(offset, width),
        write: (offset, width, value) => this.#write(offset, width, value),
      },
    ];
    if (smi !== undefined)
      regions.push({
        name: "acpi-pm.smi",
        base: smi.port,
        length: 2,
        read: (offset) => this.#readSmi(offset),
        write: (offset, _width, value) => this.#writeSmi(offset, value),
      });
    if (resetPort !== null) regions.push({ name: "acpi-pm.reset", base: resetPort, length: 1, ...this.resetControl });
    return regions;
  }

  // The block is made of double words; guests reach their parts with whatever width they like.

  #read(offset: number, width: Width): number {
    let value = 0;
    for (let done = 0; done < width;) {
      const at = offset + done;
      const take = Math.min(4 - (at & 3), width - done);
      const part = Math.floor(this.#readDword(at & ~3) / 2 ** (8 * (at & 3))) % 2 ** (8 * take);
      value += part * 2 ** (8 * done);
      done += take;
    }
    return value;
  }

  #write(offset: number, width: Width, value: number): void {
    for (let done = 0; done < width;) {
      const at = offset + done;
      const take = Math.min(4 - (at & 3), width - done);
      const shift = 8 * (at & 3);
      const mask = take === 4 ? 0xffff_ffff : ((1 << (8 * take)) - 1) << shift;
      this.#writeDword(at & ~3, ((value >>> (8 * done)) << shift) & mask, mask);
      done += take;
    }
    this.#update();
  }

  #readDword(offset: number): number {
    const { state } = this;
    switch (offset) {
      case PM1_EVENT:
        this.#catchUp();
        return state.pm1Status + state.pm1Enable * 0x1_0000;
      case PM1_CONTROL:
        return state.pm1Control;
      case PM_TIMER:
        return ticksAt(this.#wiring.clock.now()) % 2 ** this.#timerBits;
      case GPE0:
        return state.gpeStatus + state.gpeEnable * 0x1_0000;
      default:
        return 0;
    }
  }

  /** Writes the bits of `mask`. */
  #writeDword(offset: number, value: number, mask: number): void {
    const { state } = this;
    const enable = (old: number): number => ((old & ~(mask >>> 16)) | (value >>> 16)) & 0xffff;
    if (offset === PM1_EVENT) {
      this.#catchUp();
      state.pm1Status &= ~value;
      state.pm1Enable = enable(state.pm1Enable) & PM1_EVENTS;
      this.#armToggle();
    } else if (offset === PM1_CONTROL) this.#writeControl(value, mask);
    else if (offset === GPE0) {
      state.gpeStatus &= ~value;
      state.gpeEnable = enable(state.gpeEnable);
    }
  }

  // SCI_EN is the platform's, not the guest's; SLP_EN always reads as zero (ACPI 6.5 §4.8.3.2.1).
  #writeControl(value: number, mask: number): void {
    const writable = (BM_RLD | SLP_TYP) & mask;
    this.state.pm1Control = (this.state.pm1Control & ~writable) | (value & writable);
    if ((value & SLP_EN) === 0) return;
    const type = (this.state.pm1Control & SLP_TYP) >> SLP_TYP_SHIFT;
    if (type === (this.#config.s5SleepType ?? 5)) this.#config.powerOff();
    else this.#wiring.log.warnOnce(`acpi-pm.sleep.${type}`, `The guest asked for sleep type ${type}, which this machine does not have`);
  }

  #readSmi(offset: number): number {
    return offset === 0 ? this.state.smiCommand : this.state.smiStatus;
  }

  #writeSmi(offset: number, value: number): void {
    if (offset !== 0) {
      this.state.smiStatus = value & 0xff;
      return;
    }
    this.state.smiCommand = value & 0xff;
    const { smi } = this.#config;
    if (value === smi?.acpiEnable) this.state.pm1Control |= SCI_EN;
    else if (value === smi?.acpiDisable) this.state.pm1Control &= ~SCI_EN;
    this.#update();
  }

  #writeResetControl(value: number): void {
    const rises = (value & ~this.state.resetControl & RC_RCPU) !== 0;
    this.state.resetControl = value & (RC_SRHRE | RC_RCPU);
    if (rises) this.#config.reset();
  }

  #event(status: number): void {
    this.state.pm1Status |= status;
    this.#update();
  }

  #update(): void {
    const { pm1Status, pm1Enable, pm1Control, gpeStatus, gpeEnable } = this.state;
    const event = (pm1Status & pm1Enable & PM1_EVENTS) !== 0 || (gpeStatus & gpeEnable) !== 0;
    this.#sci.set(event && (pm1Control & SCI_EN) !== 0);
  }

  // The timer's status bit is set when its highest bit changes. While it is set there is nothing to wait for, so an idle guest that never clears
  // it costs the host nothing.

  #armToggle(): void {
    this.#toggle?.cancel();
    this.#toggle = null;
    this.#toggleAtNs = Number.POSITIVE_INFINITY;
    if ((this.state.pm1Status & TMR_STS) !== 0) return;
    this.#toggleAtNs = nextToggleNs(this.#wiring.clock.now(), this.#timerBits);
    this.#toggle = this.#wiring.clock.arm(this.#toggleAtNs, () => {
      this.#catchUp();
      this.#update();
    });
  }

  #catchUp(): void {
    if (this.#wiring.clock.now() < this.#toggleAtNs) return;
    this.state.pm1Status |= TMR_STS;
    this.#armToggle();
  }
}

/** ACPI fixed hardware in the PIIX4's layout. */
export const acpiPm: DeviceType<AcpiPmConfig, AcpiPmState, AcpiPm> = {
  kind: "acpi-pm",
  state: STATE,
  create: (config, wiring) => new AcpiPm(config, wiring),
};
