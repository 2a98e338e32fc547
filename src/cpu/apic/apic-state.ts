// What a local APIC remembers, and how it is saved.
import { VmError } from "../../support/errors.ts";
import { boolean, bytes, codec, integer, oneOf, record, u8, type Codec } from "../../support/schema.ts";
import {
  DEFAULT_BASE,
  LVT_DELIVERY_SHIFT,
  LVT_MASKED,
  LVT_REGISTERS,
  LVT_REMOTE_IRR,
  REG,
  REGISTER_COUNT,
  SVR_ENABLE,
  WRITABLE,
} from "./registers.ts";
import { idleTimer, TIMER_STATE, type ApicTimerState } from "./timer.ts";

/** IA32_APIC_BASE's EN and EXTD: 00, 10 and 11. */
export type ApicMode = "disabled" | "xapic" | "x2apic";

/** All guest-visible state of a local APIC. */
export interface LocalApicState {
  /** The registers by index, 32 bits each, little-endian; those that are computed when read are zero here. */
  registers: Uint8Array;
  mode: ApicMode;
  /** Guest-physical address of the register page. */
  base: number;
  /** IA32_APIC_BASE.BSP, which software may change. */
  bootstrap: boolean;
  /** In the wait-for-SIPI state. */
  waitingForStartUp: boolean;
  /** An ExtINT message waits for its INTA cycle. */
  externalInterrupt: boolean;
  /** Errors detected since ESR was last written. */
  errors: number;
  /** Levels of the LINT0 and LINT1 pins. */
  lint0: boolean;
  lint1: boolean;
  timer: ApicTimerState;
}

/** How a local APIC is saved. */
export const LOCAL_APIC_STATE: Codec<LocalApicState> = codec(
  "local-apic",
  1,
  record<LocalApicState>({
    registers: bytes(REGISTER_COUNT * 4),
    mode: oneOf<ApicMode>("disabled", "xapic", "x2apic"),
    base: integer(0, Number.MAX_SAFE_INTEGER),
    bootstrap: boolean,
    waitingForStartUp: boolean,
    externalInterrupt: boolean,
    errors: u8,
    lint0: boolean,
    lint1: boolean,
    timer: TIMER_STATE,
  }),
);

/** Registers as 32-bit words over the bytes that are saved. */
export function words(registers: Uint8Array): Uint32Array {
  return new Uint32Array(registers.buffer, registers.byteOffset, REGISTER_COUNT);
}

/** Registers after power-on and INIT (SDM 3A §11.4.7.1): all zero but for masks, the spurious vector and the flat destination format. */
export function powerOnRegisters(registers: Uint32Array): void {
  registers.fill(0);
  for (const index of LVT_REGISTERS) registers[index] = LVT_MASKED;
  registers[REG.SVR] = 0xff;
  registers[REG.DFR] = 0xffff_ffff;
}

/** State after power-on: xAPIC mode, software-disabled; all but the bootstrap processor wait for a start-up message. */
export function powerOnState(bootstrap: boolean): LocalApicState {
  const registers = new Uint8Array(REGISTER_COUNT * 4);
  powerOnRegisters(words(registers));
  return {
    registers,
    mode: "xapic",
    base: DEFAULT_BASE,
    bootstrap,
    waitingForStartUp: !bootstrap,
    externalInterrupt: false,
    errors: 0,
    lint0: false,
    lint1: false,
    timer: idleTimer(),
  };
}

/** Bits a register can hold although software cannot set them. */
const HELD: Readonly<Record<number, number>> = {
  [REG.DFR]: 0xffff_ffff,
  [REG.ESR]: 0xff,
  [REG.ICR_HIGH]: 0xffff_ffff,
  [REG.LVT_LINT0]: LVT_REMOTE_IRR,
};

function possible(index: number): number {
  // IRR, ISR and TMR; vectors 0 to 15 never get there (SDM 3A §11.5.2).
  if (index >= REG.ISR && index < REG.ESR) return (index & 7) === 0 ? 0xffff_0000 : 0xffff_ffff;
  return WRITABLE[index]! | (HELD[index] ?? 0);
}

/** Throws VmError STATE_INVALID when the state is one that no local APIC can be in at time `nowNs`. */
export function checkState(state: LocalApicState, nowNs: number): void {
  const registers = words(state.registers);
  const refuse = (field: string): never => {
    throw new VmError("STATE_INVALID", `Cannot restore local-apic: ${field} holds a value that no guest can bring about`, {
      data: { unit: "local-apic", field },
    });
  };
  registers.forEach((value, index) => {
    if ((value & ~possible(index)) !== 0) refuse(`register ${index.toString(16)}h`);
  });
  const disabled = (registers[REG.SVR]! & SVR_ENABLE) === 0;
  if (disabled && LVT_REGISTERS.some((index) => (registers[index]! & LVT_MASKED) === 0))
    refuse("an unmasked local vector of a disabled APIC");
  if (state.base % 0x1000 !== 0) refuse("base");
  if (state.timer.sinceNs < 0 || state.timer.sinceNs > nowNs) refuse("timer.sinceNs");
}

/** The delivery mode of a local vector table entry. */
export function lvtDelivery(entry: number): number {
  return (entry >>> LVT_DELIVERY_SHIFT) & 7;
}
