import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inPort, outPort } from "../../testing/access.ts";
import { deviceContract } from "../../testing/device.contract.ts";
import { fakeWiring, type FakeWiring, type RecordedLine } from "../../testing/fake-wiring.ts";
import { QUEUE_BYTES, serial16550, type Serial16550, type SerialConfig } from "./index.ts";
import {
  COM1,
  DLL,
  DLM,
  FCR,
  FCR_CLEAR_RECEIVER,
  FCR_CLEAR_TRANSMITTER,
  FCR_ENABLE,
  IER,
  IER_EDSSI,
  IER_ELSI,
  IER_ERBFI,
  IER_ETBEI,
  IIR,
  IIR_DATA,
  IIR_FIFOS,
  IIR_LINE_STATUS,
  IIR_MODEM_STATUS,
  IIR_NONE,
  IIR_THR_EMPTY,
  IIR_TIMEOUT,
  LCR,
  LCR_BREAK,
  LCR_DLAB,
  LSR,
  LSR_BI,
  LSR_DR,
  LSR_FE,
  LSR_FIFO_ERROR,
  LSR_OE,
  LSR_TEMT,
  LSR_THRE,
  MCR,
  MCR_DTR,
  MCR_LOOP,
  MCR_OUT1,
  MCR_OUT2,
  MCR_RTS,
  MSR,
  MSR_CTS,
  MSR_DCD,
  MSR_DCTS,
  MSR_DDCD,
  MSR_DSR,
  MSR_RI,
  MSR_TERI,
  RBR,
  SCR,
  THR,
} from "./spec.ts";

const IDLE = LSR_THRE | LSR_TEMT;
const MS = 1e6;

class Rig {
  readonly wiring: FakeWiring = fakeWiring();
  readonly sent: number[] = [];
  taking = true;
  rooms = 0;
  readonly device: Serial16550;

  constructor(config: Partial<SerialConfig> = {}) {
    this.device = serial16550.create(
      {
        transmit: (byte) => this.taking && this.sent.push(byte) > 0,
        room: () => void this.rooms++,
        ...config,
      },
      this.wiring,
    );
  }

  get irq(): RecordedLine {
    return this.wiring.line("irq");
  }

  get(register: number): number {
    return inPort(this.device, COM1 + register);
  }

  set(register: number, value: number): void {
    outPort(this.device, COM1 + register, value);
  }

  pass(ns: number): void {
    this.wiring.clock.advance(ns);
  }

  receive(...bytes: number[]): number {
    return this.device.receive(Uint8Array.from(bytes));
  }

  /** Everything that is ready, as a driver's loop reads it. */
  drain(): number[] {
    const bytes: number[] = [];
    while ((this.get(LSR) & LSR_DR) !== 0) bytes.push(this.get(RBR));
    return bytes;
  }
}

