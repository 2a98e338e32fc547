// What a bus carries: registers at a place, accessed one, two or four bytes at a time.

/** Width of a register access in bytes. The bus splits 8-byte accesses into two of 4, low half first. */
export type Width = 1 | 2 | 4;

/** Port or memory-mapped registers. Offsets are relative to the region. Guest mistakes are answered, never thrown. */
export interface IoHandler {
  read(offset: number, width: Width): number;
  write(offset: number, width: Width, value: number): void;
}

/** Registers in the 64 Ki I/O port space. */
export interface PortRegion extends IoHandler {
  readonly name: string;
  readonly base: number;
  readonly length: number;
}

/** Registers in guest-physical memory space; `base` is a guest-physical address. */
export interface MmioRegion extends IoHandler {
  readonly name: string;
  readonly base: number;
  readonly length: number;
}

/** All-ones for the access width: what an undriven bus reads as. */
export const FLOAT: Readonly<Record<Width, number>> = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff };
