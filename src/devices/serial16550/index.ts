// The serial port of the PC16550D datasheet, a universal asynchronous receiver/transmitter with FIFOs, connected as in a PC.
//
//   guest ── THR ──> transmitter FIFO ──> host            as fast as the host takes it; what it does not take stays in the FIFO
//   host ──> queue ──> receiver FIFO ── RBR ──> guest     in bursts, so that a driver's loop always comes to an end
//
// Baud rate and word length decide one thing only, how long four characters last. DEVNOTE: bytes that followed each read at once would keep
// Linux's 8250 driver in its interrupt handler until it gives up ("too much work for irq"); so a FIFO that ran empty stays so for a while.
import { byteWide } from "../../bus/byte-wide.ts";
import { VmError } from "../../support/errors.ts";
import type { Device, DeviceType, Line, PortRegion, Timer, Wiring } from "../device.ts";
import { clear, forgiveFirst, hasErrors, peek, peekErrors, pop, push } from "./characters.ts";
import { inputBits, modemStatus, type ModemInputs } from "./modem.ts";
import {
  CLOCK_HZ,
  COM1,
  FCR,
  FCR_CLEAR_RECEIVER,
  FCR_CLEAR_TRANSMITTER,
  FCR_ENABLE,
  FCR_TRIGGER_SHIFT,
  FIFO_BYTES,
  IER,
  IER_EDSSI,
  IER_ELSI,
  IER_ERBFI,
  IER_ETBEI,
  IER_WRITABLE,
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
  LCR_PARITY,
  LCR_STOP,
  LCR_WORD_LENGTH,
  LSR,
  LSR_BI,
  LSR_DR,
  LSR_ERRORS,
  LSR_FE,
  LSR_FIFO_ERROR,
  LSR_OE,
  LSR_TEMT,
  LSR_THRE,
  MCR,
  MCR_LOOP,
  MCR_OUT2,
  MCR_RTS,
  MCR_WRITABLE,
  MSR,
  MSR_DELTAS,
  MSR_INPUTS,
  RBR,
  REGISTERS,
  SCR,
  THR,
  TRIGGER_LEVELS,
} from "./spec.ts";
import { powerOn, QUEUE_BYTES, STATE, type SerialState } from "./state.ts";

export type { ModemInputs } from "./modem.ts";
export { QUEUE_BYTES, type SerialState } from "./state.ts";

/** How a serial port is connected. */
export interface SerialConfig {
  /** First port; 3F8h (COM1) unless given. */
  readonly base?: number;
  /** Takes a byte of the guest's. False: not now, keep it and offer it again at `transmitReady`. */
  readonly transmit: (byte: number) => boolean | void;
  /** There is room again after `receive` took less than it was offered. */
  readonly room?: () => void;
  /** Hold the host's bytes back while the guest does not assert RTS, as a terminal with hardware flow control; false unless given. */
  readonly hardwareFlow?: boolean;
}

// The time a character from the host takes: 1.6 Mbaud.
const CHARACTER_NS = 6250;

/** A serial port. Line: "irq", gated by MCR's OUT2 as on a PC. */
export class Serial16550 implements Device<SerialState> {
  readonly #config: SerialConfig;
  readonly ports: readonly PortRegion[];
  readonly #wiring: Wiring;
  readonly #irq: Line;
  #timeout: Timer | null = null;
  #arrival: Timer | null = null;
  #hostWaits = false;
  readonly state: SerialState = powerOn();

  constructor(config: SerialConfig, wiring: Wiring) {
    this.#config = config;
    this.#wiring = wiring;
    this.#irq = wiring.line("irq");
    const registers = byteWide({ readByte: (offset) => this.#read(offset), writeByte: (offset, value) => this.#write(offset, value) });
    this.ports = [{ name: "serial16550", base: config.base ?? COM1, length: REGISTERS, ...registers }];
  }

  /** Power-on. Bytes on their way in either direction are lost, as on a cable. */
  reset(): void {
    Object.assign(this.state, powerOn());
    this.#rearm();
    this.#offerRoom();
  }

  resync(): void {
    const { ier, mcr, fcr, cable, receiver, transmitter } = this.state;
    const possible =
      (ier & ~IER_WRITABLE) === 0 &&
      (mcr & ~MCR_WRITABLE) === 0 &&
      (fcr & ~(FCR_ENABLE | (3 << FCR_TRIGGER_SHIFT))) === 0 &&
      (cable & ~MSR_INPUTS) === 0;
    if (!possible || receiver.count > this.#capacity || transmitter.count > this.#capacity) {
      throw new VmError("STATE_INVALID", "Cannot restore serial16550: a register holds a value that no guest can bring about", {
        data: { unit: "serial16550", field: "registers" },
      });
    }
    this.#rearm();
  }

  // The host's side.

  /** Sends bytes to the guest; how many were taken. When not all, `room` is called once more will be. */
  receive(bytes: Uint8Array): number {
    let taken = 0;
    while (taken < bytes.length && push(this.state.queue, QUEUE_BYTES, bytes[taken]!, 0)) taken++;
    this.#hostWaits = taken < bytes.length;
    this.#feed(true);
    return taken;
  }

  /** Sends a break, behind the bytes that wait; false when there is no room for it. */
  receiveBreak(): boolean {
    const taken = push(this.state.queue, QUEUE_BYTES, 0, LSR_BI | LSR_FE);
    this.#feed(true);
    return taken;
  }

  /** The host can take bytes again after `transmit` said no. */
  transmitReady(): void {
    const { transmitter } = this.state;
    if (transmitter.count === 0) return;
    while (transmitter.count > 0 && this.#config.transmit(peek(transmitter)) !== false) pop(transmitter);
    if (transmitter.count === 0) this.state.thrEmptied = true;
    this.#update();
  }

  /** Drives the modem's lines; at power-on all but RI are asserted. */
  setModem(inputs: ModemInputs): void {
    this.state.cable = inputBits(inputs);
    this.#updateModem();
  }

  // The guest's side.

  #read(offset: number): number {
    const { state } = this;
    const latch = (state.lcr & LCR_DLAB) !== 0;
    switch (offset) {
      case RBR:
        return latch ? state.dll : this.#readReceiver();
      case IER:
        return latch ? state.dlm : state.ier;
      case IIR:
        return this.#readIdentification();
      case LCR:
        return state.lcr;
      case MCR:
        return state.mcr;
      case LSR:
        return this.#readLineStatus();
      case MSR:
        return this.#readModemStatus();
      case SCR:
        return state.scr;
      default:
        return 0xff;
    }
  }

  #write(offset: number, value: number): void {
    const { state } = this;
    const latch = (state.lcr & LCR_DLAB) !== 0;
    if (offset === THR) {
      if (latch) state.dll = value;
      else this.#transmit(value);
    } else if (offset === IER) {
      if (latch) state.dlm = value;
      else this.#writeInterruptEnable(value & IER_WRITABLE);
    } else if (offset === FCR) this.#writeFifoControl(value);
    else if (offset === LCR) this.#writeLineControl(value);
    else if (offset === MCR) this.#writeModemControl(value & MCR_WRITABLE);
    else if (offset === SCR) state.scr = value;
  }

  #readReceiver(): number {
    const character = pop(this.state.receiver);
    this.state.timedOut = false;
    this.#restartTimeout();
    if (this.state.receiver.count === 0) this.#drained();
    this.#update();
    return character;
  }

  /** Identifying the transmitter interrupt takes it back (§8.6). */
  #readIdentification(): number {
    const source = this.#source();
    if (source === IIR_THR_EMPTY) {
      this.state.thrEmptied = false;
      this.#update();
    }
    return source | (this.#fifos ? IIR_FIFOS : 0);
  }

  #readLineStatus(): number {
    const status = this.#lineStatus();
    this.state.overrun = false;
    forgiveFirst(this.state.receiver);
    this.#update();
    return status;
  }

  #readModemStatus(): number {
    const status = this.state.msr;
    this.state.msr &= ~MSR_DELTAS;
    this.#update();
    return status;
  }

  // Enabling the transmitter interrupt while the transmitter is empty raises it at once; drivers start sending that way.
  #writeInterruptEnable(value: number): void {
    if ((value & ~this.state.ier & IER_ETBEI) !== 0 && this.state.transmitter.count === 0) this.state.thrEmptied = true;
    this.state.ier = value;
    this.#update();
  }

  // Bits other than the enable bit count only together with it, and changing that empties both FIFOs (§8.5).
  #writeFifoControl(value: number): void {
    const { state } = this;
    const toggled = ((value ^ state.fcr) & FCR_ENABLE) !== 0;
    const enabled = (value & FCR_ENABLE) !== 0;
    state.fcr = enabled ? value & (FCR_ENABLE | (3 << FCR_TRIGGER_SHIFT)) : 0;
    if (toggled || (enabled && (value & FCR_CLEAR_TRANSMITTER) !== 0)) this.#clearTransmitter();
    if (toggled || (enabled && (value & FCR_CLEAR_RECEIVER) !== 0)) this.#clearReceiver();
    this.#update();
  }

  #clearTransmitter(): void {
    if (this.state.transmitter.count === 0) return;
    clear(this.state.transmitter);
    this.state.thrEmptied = true;
  }

  #clearReceiver(): void {
    const held = this.state.receiver.count > 0;
    clear(this.state.receiver);
    this.state.timedOut = false;
    this.#restartTimeout();
    if (held) this.#drained();
  }

  #writeLineControl(value: number): void {
    const breaks = (value & ~this.state.lcr & LCR_BREAK) !== 0;
    this.state.lcr = value;
    if (breaks && this.#looped) this.#arriveLooped(0, LSR_BI | LSR_FE);
    this.#update();
  }

  #writeModemControl(value: number): void {
    this.state.mcr = value;
    this.#updateModem();
    this.#feed(false);
  }

  #transmit(byte: number): void {
    const { state } = this;
    state.thrEmptied = false;
    if (this.#looped) {
      this.#arriveLooped(byte, 0);
      state.thrEmptied = true;
    } else if (state.transmitter.count === 0 && this.#config.transmit(byte) !== false) state.thrEmptied = true;
    // A guest that does not wait for THRE loses its byte, as on silicon.
    else push(state.transmitter, this.#capacity, byte, 0);
    this.#update();
  }

  // Inside.

  get #fifos(): boolean {
    return (this.state.fcr & FCR_ENABLE) !== 0;
  }

  get #capacity(): number {
    return this.#fifos ? FIFO_BYTES : 1;
  }

  get #looped(): boolean {
    return (this.state.mcr & MCR_LOOP) !== 0;
  }

  /** When the receiver raises its interrupt, in characters. */
  get #trigger(): number {
    return this.#fifos ? TRIGGER_LEVELS[(this.state.fcr >> FCR_TRIGGER_SHIFT) & 3]! : 1;
  }

  #lineStatus(): number {
    const { receiver, transmitter, overrun } = this.state;
    return (
      (receiver.count > 0 ? LSR_DR : 0) |
      (overrun ? LSR_OE : 0) |
      peekErrors(receiver) |
      (transmitter.count === 0 ? LSR_THRE | LSR_TEMT : 0) |
      (this.#fifos && hasErrors(receiver) ? LSR_FIFO_ERROR : 0)
    );
  }

  /** The interrupt with the highest priority, as IIR names it. */
  #source(): number {
    const { ier, receiver, timedOut, thrEmptied, msr } = this.state;
    if ((ier & IER_ELSI) !== 0 && (this.#lineStatus() & LSR_ERRORS) !== 0) return IIR_LINE_STATUS;
    if ((ier & IER_ERBFI) !== 0 && receiver.count >= this.#trigger) return IIR_DATA;
    if ((ier & IER_ERBFI) !== 0 && timedOut) return IIR_TIMEOUT;
    if ((ier & IER_ETBEI) !== 0 && thrEmptied) return IIR_THR_EMPTY;
    return (ier & IER_EDSSI) !== 0 && (msr & MSR_DELTAS) !== 0 ? IIR_MODEM_STATUS : IIR_NONE;
  }

  // OUT2 drives the gate between the chip and the bus, and loopback turns the output off (§8.8).
  #update(): void {
    const gate = (this.state.mcr & (MCR_OUT2 | MCR_LOOP)) === MCR_OUT2;
    this.#irq.set(gate && this.#source() !== IIR_NONE);
  }

  #updateModem(): void {
    this.state.msr = modemStatus(this.state.msr, this.state.mcr, this.state.cable);
    this.#update();
  }

  // Arrival.

  #arrive(character: number, errors: number): void {
    const { receiver } = this.state;
    if (!push(receiver, this.#capacity, character, errors)) {
      this.state.overrun = true;
      // Without FIFOs the new character destroys the old one; with them it is the new one that is lost (§8.4).
      if (!this.#fifos) {
        pop(receiver);
        push(receiver, 1, character, errors);
      }
    }
  }

  /** The transmitter's output comes back in. */
  #arriveLooped(character: number, errors: number): void {
    this.#arrive(character, errors);
    this.#restartTimeout();
  }

  /** Brings what the host sent. Only the host itself tops up a FIFO that the guest may be reading. */
  #feed(topUp: boolean): void {
    const { queue, receiver } = this.state;
    this.#arrival?.cancel();
    this.#arrival = null;
    if (queue.count === 0 || this.#holds || (receiver.count > 0 && !topUp)) return;
    const now = this.#wiring.clock.now();
    if (now < this.state.lineFreeNs) {
      if (receiver.count === 0) this.#arrival = this.#wiring.clock.arm(this.state.lineFreeNs, () => this.#feed(false));
      return;
    }
    const burst = Math.min(this.#capacity - receiver.count, queue.count);
    for (let index = 0; index < burst; index++) {
      const errors = peekErrors(queue);
      this.#arrive(pop(queue), errors);
    }
    this.state.lineFreeNs = now + burst * CHARACTER_NS;
    this.#restartTimeout();
    this.#update();
    this.#offerRoom();
  }

  /** The receiver ran empty: the next bytes take the time of a full FIFO. */
  #drained(): void {
    if (this.state.queue.count === 0) return;
    this.state.lineFreeNs = Math.max(this.state.lineFreeNs, this.#wiring.clock.now() + this.#capacity * CHARACTER_NS);
    this.#feed(false);
  }

  get #holds(): boolean {
    return this.#looped || (this.#config.hardwareFlow === true && (this.state.mcr & MCR_RTS) === 0);
  }

  #offerRoom(): void {
    if (!this.#hostWaits || this.state.queue.count > QUEUE_BYTES / 2) return;
    this.#hostWaits = false;
    this.#config.room?.();
  }

  // The timeout interrupt comes when the FIFO holds something and for four characters nothing has come or gone (§8.11).
  #restartTimeout(): void {
    const waits = this.#fifos && this.state.receiver.count > 0;
    this.state.timeoutAtNs = waits ? this.#wiring.clock.now() + 4 * this.#characterNs : null;
    this.#armTimeout();
  }

  #armTimeout(): void {
    this.#timeout?.cancel();
    this.#timeout = null;
    const { timeoutAtNs } = this.state;
    if (timeoutAtNs === null) return;
    this.#timeout = this.#wiring.clock.arm(timeoutAtNs, () => {
      this.#timeout = null;
      this.state.timeoutAtNs = null;
      this.state.timedOut = true;
      this.#update();
    });
  }

  /** How long a character lasts at the guest's baud rate and format. */
  get #characterNs(): number {
    const { lcr, dll, dlm } = this.state;
    const bits = 1 + 5 + (lcr & LCR_WORD_LENGTH) + ((lcr & LCR_PARITY) !== 0 ? 1 : 0) + ((lcr & LCR_STOP) !== 0 ? 2 : 1);
    return (bits * 16 * Math.max(dll + dlm * 256, 1) * 1e9) / CLOCK_HZ;
  }

  #rearm(): void {
    this.#armTimeout();
    this.#feed(false);
    this.#update();
  }
}

/** PC16550D serial port. */
export const serial16550: DeviceType<SerialConfig, SerialState, Serial16550> = {
  kind: "serial16550",
  state: STATE,
  create: (config, wiring) => new Serial16550(config, wiring),
};
