// The real-time clock of a PC/AT with its CMOS RAM: an MC146818A (or DS12887) behind ports 70h and 71h.
//
// The clock shows the host's wall clock plus an offset that the guest changes by setting the time. Flags of register C are brought up to date when
// somebody looks; a timer is armed only for an interrupt that is enabled and not pending yet, so unread interrupts never pile up. Left out: the
// square-wave pin and the daylight-saving rules of 1987 (DSE is kept as a bit).
import { byteWide } from "../../bus/byte-wide.ts";
import { boolean, bytes, codec, integer, record } from "../../support/schema.ts";
import type { Clock, Codec, Device, DeviceType, Line, PortRegion, Timer, Wiring } from "../device.ts";
import { loadTime, loadWeekdayShift, nextAlarm, storeTime, TIME_REGISTERS } from "./calendar.ts";
import { cmosImage, type CmosConfig } from "./cmos.ts";
import {
  A_UIP,
  B_24H,
  B_AIE,
  B_PIE,
  B_SET,
  B_SQWE,
  B_UIE,
  C_AF,
  C_IRQF,
  C_PF,
  C_UF,
  crystalAt,
  D_VRT,
  isDividerReset,
  NMI_MASK,
  nsOfCrystal,
  periodOf,
  REGISTER_A,
  REGISTER_B,
  REGISTER_C,
  REGISTER_D,
  RTC_BASE,
  SIZE,
  UPDATE_MS,
} from "./spec.ts";

/** What the clock and its RAM start with. */
export interface RtcConfig extends CmosConfig {
  /** Milliseconds by which the clock is ahead of UTC, for guests that expect local time; 0 unless given. */
  readonly offsetMs?: number;
}

/** Registers, RAM and the place in time up to which flags are accounted for. */
export interface RtcState {
  index: number;
  nmiMasked: boolean;
  /** The 128 bytes. Time registers in it count only while updates are halted; A is without UIP. */
  ram: Uint8Array;
  /** PF, AF and UF of register C. */
  flags: number;
  offsetMs: number;
  weekdayShift: number;
  /** The last second, since 1970, whose update has been seen. */
  second: number;
  /** The last period of the crystal that has been seen. */
  crystal: number;
}

const STATE: Codec<RtcState> = codec(
  "rtc-cmos",
  1,
  record<RtcState>({
    index: integer(0, SIZE - 1),
    nmiMasked: boolean,
    ram: bytes(SIZE),
    flags: integer(0, 0x7f),
    offsetMs: integer(-1e15, 1e15),
    weekdayShift: integer(0, 6),
    second: integer(-1e12, 1e12),
    crystal: integer(0, Number.MAX_SAFE_INTEGER),
  }),
);

// MC146818A datasheet, "Divider control": the first update comes half a second after the divider is released.
const AFTER_RELEASE_MS = 500;

// Wall-clock times carry rounding errors below this; a timer set this much later has surely passed its second.
const ROUNDING_NS = 1000;

/** An RTC. Lines: "irq" (IRQ 8) and "nmi-mask" (high while NMI is masked). */
export class RtcCmos implements Device<RtcState> {
  readonly ports: readonly PortRegion[];
  readonly #config: RtcConfig;
  readonly #clock: Clock;
  readonly #irq: Line;
  readonly #nmiMask: Line;
  readonly state: RtcState;
  #timer: Timer | undefined;