/** A port as a PC's driver sets it up: 115200 8N1, FIFOs with trigger 8, OUT2. */
function opened(ier: number, config: Partial<SerialConfig> = {}): Rig {
  const rig = new Rig(config);
  rig.set(LCR, LCR_DLAB | 3);
  rig.set(DLL, 1);
  rig.set(DLM, 0);
  rig.set(LCR, 3);
  rig.set(FCR, FCR_ENABLE | (2 << 6));
  rig.set(MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
  rig.set(IER, ier);
  return rig;
}

deviceContract(serial16550, { transmit: () => false }, (device, wiring) => {
  const set = (register: number, value: number): void => outPort(device, COM1 + register, value);
  set(LCR, 3);
  set(FCR, FCR_ENABLE);
  set(MCR, MCR_OUT2);
  set(IER, IER_ERBFI | IER_ETBEI);
  set(THR, 0x41);
  set(SCR, 0x5a);
  device.receive(Uint8Array.from({ length: 40 }, (_, index) => index));
  inPort(device, COM1 + RBR);
  device.setModem({ cts: false, dsr: true, ri: true, dcd: true });
  wiring.clock.advance(1000);
});

describe("registers (PC16550D datasheet §8)", () => {
  it("hold what can be written", () => {
    const rig = new Rig();
    for (const [register, holds] of [
      [IER, 0x0f],
      [LCR, 0x7f],
      [MCR, 0x1f],
      [SCR, 0xff],
    ] as const) {
      rig.set(register, register === LCR ? 0x7f : 0xff);
      expect(rig.get(register)).toBe(holds);
    }
    rig.set(LCR, LCR_DLAB);
    rig.set(DLL, 0x34);
    rig.set(DLM, 0x12);
    expect([rig.get(DLL), rig.get(DLM)]).toEqual([0x34, 0x12]);
    rig.set(LCR, 0);
    expect([rig.get(RBR), rig.get(IER)]).toEqual([0, 0x0f]);
  });

  it("are reached byte by byte by wider accesses", () => {
    const rig = new Rig();
    outPort(rig.device, COM1 + MCR, 0x5a00_000f, 4);
    expect(inPort(rig.device, COM1 + MCR)).toBe(0x0f);
    expect(inPort(rig.device, COM1 + SCR)).toBe(0x5a);
  });
});

describe("detection by Linux's 8250 driver", () => {
  it("finds a 16550A and none of its successors", () => {
    const rig = new Rig();
    rig.set(IER, 0);
    expect(rig.get(IER)).toBe(0);
    rig.set(IER, 0x0f);
    expect(rig.get(IER)).toBe(0x0f);
    rig.set(IER, 0);
    rig.set(MCR, MCR_LOOP | MCR_OUT2 | MCR_RTS);
    expect(rig.get(MSR) & 0xf0).toBe(MSR_DCD | MSR_CTS);
    rig.set(MCR, 0);
    rig.set(LCR, 0);
    rig.set(FCR, FCR_ENABLE);
    expect(rig.get(IIR) >> 6).toBe(3);
    // A 16750 shows its 64-byte FIFO in IIR bit 5 when FCR bit 5 is written with DLAB set.
    rig.set(LCR, LCR_DLAB);
    rig.set(FCR, FCR_ENABLE | 0x20);
    expect(rig.get(IIR) >> 5).toBe(6);
    rig.set(LCR, 0);
    // An XScale port has an enable bit in IER bit 6.
    rig.set(IER, 0x40);
    expect(rig.get(IER)).toBe(0);
  });

  it("sees the transmitter interrupt again each time it is enabled", () => {
    const rig = opened(0);
    for (let time = 0; time < 2; time++) {
      rig.set(IER, IER_ETBEI);
      expect(rig.get(IIR)).toBe(IIR_FIFOS | IIR_THR_EMPTY);
      expect(rig.get(IIR)).toBe(IIR_FIFOS | IIR_NONE);
      rig.set(IER, 0);
    }
  });
});

describe("transmitting", () => {
  it("hands each byte to the host at once and raises the interrupt anew", () => {
    const rig = opened(IER_ETBEI);
    expect(rig.get(IIR) & 0x0f).toBe(IIR_THR_EMPTY);
    expect(rig.irq.level).toBe(false);
    rig.set(THR, 0x41);
    expect(rig.irq.level).toBe(true);
    rig.set(THR, 0x42);
    expect(rig.sent).toEqual([0x41, 0x42]);
    expect(rig.get(LSR)).toBe(IDLE);
  });

  it("keeps what the host does not take, in order, without THRE", () => {
    const rig = opened(IER_ETBEI);
    rig.get(IIR);
    rig.taking = false;
    for (let byte = 0; byte < 16; byte++) rig.set(THR, byte);
    expect(rig.get(LSR) & IDLE).toBe(0);
    expect(rig.irq.level).toBe(false);
    rig.device.transmitReady();
    expect(rig.sent).toEqual([]);
    rig.taking = true;
    rig.device.transmitReady();
    expect(rig.sent).toEqual(Array.from({ length: 16 }, (_, byte) => byte));
    expect(rig.get(LSR)).toBe(IDLE);
    expect(rig.irq.level).toBe(true);
  });

  it("loses nothing that waited for THRE, however the host takes it", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 100 }), (takes) => {
        const rig = opened(0);
        let next = 0;
        for (const taking of takes) {
          rig.taking = taking;
          if (taking) rig.device.transmitReady();
          if ((rig.get(LSR) & LSR_THRE) !== 0) for (let count = 0; count < 16; count++) rig.set(THR, next++ & 0xff);
        }
        rig.taking = true;
        rig.device.transmitReady();
        expect(rig.sent).toEqual(Array.from({ length: next }, (_, index) => index & 0xff));
      }),
    );
  });

  it("is emptied by FCR", () => {
    const rig = opened(0);
    rig.taking = false;
    rig.set(THR, 1);
    rig.set(FCR, FCR_ENABLE | FCR_CLEAR_TRANSMITTER);
    expect(rig.get(LSR)).toBe(IDLE);
    rig.taking = true;
    rig.device.transmitReady();
    expect(rig.sent).toEqual([]);
  });
});

