// Differentiated System Description Table: the devices an OS cannot find by itself.
import { FOUR_GIB } from "../../memory/gpa.ts";
import type { PciHost, PlatformDescription, SerialPort, VirtioMmio } from "../platform.ts";
import { ARG0, device, eisaId, integer, method, name, packageOf, path, returns, scope, store, string, when, type Aml } from "./aml.ts";
import {
  dwordMemory,
  ioPorts,
  isaIrq,
  levelInterrupt,
  memory32Fixed,
  qwordMemory,
  resourceTemplate,
  wordBusNumber,
  wordIo,
} from "./resources.ts";
import { systemTable } from "./table.ts";

const PCI_DEVICES = 32;
const PCI_PINS = 4;
const CONFIGURATION_BYTES_PER_BUS = 0x10_0000;
const VGA_MEMORY = 0xa_0000;
const VGA_MEMORY_BYTES = 0x2_0000;

/** `\_S5`: SLP_TYPa, SLP_TYPb and two reserved elements (ACPI 6.5 §7.4.2). */
function sleepStates(platform: PlatformDescription): Aml {
  const type = integer(platform.power.s5SleepType);
  return name("\\_S5", packageOf([type, type, integer(0), integer(0)]));
}

function processors(platform: PlatformDescription): Aml[] {
  return platform.apicIds.map((_, uid) =>
    device(`C${uid.toString(16).toUpperCase().padStart(3, "0")}`, [name("_HID", string("ACPI0007")), name("_UID", integer(uid))]),
  );
}

function isaDevice(label: string, id: string, uid: number, resources: readonly Aml[]): Aml {
  return device(label, [name("_HID", eisaId(id)), name("_UID", integer(uid)), name("_CRS", resourceTemplate(resources))]);
}

function serialPort({ port, irq }: SerialPort, index: number): Aml {
  return isaDevice(`COM${index + 1}`, "PNP0501", index + 1, [ioPorts(port, 8), isaIrq(irq)]);
}

function isaDevices(platform: PlatformDescription): Aml[] {
  const devices = platform.serialPorts.map(serialPort);
  if (platform.rtc) devices.push(isaDevice("RTC", "PNP0B00", 0, [ioPorts(0x70, 2), isaIrq(8)]));
  if (platform.keyboard) devices.push(isaDevice("KBD", "PNP0303", 0, [ioPorts(0x60, 1), ioPorts(0x64, 1), isaIrq(1)]));
  if (platform.mouse) devices.push(isaDevice("MOU", "PNP0F13", 0, [isaIrq(12)]));
  return devices;
}

/** LNRO0005 is the identifier under which guests look for virtio over MMIO (Linux virtio_mmio, EDK II). */
function virtioDevice({ base, length, gsi }: VirtioMmio, index: number): Aml {
  return device(`VR${index.toString(16).toUpperCase().padStart(2, "0")}`, [
    name("_HID", string("LNRO0005")),
    name("_UID", integer(index)),
    name("_CCA", integer(1)),
    name("_CRS", resourceTemplate([memory32Fixed(base, length), levelInterrupt(gsi)])),
  ]);
}

/** A routing table without link devices: address, pin, zero, global system interrupt (ACPI 6.5 §6.2.13). */
function routing(interrupts: readonly number[]): Aml {
  const rows: Aml[] = [];
  for (let slot = 0; slot < PCI_DEVICES; slot++) {
    for (let pin = 0; pin < PCI_PINS; pin++) {
      const gsi = interrupts[(slot + pin) % interrupts.length] ?? 0;
      rows.push(packageOf([integer(slot * 0x1_0000 + 0xffff), integer(pin), integer(0), integer(gsi)]));
    }
  }
  return packageOf(rows);
}

/** `_PRT`, answering for the interrupt controller the guest chose with `\_PIC` (ACPI 6.5 §5.8.1). */
function interruptRouting(pci: PciHost): Aml[] {
  if (pci.intxIrqs === undefined) return [name("_PRT", routing(pci.intxGsis))];
  return [
    name("PRTP", routing(pci.intxIrqs)),
    name("PRTA", routing(pci.intxGsis)),
    method("_PRT", 0, [when(path("\\PICF"), [returns(path("PRTA"))]), returns(path("PRTP"))]),
  ];
}

function hostBridge(pci: PciHost, vga: boolean): Aml {
  const memory = pci.memoryWindows.map(({ base, length }) => (base < FOUR_GIB ? dwordMemory(base, length) : qwordMemory(base, length)));
  return device("PCI0", [
    name("_HID", eisaId("PNP0A03")),
    name("_UID", integer(0)),
    name("_BBN", integer(0)),
    name(
      "_CRS",
      resourceTemplate([
        wordBusNumber(0, pci.lastBus),
        ioPorts(0xcf8, 8),
        ...pci.ioWindows.map(({ base, length }) => wordIo(base, length)),
        ...(vga ? [dwordMemory(VGA_MEMORY, VGA_MEMORY_BYTES, true)] : []),
        ...memory,
      ]),
    ),
    ...interruptRouting(pci),
  ]);
}

/** Motherboard resources: an OS trusts an MCFG only when a device reserves what it describes (PCI FW 3.2 §4.1.2). */
function reservedConfigurationSpace({ ecam, lastBus }: PciHost): Aml[] {
  return ecam === undefined ? [] : [isaDevice("MBRD", "PNP0C02", 0, [memory32Fixed(ecam, (lastBus + 1) * CONFIGURATION_BYTES_PER_BUS)])];
}

/** The DSDT of a platform. Revision 2 makes AML integers 64 bits wide. */
export function dsdt(platform: PlatformDescription): Uint8Array {
  const { pci } = platform;
  const picMode = pci?.intxIrqs === undefined ? [] : [name("\\PICF", integer(0)), method("\\_PIC", 1, [store(ARG0, path("\\PICF"))])];
  const system = scope("\\_SB", [
    ...processors(platform),
    ...(pci === undefined ? [] : [hostBridge(pci, platform.vga), ...reservedConfigurationSpace(pci)]),
    ...isaDevices(platform),
    ...platform.virtioMmio.map(virtioDevice),
  ]);
  return systemTable("DSDT", 2, [...sleepStates(platform), ...picMode.flat(), ...system]);
}