  constructor(config: RtcConfig, wiring: Wiring) {
    this.#config = config;
    this.#clock = wiring.clock;
    this.#irq = wiring.line("irq");
    this.#nmiMask = wiring.line("nmi-mask");
    this.ports = [
      {
        name: "rtc-cmos",
        base: RTC_BASE,
        length: 2,
        ...byteWide({
          // The index cannot be read back (82371SB datasheet, "RTCI—Real-Time Clock Index Register").
          readByte: (offset) => (offset === 0 ? 0xff : this.#read(this.state.index)),
          writeByte: (offset, value) => (offset === 0 ? this.#select(value) : this.#write(this.state.index, value)),
        }),
      },
    ];
    this.state = powerOn(config, this.#clock);
  }

  /** Power-on state, as if the battery had been changed: RAM from the configuration, time from the host. */
  reset(): void {
    Object.assign(this.state, powerOn(this.#config, this.#clock));
    this.resync();
  }

  /** The RESET pin: interrupts are disabled and forgotten; time and RAM go on (MC146818A datasheet, "RESET"). */
  resetPin(): void {
    this.#account();
    this.state.ram[REGISTER_B]! &= ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    this.state.flags = 0;
    this.#drive();
  }

  resync(): void {
    this.#nmiMask.set(this.state.nmiMasked);
    this.#drive();
  }

  #select(value: number): void {
    this.state.index = value & ~NMI_MASK;
    this.state.nmiMasked = (value & NMI_MASK) !== 0;
    this.#nmiMask.set(this.state.nmiMasked);
  }

  #read(register: number): number {
    const { ram } = this.state;
    if (register === REGISTER_A) return ram[REGISTER_A]! | (this.#isUpdating() ? A_UIP : 0);
    if (register === REGISTER_C) return this.#readFlags();
    if (register === REGISTER_D) return D_VRT;
    if (!this.#halted && TIME_REGISTERS.includes(register)) this.#storeTime();
    return ram[register]!;
  }

  #readFlags(): number {
    this.#account();
    const flags = this.state.flags | (this.#isPending() ? C_IRQF : 0);
    this.state.flags = 0;
    this.#drive();
    return flags;
  }

  #write(register: number, value: number): void {
    if (register === REGISTER_C || register === REGISTER_D) return;
    this.#account();
    if (register === REGISTER_A || register === REGISTER_B) this.#control(register, value);
    else if (TIME_REGISTERS.includes(register)) this.#writeTime(register, value);
    else this.state.ram[register] = value;
    this.#drive();
  }

  /** Registers A and B, which halt and release the updates. */
  #control(register: number, value: number): void {
    const { ram } = this.state;
    const before = ram[register]!;
    if (!this.#halted) this.#storeTime();
    const wasHalted = this.#halted;
    ram[register] = register === REGISTER_A ? value & ~A_UIP : value;
    // MC146818A datasheet, "UIE": cleared when SET goes high.
    if (register === REGISTER_B && (value & ~before & B_SET) !== 0) ram[REGISTER_B]! &= ~B_UIE;
    if (wasHalted && !this.#halted) this.#loadTime(register === REGISTER_A);
  }

  #writeTime(register: number, value: number): void {
    if (!this.#halted) this.#storeTime();
    this.state.ram[register] = value;
    if (!this.#halted) this.#loadTime(false);
  }

  /** The clock goes on from its registers; the fraction of the second stays unless the divider was reset. */
  #loadTime(dividerReleased: boolean): void {
    const { ram, offsetMs } = this.state;
    const seconds = loadTime(ram, ram[REGISTER_B]!);
    const shift = (seconds - this.#second()) * 1000;
    this.state.offsetMs = dividerReleased ? Math.round(seconds * 1000 + AFTER_RELEASE_MS - this.#clock.wallClockMs()) : offsetMs + shift;
    this.state.weekdayShift = loadWeekdayShift(ram, ram[REGISTER_B]!, seconds);
    this.state.second = this.#second();
  }

  #storeTime(): void {
    const { ram, weekdayShift } = this.state;
    storeTime(ram, ram[REGISTER_B]!, this.#second(), weekdayShift);
  }

  get #halted(): boolean {
    const { ram } = this.state;
    return (ram[REGISTER_B]! & B_SET) !== 0 || isDividerReset(ram[REGISTER_A]!);
  }

  #ms(): number {
    return this.#clock.wallClockMs() + this.state.offsetMs;
  }

  /** The second that the clock shows; it begins as the update cycle ends. */
  #second(): number {
    return Math.floor(this.#ms() / 1000);
  }

  #isUpdating(): boolean {
    return !this.#halted && (this.#second() + 1) * 1000 - this.#ms() <= UPDATE_MS;
  }

  #isPending(): boolean {
    return (this.state.flags & this.state.ram[REGISTER_B]! & (C_PF | C_AF | C_UF)) !== 0;
  }

  /** Sets the flags of all that has happened since the last look. */
  #account(): void {
    const { state } = this;
    const crystal = crystalAt(this.#clock.now());
    const period = periodOf(state.ram[REGISTER_A]!);
    if (period > 0 && Math.floor(crystal / period) > Math.floor(state.crystal / period)) state.flags |= C_PF;
    state.crystal = crystal;
    const second = this.#second();
    if (!this.#halted && second > state.second) {
      state.flags |= C_UF;
      const alarm = nextAlarm(state.ram, state.ram[REGISTER_B]!, state.second);
      if (alarm !== null && alarm <= second) state.flags |= C_AF;
    }
    state.second = second;
  }

  #drive(): void {
    this.#irq.set(this.#isPending());
    this.#timer?.cancel();
    const at = this.#isPending() ? Number.POSITIVE_INFINITY : this.#nextInterrupt();
    this.#timer = at === Number.POSITIVE_INFINITY ? undefined : this.#clock.arm(at, () => this.#wake());
  }

  #wake(): void {
    this.#account();
    this.#drive();
  }

  /** When the next enabled interrupt is due, in ns; Infinity when none is. */
  #nextInterrupt(): number {
    const { ram, crystal, second } = this.state;
    const enabled = ram[REGISTER_B]!;
    const due: number[] = [];
    const period = periodOf(ram[REGISTER_A]!);
    if ((enabled & B_PIE) !== 0 && period > 0) due.push(nsOfCrystal((Math.floor(crystal / period) + 1) * period));
    if (!this.#halted && (enabled & B_UIE) !== 0) due.push(this.#nsOf(second + 1));
    const alarm = !this.#halted && (enabled & B_AIE) !== 0 ? nextAlarm(ram, enabled, second) : null;
    if (alarm !== null) due.push(this.#nsOf(alarm));
    return Math.min(...due);
  }

  #nsOf(second: number): number {
    return this.#clock.now() + Math.max(0, second * 1000 - this.#ms()) * 1e6 + ROUNDING_NS;
  }
}

function powerOn(config: RtcConfig, clock: Clock): RtcState {
  const { offsetMs = 0 } = config;
  const ram = cmosImage(config);
  // As firmware leaves them: 32.768 kHz, 1024 Hz, BCD, 24 hours.
  ram[REGISTER_A] = 0x26;
  ram[REGISTER_B] = B_24H;
  const second = Math.floor((clock.wallClockMs() + offsetMs) / 1000);
  return { index: 0, nmiMasked: false, ram, flags: 0, offsetMs, weekdayShift: 0, second, crystal: crystalAt(clock.now()) };
}

/** The real-time clock and CMOS RAM. */
export const rtcCmos: DeviceType<RtcConfig, RtcState, RtcCmos> = {
  kind: "rtc-cmos",
  state: STATE,
  create: (config, wiring) => new RtcCmos(config, wiring),
};
