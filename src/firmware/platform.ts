// What a board tells the firmware about itself: everything the ACPI and SMBIOS tables need, as plain data.
import type { Gpa } from "../memory/gpa.ts";

/** A range of I/O ports or memory addresses. */
export interface AddressWindow {
  readonly base: number;
  readonly length: number;
}

/** Power-management registers (ACPI 6.5 §4.8), as I/O port numbers. */
export interface PowerManagement {
  /** PM1a event block: status and enable, 2 bytes each. */
  readonly pm1aEvent: number;
  /** PM1a control register, 2 bytes. SCI_EN must read as one unless `smi` is given. */
  readonly pm1aControl: number;
  /** The PM timer, 4 bytes. */
  readonly timer: number;
  readonly timerBits: 24 | 32;
  /** General-purpose event block 0; `length` counts status and enable bytes together. */
  readonly gpe0?: AddressWindow;
  /** Legacy mode and the way out of it; absent = the machine is always in ACPI mode. */
  readonly smi?: { readonly port: number; readonly acpiEnable: number; readonly acpiDisable: number };
  /** SLP_TYP value that powers off (the \_S5 package). */
  readonly s5SleepType: number;
  /** The system control interrupt, an ISA interrupt number below 16. */
  readonly sci: { readonly irq: number; readonly polarity: "high" | "low" };
  /** Port and value that reset the machine, such as CF9h and 6. */
  readonly reset: { readonly port: number; readonly value: number };
}

/** A PCI host bridge with configuration mechanism 1. */
export interface PciHost {
  readonly lastBus: number;
  /** Port ranges routed to the bus, without CF8h–CFFh. */
  readonly ioWindows: readonly AddressWindow[];
  /** Memory ranges routed to the bus, each wholly below or wholly above 4 GiB. */
  readonly memoryWindows: readonly AddressWindow[];
  /**
   * Base of memory-mapped configuration space, 1 MiB a bus from bus 0, below 4 GiB and outside the windows. Without it Linux
   * warns that it "can't access extended PCI configuration space".
   */
  readonly ecam?: Gpa;
  /** Device d's pin p (0 = INTA#) arrives at gsis[(d + p) mod gsis.length]. */
  readonly intxGsis: readonly number[];
  /** The same for a guest that runs the 8259 pair instead of the IO-APIC: ISA interrupt numbers. */
  readonly intxIrqs?: readonly number[];
}

/** A 16550 at its ISA port and interrupt. */
export interface SerialPort {
  readonly port: number;
  readonly irq: number;
}

/** A virtio device on the memory-mapped transport. */
export interface VirtioMmio {
  readonly base: Gpa;
  readonly length: number;
  readonly gsi: number;
}

/** How the machine presents itself to people (SMBIOS). */
export interface SystemIdentity {
  readonly manufacturer: string;
  readonly product: string;
  readonly version: string;
  readonly serial: string;
  /** 16 bytes in RFC 4122 order. */
  readonly uuid: Uint8Array;
}

/** The board, as the firmware tables describe it. */
export interface PlatformDescription {
  /** Local APIC identifiers, the boot processor's first. */
  readonly apicIds: readonly number[];
  readonly localApicBase: Gpa;
  readonly ioApic: { readonly id: number; readonly base: Gpa; readonly gsiBase: number };
  readonly power: PowerManagement;
  readonly serialPorts: readonly SerialPort[];
  readonly virtioMmio: readonly VirtioMmio[];
  readonly pci?: PciHost;
  /** An MC146818 at ports 70h–71h, interrupt 8, with its century byte at CMOS 32h. */
  readonly rtc: boolean;
  /** An i8042 with a keyboard at ports 60h and 64h, interrupt 1; only its reset line does not count. */
  readonly keyboard: boolean;
  /** A PS/2 mouse at the same i8042, interrupt 12. */
  readonly mouse: boolean;
  /** A VGA with text mode and memory at A0000h. */
  readonly vga: boolean;
  readonly system: SystemIdentity;
}
