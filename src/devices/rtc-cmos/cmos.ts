// What a PC's firmware finds in the battery-backed RAM of the clock: sizes of memory, equipment, and a checksum over it.
// Offsets as in Ralf Brown's Interrupt List, file CMOS.LST, and as SeaBIOS reads them on QEMU's boards.
import { SIZE } from "./spec.ts";

/** The memory of the machine. */
export interface CmosConfig {
  /** Bytes of RAM below 4 GiB. */
  readonly lowMemory: number;
  /** Bytes of RAM from 4 GiB up; none unless given. */
  readonly highMemory?: number;
  /** Further bytes, [offset, value]; they win over those made from the sizes. */
  readonly bytes?: readonly (readonly [number, number])[];
}

const KIB = 1024;
const MIB = 1024 * KIB;
const UNIT = 64 * KIB;

const EQUIPMENT = 0x14;
const EQUIPMENT_FPU = 0x02;
const BASE_MEMORY = 0x15;
const EXTENDED_MEMORY = 0x17;
const CHECKED_FIRST = 0x10;
const CHECKED_LAST = 0x2d;
const CHECKSUM = 0x2e;
const EXTENDED_MEMORY_POST = 0x30;
const ABOVE_16_MIB = 0x34;
const ABOVE_4_GIB = 0x5b;

/** The RAM as firmware finds it. */
export function cmosImage({ lowMemory, highMemory = 0, bytes = [] }: CmosConfig): Uint8Array {
  const ram = new Uint8Array(SIZE);
  const extended = bounded((lowMemory - MIB) / KIB, 2);
  ram[EQUIPMENT] = EQUIPMENT_FPU;
  put(ram, BASE_MEMORY, Math.min(640, Math.floor(lowMemory / KIB)), 2);
  put(ram, EXTENDED_MEMORY, extended, 2);
  put(ram, EXTENDED_MEMORY_POST, extended, 2);
  put(ram, ABOVE_16_MIB, bounded((lowMemory - 16 * MIB) / UNIT, 2), 2);
  put(ram, ABOVE_4_GIB, bounded(highMemory / UNIT, 3), 3);
  for (const [offset, value] of bytes) ram[offset] = value;
  const sum = ram.subarray(CHECKED_FIRST, CHECKED_LAST + 1).reduce((total, byte) => total + byte, 0);
  ram[CHECKSUM] = sum >> 8;
  ram[CHECKSUM + 1] = sum & 0xff;
  return ram;
}

function bounded(value: number, length: number): number {
  return Math.max(0, Math.min(Math.floor(value), 2 ** (8 * length) - 1));
}

function put(ram: Uint8Array, offset: number, value: number, length: number): void {
  for (let index = 0; index < length; index++) ram[offset + index] = (value >>> (8 * index)) & 0xff;
}
