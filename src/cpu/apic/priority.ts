// The 256-bit registers IRR, ISR and TMR, and the priorities made from them. All work on the local APIC's array of registers and allocate nothing.
import { REG } from "./registers.ts";

/** The first register of a 256-bit set. */
export type VectorSet = typeof REG.IRR | typeof REG.ISR | typeof REG.TMR;

/** Whether a set holds a vector. */
export function hasVector(registers: Uint32Array, set: VectorSet, vector: number): boolean {
  return ((registers[set + (vector >>> 5)]! >>> (vector & 31)) & 1) !== 0;
}

/** Puts a vector into a set. */
export function addVector(registers: Uint32Array, set: VectorSet, vector: number): void {
  registers[set + (vector >>> 5)]! |= 1 << (vector & 31);
}

/** Takes a vector out of a set. */
export function removeVector(registers: Uint32Array, set: VectorSet, vector: number): void {
  registers[set + (vector >>> 5)]! &= ~(1 << (vector & 31));
}

/** The highest vector of a set, or -1 when it is empty. */
export function highestVector(registers: Uint32Array, set: VectorSet): number {
  for (let word = 7; word >= 0; word--) {
    const bits = registers[set + word]!;
    if (bits !== 0) return word * 32 + 31 - Math.clz32(bits);
  }
  return -1;
}

/** Processor priority: the higher of the task priority and the class in service (SDM 3A §11.8.3.1). */
export function processorPriority(registers: Uint32Array): number {
  const task = registers[REG.TPR]!;
  const inService = Math.max(highestVector(registers, REG.ISR), 0) & 0xf0;
  return (task & 0xf0) >= inService ? task : inService;
}

/** Arbitration priority, by which lowest-priority delivery chooses (SDM 3A §11.6.2.4). */
export function arbitrationPriority(registers: Uint32Array): number {
  const task = registers[REG.TPR]!;
  const requested = Math.max(highestVector(registers, REG.IRR), 0) & 0xf0;
  const inService = Math.max(highestVector(registers, REG.ISR), 0) & 0xf0;
  if ((task & 0xf0) >= requested && (task & 0xf0) > inService) return task;
  return Math.max(task & 0xf0 & inService, requested);
}

/** The vector the processor should take now, or -1: the highest request above the processor's priority class. */
export function deliverableVector(registers: Uint32Array): number {
  const vector = highestVector(registers, REG.IRR);
  return vector >= 0 && vector >>> 4 > processorPriority(registers) >>> 4 ? vector : -1;
}