describe("receiving", () => {
  it("raises the data interrupt at the trigger level, until below it (§8.11)", () => {
    for (const [bits, level] of [
      [0, 1],
      [1, 4],
      [2, 8],
      [3, 14],
    ] as const) {
      const rig = opened(IER_ERBFI);
      rig.set(FCR, FCR_ENABLE | (bits << 6));
      rig.receive(...Array.from({ length: level }, () => 0x61));
      expect(rig.get(IIR)).toBe(IIR_FIFOS | IIR_DATA);
      rig.get(RBR);
      expect(rig.irq.level).toBe(false);
    }
  });

  it("raises the timeout interrupt after four character times without traffic, until a read (§8.11)", () => {
    const rig = opened(IER_ERBFI);
    rig.receive(1, 2);
    const fourNs = (4 * 10 * 1e9) / 115_200;
    rig.pass(fourNs - 1);
    expect(rig.irq.level).toBe(false);
    rig.pass(1);
    expect(rig.get(IIR)).toBe(IIR_FIFOS | IIR_TIMEOUT);
    rig.get(RBR);
    expect(rig.irq.level).toBe(false);
    rig.pass(fourNs);
    expect(rig.get(IIR)).toBe(IIR_FIFOS | IIR_TIMEOUT);
    rig.get(RBR);
    rig.pass(MS);
    expect(rig.get(IIR)).toBe(IIR_FIFOS | IIR_NONE);
  });

  it("interrupts for each character without FIFOs", () => {
    const rig = opened(IER_ERBFI);
    rig.set(FCR, 0);
    rig.receive(1, 2);
    expect(rig.get(IIR)).toBe(IIR_DATA);
    expect(rig.drain()).toEqual([1]);
    rig.pass(MS);
    expect(rig.drain()).toEqual([2]);
  });

  it("comes in bursts, so that a driver's loop ends although the host has more", () => {
    const rig = opened(IER_ERBFI);
    const bytes = Array.from({ length: 100 }, (_, index) => index);
    expect(rig.receive(...bytes)).toBe(100);
    const got: number[] = [];
    for (let interrupts = 0; got.length < 100; interrupts++) {
      const burst = rig.drain();
      expect(burst.length).toBeLessThanOrEqual(16);
      expect(rig.get(IIR) & 0x0f).toBe(IIR_NONE);
      got.push(...burst);
      rig.pass(MS);
      expect(interrupts).toBeLessThan(10);
    }
    expect(got).toEqual(bytes);
  });

  it("takes what there is room for, and says when there is more", () => {
    const rig = opened(0);
    expect(rig.device.receive(new Uint8Array(2 * QUEUE_BYTES))).toBe(QUEUE_BYTES);
    expect(rig.rooms).toBe(0);
    let drained = 0;
    while (rig.rooms === 0 && drained < 2 * QUEUE_BYTES) {
      drained += rig.drain().length;
      rig.pass(MS);
    }
    expect(drained).toBeGreaterThanOrEqual(QUEUE_BYTES / 2 - 32);
    expect(drained).toBeLessThan(QUEUE_BYTES);
    expect(rig.rooms).toBe(1);
    expect(rig.receive(1, 2, 3)).toBe(3);
  });

  it("brings every byte taken exactly once and in order, whatever the guest does meanwhile", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("send"), count: fc.integer({ min: 1, max: 300 }) }),
      fc.record({ kind: fc.constantFrom("read", "drain", "status"), count: fc.constant(0) }),
      fc.record({ kind: fc.constant("pass"), count: fc.constantFrom(1, 1000, 6250, 100_000, 1_000_000) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const rig = opened(IER_ERBFI | IER_ELSI);
        const taken: number[] = [];
        const got: number[] = [];
        let next = 0;
        for (const { kind, count } of steps) {
          if (kind === "send") {
            const bytes = Array.from({ length: count }, () => next++ & 0xff);
            taken.push(...bytes.slice(0, rig.receive(...bytes)));
          } else if (kind === "pass") rig.pass(count);
          else if (kind === "drain") got.push(...rig.drain());
          else if (kind === "read" && (rig.get(LSR) & LSR_DR) !== 0) got.push(rig.get(RBR));
          else expect(rig.get(LSR) & LSR_OE).toBe(0);
        }
        for (let round = 0; round < 3000 && got.length < taken.length; round++) {
          got.push(...rig.drain());
          rig.pass(MS);
        }
        expect(got).toEqual(taken);
      }),
      { numRuns: 50 },
    );
  });

  it("shows a break with its character, behind the bytes before it (§8.4)", () => {
    const rig = opened(IER_ELSI);
    rig.receive(0x41);
    rig.device.receiveBreak();
    rig.pass(MS);
    expect(rig.get(LSR)).toBe(IDLE | LSR_DR);
    expect(rig.get(RBR)).toBe(0x41);
    rig.pass(MS);
    expect(rig.get(IIR)).toBe(IIR_FIFOS | IIR_LINE_STATUS);
    expect(rig.get(LSR)).toBe(IDLE | LSR_DR | LSR_BI | LSR_FE | LSR_FIFO_ERROR);
    expect(rig.get(LSR)).toBe(IDLE | LSR_DR);
    expect(rig.get(RBR)).toBe(0);
    expect(rig.irq.level).toBe(false);
  });

  it("is emptied by FCR, and goes on with what the host has", () => {
    const rig = opened(0);
    rig.receive(...Array.from({ length: 20 }, (_, index) => index));
    rig.set(FCR, FCR_ENABLE | FCR_CLEAR_RECEIVER);
    expect(rig.get(LSR) & LSR_DR).toBe(0);
    rig.pass(MS);
    expect(rig.drain()).toEqual([16, 17, 18, 19]);
  });

  it("waits for RTS when asked to", () => {
    const rig = opened(0, { hardwareFlow: true });
    rig.set(MCR, MCR_DTR);
    rig.receive(7);
    rig.pass(MS);
    expect(rig.drain()).toEqual([]);
    rig.set(MCR, MCR_DTR | MCR_RTS);
    expect(rig.drain()).toEqual([7]);
  });
});

