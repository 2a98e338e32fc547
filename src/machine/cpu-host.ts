// The processor's door to the board: ports, memory-mapped registers, the local APIC's page and MSRs, time and random numbers.
import type { CpuHost } from "../cpu/engine/engine.ts";
import type { Line } from "../bus/line.ts";
import type { Clock } from "../devices/device.ts";
import type { Board } from "./boards/index.ts";
import { IRQ } from "./boards/legacy-devices.ts";

const APIC_PAGE = 0x1000;
const RANDOM_BYTES = 512;

/** What the processor gets from elsewhere than its board. */
export interface CpuHostParts {
  readonly clock: Clock;
  readonly fillRandom: (into: Uint8Array) => void;
  /** Told of every interrupt that the processor accepts. */
  readonly interruptAccepted: () => void;
  /** Told when translation ends before its time. */
  readonly translationFailed: (error: Error) => void;
}

/** A processor's host that leads to the board. */
export function cpuHost(board: Board, { clock, fillRandom, interruptAccepted, translationFailed }: CpuHostParts): CpuHost {
  const { ports, mmio } = board.chassis;
  const { localApic } = board.interrupts;
  const fpuError: Line = board.interrupts.isa(IRQ.fpu);
  const random = randomWords(fillRandom);
  /** Offset in the local APIC's page, which its own processor alone sees, or -1. */
  const apicOffset = (gpa: number): number => {
    const base = localApic.mmioBase;
    return base >= 0 && gpa >= base && gpa < base + APIC_PAGE ? gpa - base : -1;
  };
  return {
    portRead: (port, width) => ports.read(port, width),
    portWrite: (port, width, value) => ports.write(port, width, value),
    mmioRead: (gpa, width) => {
      const offset = apicOffset(gpa);
      return offset < 0 ? mmio.read(gpa, width) : localApic.read(offset, width);
    },
    mmioWrite: (gpa, width, value) => {
      const offset = apicOffset(gpa);
      if (offset < 0) mmio.write(gpa, width, value);
      else localApic.write(offset, width, value);
    },
    acknowledgeInterrupt: () => {
      interruptAccepted();
      return localApic.acknowledge();
    },
    // TSC_HZ is 1 GHz: a tick is a nanosecond of the machine's clock.
    readTsc: () => Math.floor(clock.now()),
    readMsr: (index) => localApic.readMsr(index),
    writeMsr: (index, value) => localApic.writeMsr(index, value),
    readCr8: () => localApic.readCr8(),
    writeCr8: (priority) => localApic.writeCr8(priority),
    random,
    ferr: (level) => fpuError.set(level),
    translationFailed,
  };
}

/** Random 64-bit words, fetched from the host many at a time. */
function randomWords(fillRandom: (into: Uint8Array) => void): () => bigint {
  const bytes = new Uint8Array(RANDOM_BYTES);
  const view = new DataView(bytes.buffer);
  let next = RANDOM_BYTES;
  return () => {
    if (next === RANDOM_BYTES) {
      fillRandom(bytes);
      next = 0;
    }
    const word = view.getBigUint64(next, true);
    view.setBigUint64(next, 0n, true);
    next += 8;
    return word;
  };
}
