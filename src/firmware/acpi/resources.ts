// Resource descriptors for _CRS (ACPI 6.5 §6.4).
import { assert } from "../../support/assert.ts";
import { ByteWriter } from "../byte-writer.ts";
import { buffer, type Aml } from "./aml.ts";

const ADDRESS_MEMORY = 0;
const ADDRESS_IO = 1;
const ADDRESS_BUS = 2;

/** General flags: minimum and maximum are fixed, positive decode, resource producer (ACPI 6.5 table 6.51). */
const FIXED_WINDOW = 0x0c;
/** I/O type-specific flags: the window passes ISA and non-ISA addresses. */
const ENTIRE_RANGE = 0x03;
const READ_WRITE = 0x01;
const CACHEABLE = 0x02;

/** A template in a Buffer: the descriptors and an end tag whose zero checksum means "not checked" (ACPI 6.5 §6.4.2.9). */
export function resourceTemplate(descriptors: readonly Aml[]): Aml {
  return buffer([...descriptors.flat(), 0x79, 0]);
}

/** Fixed I/O ports with 16-bit decoding. */
export function ioPorts(base: number, length: number): Aml {
  assert(length < 256 && base + length <= 0x1_0000, "I/O descriptor range");
  return Array.from(new ByteWriter().u8(0x47).u8(1).u16(base).u16(base).u8(1).u8(length).finish());
}

/** One edge-triggered, active-high ISA interrupt. */
export function isaIrq(irq: number): Aml {
  assert(irq < 16, "ISA interrupt number");
  return Array.from(
    new ByteWriter()
      .u8(0x22)
      .u16(1 << irq)
      .finish(),
  );
}

/** A fixed range of memory below 4 GiB that the device reads and writes. */
export function memory32Fixed(base: number, length: number): Aml {
  return Array.from(new ByteWriter().u8(0x86).u16(9).u8(READ_WRITE).u32(base).u32(length).finish());
}

/** One global system interrupt: level-triggered, active-high, exclusive, for a device that consumes it. */
export function levelInterrupt(gsi: number): Aml {
  return Array.from(new ByteWriter().u8(0x89).u16(6).u8(0x01).u8(1).u32(gsi).finish());
}

/** The bus numbers behind a host bridge. */
export function wordBusNumber(first: number, last: number): Aml {
  const w = new ByteWriter().u8(0x88).u16(13).u8(ADDRESS_BUS).u8(FIXED_WINDOW).u8(0);
  return Array.from(
    w
      .u16(0)
      .u16(first)
      .u16(last)
      .u16(0)
      .u16(last - first + 1)
      .finish(),
  );
}

/** I/O ports that a host bridge passes on. */
export function wordIo(base: number, length: number): Aml {
  const w = new ByteWriter().u8(0x88).u16(13).u8(ADDRESS_IO).u8(FIXED_WINDOW).u8(ENTIRE_RANGE);
  return Array.from(
    w
      .u16(0)
      .u16(base)
      .u16(base + length - 1)
      .u16(0)
      .u16(length)
      .finish(),
  );
}

/** Memory below 4 GiB that a host bridge passes on. */
export function dwordMemory(base: number, length: number, cacheable = false): Aml {
  assert(base + length <= 0x1_0000_0000, "DWordMemory window lies below 4 GiB");
  const w = new ByteWriter()
    .u8(0x87)
    .u16(23)
    .u8(ADDRESS_MEMORY)
    .u8(FIXED_WINDOW)
    .u8(READ_WRITE | (cacheable ? CACHEABLE : 0));
  return Array.from(
    w
      .u32(0)
      .u32(base)
      .u32(base + length - 1)
      .u32(0)
      .u32(length)
      .finish(),
  );
}

/** Memory above 4 GiB that a host bridge passes on. */
export function qwordMemory(base: number, length: number): Aml {
  const w = new ByteWriter().u8(0x8a).u16(43).u8(ADDRESS_MEMORY).u8(FIXED_WINDOW).u8(READ_WRITE);
  return Array.from(
    w
      .u64(0)
      .u64(base)
      .u64(base + length - 1)
      .u64(0)
      .u64(length)
      .finish(),
  );
}
