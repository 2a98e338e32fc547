// A platform description with one of everything, for tests of the tables and the loaders.
import type { PlatformDescription } from "./platform.ts";

/** A two-processor PC with PCI, two serial ports, i8042, VGA and two virtio-mmio devices. */
export const EXAMPLE_PLATFORM: PlatformDescription = {
  apicIds: [0, 1],
  localApicBase: 0xfee0_0000,
  ioApic: { id: 2, base: 0xfec0_0000, gsiBase: 0 },
  power: {
    pm1aEvent: 0x600,
    pm1aControl: 0x604,
    timer: 0x608,
    timerBits: 24,
    gpe0: { base: 0xafe0, length: 4 },
    s5SleepType: 5,
    sci: { irq: 9, polarity: "high" },
    reset: { port: 0xcf9, value: 6 },
  },
  serialPorts: [
    { port: 0x3f8, irq: 4 },
    { port: 0x2f8, irq: 3 },
  ],
  virtioMmio: [
    { base: 0xfeb0_0000, length: 0x200, gsi: 20 },
    { base: 0xfeb0_0200, length: 0x200, gsi: 21 },
  ],
  pci: {
    lastBus: 0xff,
    ioWindows: [
      { base: 0, length: 0xcf8 },
      { base: 0xd00, length: 0xf300 },
    ],
    memoryWindows: [
      { base: 0xc000_0000, length: 0x3000_0000 },
      { base: 0x80_0000_0000, length: 0x40_0000_0000 },
    ],
    intxGsis: [16, 17, 18, 19],
    intxIrqs: [10, 11, 10, 11],
  },
  rtc: true,
  keyboard: true,
  mouse: true,
  vga: true,
  system: {
    manufacturer: "Nido",
    product: "Example",
    version: "1",
    serial: "",
    uuid: Uint8Array.from({ length: 16 }, (_, index) => index + 1),
  },
};