describe("loopback (§8.8)", () => {
  it("brings the guest's own bytes back and leaves the host alone", () => {
    const rig = opened(IER_ERBFI);
    rig.set(MCR, MCR_LOOP);
    rig.receive(0x99);
    for (let byte = 0; byte < 17; byte++) rig.set(THR, byte);
    expect(rig.sent).toEqual([]);
    expect(rig.get(LSR) & LSR_OE).toBe(LSR_OE);
    expect(rig.get(LSR) & LSR_OE).toBe(0);
    expect(rig.drain()).toEqual(Array.from({ length: 16 }, (_, byte) => byte));
    rig.set(LCR, 3 | LCR_BREAK);
    expect(rig.get(LSR) & LSR_BI).toBe(LSR_BI);
    expect(rig.get(RBR)).toBe(0);
    expect(rig.irq.rises).toBe(0);
    rig.set(MCR, MCR_OUT2);
    rig.pass(MS);
    expect(rig.drain()).toEqual([0x99]);
  });

  it("destroys the older character without FIFOs", () => {
    const rig = new Rig();
    rig.set(MCR, MCR_LOOP);
    rig.set(THR, 1);
    rig.set(THR, 2);
    expect(rig.get(LSR) & (LSR_OE | LSR_DR)).toBe(LSR_OE | LSR_DR);
    expect(rig.drain()).toEqual([2]);
  });

  it("turns modem outputs into inputs", () => {
    const rig = new Rig();
    const seen = [MCR_DTR, MCR_RTS, MCR_OUT1, MCR_OUT2].map((output) => {
      rig.set(MCR, MCR_LOOP | output);
      return rig.get(MSR) & 0xf0;
    });
    expect(seen).toEqual([MSR_DSR, MSR_CTS, MSR_RI, MSR_DCD]);
  });
});

describe("modem status (§8.9)", () => {
  it("reports changes once, the ring indicator's trailing edge alone", () => {
    const rig = opened(IER_EDSSI);
    expect(rig.get(MSR)).toBe(MSR_CTS | MSR_DSR | MSR_DCD);
    rig.device.setModem({ cts: false, dsr: true, ri: true, dcd: false });
    expect(rig.get(IIR)).toBe(IIR_FIFOS | IIR_MODEM_STATUS);
    expect(rig.irq.level).toBe(true);
    expect(rig.get(MSR)).toBe(MSR_DSR | MSR_RI | MSR_DCTS | MSR_DDCD);
    expect(rig.irq.level).toBe(false);
    rig.device.setModem({ cts: false, dsr: true, ri: false, dcd: false });
    expect(rig.get(MSR)).toBe(MSR_DSR | MSR_TERI);
    expect(rig.get(MSR)).toBe(MSR_DSR);
  });
});

describe("interrupts (table IV)", () => {
  it("come in the order of their priority", () => {
    const rig = opened(0);
    rig.device.setModem({ cts: false, dsr: true, ri: false, dcd: true });
    rig.set(FCR, FCR_ENABLE);
    rig.device.receiveBreak();
    rig.set(IER, 0x0f);
    const seen: number[] = [];
    const clears: Record<number, number> = { [IIR_LINE_STATUS]: LSR, [IIR_DATA]: RBR, [IIR_MODEM_STATUS]: MSR };
    for (let source = rig.get(IIR) & 0x0f; source !== IIR_NONE && seen.length < 8; source = rig.get(IIR) & 0x0f) {
      seen.push(source);
      const clear = clears[source];
      if (clear !== undefined) rig.get(clear);
    }
    expect(seen).toEqual([IIR_LINE_STATUS, IIR_DATA, IIR_THR_EMPTY, IIR_MODEM_STATUS]);
    expect(rig.irq.level).toBe(false);
  });

  it("reach the bus through OUT2 alone", () => {
    const rig = opened(IER_ETBEI);
    expect(rig.irq.level).toBe(true);
    rig.set(MCR, MCR_DTR);
    expect(rig.irq.level).toBe(false);
    expect(rig.get(IIR) & 0x0f).toBe(IIR_THR_EMPTY);
  });
});
