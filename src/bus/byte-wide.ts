// Registers of ISA devices are bytes: the bridge turns a wider access into byte cycles, lowest address first
// (82371SB datasheet, "ISA Interface").
import type { IoHandler } from "./region.ts";

/** A device's registers, one byte each. */
export interface ByteRegisters {
  readByte(offset: number): number;
  writeByte(offset: number, value: number): void;
}

/** An IoHandler that reaches byte registers one at a time, whatever the width of the access. */
export function byteWide(registers: ByteRegisters): IoHandler {
  return {
    read: (offset, width) => {
      let value = registers.readByte(offset);
      for (let index = 1; index < width; index++) value += registers.readByte(offset + index) * 2 ** (8 * index);
      return value;
    },
    write: (offset, width, value) => {
      for (let index = 0; index < width; index++) registers.writeByte(offset + index, (value >>> (8 * index)) & 0xff);
    },
  };
}
