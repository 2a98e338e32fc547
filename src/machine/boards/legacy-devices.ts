// What every PC has beside its interrupt controllers, and where: timer, clock, keyboard controller, serial line, power management.
import { lineTo, type Line } from "../../bus/line.ts";
import { acpiPm, type AcpiPm } from "../../devices/acpi-pm/index.ts";
import {
  DEFAULT_BASE as PM_BASE,
  GPE0,
  GPE0_BYTES,
  PM1_CONTROL,
  PM1_EVENT,
  PM_TIMER,
  RC_RCPU,
  RC_SRHRE,
  RESET_CONTROL,
} from "../../devices/acpi-pm/spec.ts";
import type { PortRegion } from "../../devices/device.ts";
import { debugcon } from "../../devices/debugcon/index.ts";
import { i8042 } from "../../devices/i8042/index.ts";
import { isaDebugExit } from "../../devices/isa-debug-exit/index.ts";
import { pit8254, type Pit8254 } from "../../devices/pit8254/index.ts";
import { rtcCmos } from "../../devices/rtc-cmos/index.ts";
import { serial16550, type Serial16550 } from "../../devices/serial16550/index.ts";
import { COM1 } from "../../devices/serial16550/spec.ts";
import { systemControl } from "../../devices/system-control/index.ts";
import type { PlatformDescription, PowerManagement } from "../../firmware/platform.ts";
import type { BoardRequest } from "./board.ts";
import type { Chassis } from "./chassis.ts";
import { IO_APIC_BASE, IO_APIC_ID, LOCAL_APIC_BASE, type InterruptControllers } from "./interrupt-controllers.ts";

/** ISA interrupts of a PC/AT. */
export const IRQ = { timer: 0, keyboard: 1, com1: 4, rtc: 8, sci: 9, mouse: 12, fpu: 13 } as const;

const S5 = 5;
const TIMER_BITS = 32;

/** The devices that others are connected to. */
export interface LegacyDevices {
  readonly serial: Serial16550;
  readonly power: AcpiPm;
}

/** In what boards differ. */
export interface LegacyOptions {
  /** Whether a keyboard hangs on the i8042; its reset line is there in any case. */
  readonly keyboard: boolean;
  /** Port of the reset control register; null leaves CF9h to a PCI host. */
  readonly resetPort: number | null;
}

/** Plugs them in. */
export function plugLegacyDevices(
  chassis: Chassis,
  interrupts: InterruptControllers,
  request: BoardRequest,
  { keyboard, resetPort }: LegacyOptions,
): LegacyDevices {
  const { events, memory } = request;
  const reset = lineTo((level) => void (level && events.reset()));
  const pit = chassis.plug("pit", pit8254, {}, { irq: interrupts.isa(IRQ.timer) });
  // A20 is not modelled: the processor always has all address lines, as after any boot loader. The two gates drive nothing.
  chassis.plug("system-control", systemControl, { out2: () => pit.out(2) }, { gate2: gate(pit), reset });
  chassis.plug("i8042", i8042, { keyboard }, { irq1: interrupts.isa(IRQ.keyboard), irq12: interrupts.isa(IRQ.mouse), reset });
  chassis.plug("rtc", rtcCmos, { lowMemory: memory.lowSize, highMemory: memory.highSize }, { irq: interrupts.isa(IRQ.rtc) });
  const power = chassis.plug(
    "power",
    acpiPm,
    { timerBits: TIMER_BITS, s5SleepType: S5, resetPort, powerOff: () => events.powerOff(), reset: () => events.reset() },
    { sci: interrupts.isa(IRQ.sci) },
  );
  plugOptional(chassis, request);
  chassis.ports.claim(POST_CODES);
  return { serial: plugSerial(chassis, interrupts, request), power };
}

/** Where firmware shows how far it got, on a board with a display for it; kernels write there to let a microsecond pass. */
const POST_CODES: PortRegion = { name: "post-codes", base: 0x80, length: 1, read: () => 0xff, write: () => {} };

function gate(pit: Pit8254): Line {
  return lineTo((level) => pit.setGate(2, level));
}

// Hardware flow control keeps what a pipe sends before the guest listens.
function plugSerial(chassis: Chassis, interrupts: InterruptControllers, { events }: BoardRequest): Serial16550 {
  const config = {
    hardwareFlow: true,
    transmit: (byte: number): void => events.serialOut(byte),
    room: (): void => events.serialRoom(),
  };
  return chassis.plug("serial0", serial16550, config, { irq: interrupts.isa(IRQ.com1) });
}

function plugOptional(chassis: Chassis, { devices, events }: BoardRequest): void {
  if (devices.includes("debugcon")) chassis.plug("debugcon", debugcon, { sink: (byte) => events.debugOut(byte) });
  if (devices.includes("isa-debug-exit")) chassis.plug("isa-debug-exit", isaDebugExit, { exit: (value) => events.debugExit(value) });
}

/** What firmware says of them. */
export const LEGACY_PLATFORM: Omit<PlatformDescription, "system" | "virtioMmio" | "pci" | "keyboard" | "mouse"> = {
  apicIds: [0],
  localApicBase: LOCAL_APIC_BASE,
  ioApic: { id: IO_APIC_ID, base: IO_APIC_BASE, gsiBase: 0 },
  power: powerManagement(),
  serialPorts: [{ port: COM1, irq: IRQ.com1 }],
  rtc: true,
  vga: false,
};

function powerManagement(): PowerManagement {
  return {
    pm1aEvent: PM_BASE + PM1_EVENT,
    pm1aControl: PM_BASE + PM1_CONTROL,
    timer: PM_BASE + PM_TIMER,
    timerBits: TIMER_BITS,
    gpe0: { base: PM_BASE + GPE0, length: GPE0_BYTES },
    s5SleepType: S5,
    sci: { irq: IRQ.sci, polarity: "high" },
    reset: { port: RESET_CONTROL, value: RC_RCPU | RC_SRHRE },
  };
}
