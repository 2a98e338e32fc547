// The keyboard controller of a PC: the ports 60h and 64h, A20, the processor's reset, and wires to a keyboard and an auxiliary device.
//
// A device's bytes arrive at the pace of the wire, so that software which reads the data port twice sees one byte twice. The controller's own answers
// are there at once and replace what was not read. No device is on the auxiliary wire yet: bytes for it come back as "no answer" with the timeout
// bit, which makes probing quick. Left out: password, diagnostic dump, polling of the input port.
import { byteWide } from "../../bus/byte-wide.ts";
import { pulse } from "../../bus/line.ts";
import { array, boolean, bytes, codec, nullable, number, record, u8 } from "../../support/schema.ts";
import type { Codec, Device, DeviceType, PortRegion, Timer, Wiring } from "../device.ts";
import { KEYBOARD, keyboardOver, powerOnKeyboard, type KeyboardState } from "./keyboard.ts";
import type { Ps2Device } from "./ps2.ts";
import * as spec from "./spec.ts";
import { BREAK, translate } from "./translate.ts";

/** What hangs on the controller. */
export interface I8042Config {
  /** A keyboard is plugged in; yes unless given. */
  readonly keyboard?: boolean;
}

/** Registers of the controller, bytes on their way, and the keyboard. */
export interface I8042State {
  /** Internal RAM; byte 0 is the command byte. */
  ram: Uint8Array;
  /** The output buffer keeps its byte when it has been read. */
  data: number;
  full: boolean;
  fromAux: boolean;
  timeout: boolean;
  /** The last write went to port 64h. */
  lastWasCommand: boolean;
  /** The command whose data byte comes next at port 60h. */
  awaiting: number | null;
  outputPort: number;
  /** Bytes that the keyboard has yet to send. */
  queue: number[];
  /** When the wire is free for the next of them, in ns. */
  wireFreeAt: number;
  /** Translation saw the prefix of a key's release. */
  released: boolean;
  keyboard: KeyboardState;
}

// A keyboard buffers 16 bytes and forgets what comes on top.
const QUEUE = 16;
const RAM = 32;

const STATE: Codec<I8042State> = codec(
  "i8042",
  1,
  record<I8042State>({
    ram: bytes(RAM),
    data: u8,
    full: boolean,
    fromAux: boolean,
    timeout: boolean,
    lastWasCommand: boolean,
    awaiting: nullable(u8),
    outputPort: u8,
    queue: array(u8, 0, QUEUE),
    wireFreeAt: number,
    released: boolean,
    keyboard: KEYBOARD,
  }),
);

function powerOn(): I8042State {
  const ram = new Uint8Array(RAM);
  ram[0] = spec.COMMAND_BYTE_KBD_INT | spec.COMMAND_BYTE_AUX_INT;
  return {
    ram,
    data: 0,
    full: false,
    fromAux: false,
    timeout: false,
    lastWasCommand: false,
    awaiting: null,
    outputPort: spec.OUTPUT_POWER_ON,
    queue: [],
    wireFreeAt: 0,
    released: false,
    keyboard: powerOnKeyboard(),
  };
}

/** An 8042. Lines: "irq1", "irq12", "a20" (this source of the A20 gate), "reset" (pulses). */
export class I8042 implements Device<I8042State> {
  readonly ports: readonly PortRegion[];
  readonly #wiring: Wiring;
  readonly #keyboard: Ps2Device | undefined;
  readonly state: I8042State = powerOn();
  #timer: Timer | undefined;

  constructor(config: I8042Config, wiring: Wiring) {
    this.#wiring = wiring;
    this.#keyboard = config.keyboard === false ? undefined : keyboardOver(() => this.state.keyboard);
    this.ports = [
      {
        name: "i8042.data",
        base: spec.DATA_PORT,
        length: 1,
        ...byteWide({ readByte: () => this.#readData(), writeByte: (_, value) => this.#writeData(value) }),
      },
      {
        name: "i8042.command",
        base: spec.COMMAND_PORT,
        length: 1,
        ...byteWide({ readByte: () => this.#status(), writeByte: (_, value) => this.#command(value) }),
      },
    ];
  }

  reset(): void {
    Object.assign(this.state, powerOn());
    this.resync();
  }

  resync(): void {
    this.#wiring.line("a20").set((this.state.outputPort & spec.OUTPUT_A20) !== 0);
    this.#drive();
  }

  /** A key's scan codes (set 2) from the keyboard; false when they were dropped: nobody listens, or the buffer is full. */
  type(scanCodes: readonly number[]): boolean {
    const { queue, keyboard } = this.state;
    if (this.#keyboard === undefined || !keyboard.scanning || queue.length + scanCodes.length > QUEUE) return false;
    queue.push(...scanCodes.map((code) => code & 0xff));
    this.#drive();
    return true;
  }

  get #commandByte(): number {
    return this.state.ram[0]!;
  }

  #status(): number {
    const { full, fromAux, timeout, lastWasCommand } = this.state;
    return (
      spec.STATUS_INH |
      (this.#commandByte & spec.COMMAND_BYTE_SYS) |
      (full ? spec.STATUS_OBF : 0) |
      (fromAux ? spec.STATUS_MOB : 0) |
      (timeout ? spec.STATUS_TO : 0) |
      (lastWasCommand ? spec.STATUS_A2 : 0)
    );
  }

  #readData(): number {
    const { state } = this;
    if (state.full) {
      state.full = false;
      state.wireFreeAt = this.#wiring.clock.now() + spec.BYTE_NS;
      this.#drive();
    }
    return state.data;
  }

  #writeData(value: number): void {
    const { state } = this;
    const command = state.awaiting;
    state.awaiting = null;
    state.lastWasCommand = false;
    if (command === null) this.#toKeyboard(value);
    else this.#complete(command, value);
    this.#drive();
  }

  #toKeyboard(value: number): void {
    const { state } = this;
    state.ram[0]! &= ~spec.COMMAND_BYTE_KBD_OFF;
    if (this.#keyboard === undefined) return this.#answer(spec.NO_ANSWER, { timeout: true });
    const answer = this.#keyboard.receive(value);
    state.queue.push(...answer.slice(0, QUEUE - state.queue.length));
    state.wireFreeAt = this.#wiring.clock.now() + spec.BYTE_NS;
  }

  /** A command of which the data byte has come. */
  #complete(command: number, value: number): void {
    const { state } = this;
    if (command === spec.WRITE_OUTPUT_PORT) this.#writeOutputPort(value);
    else if (command === spec.WRITE_KEYBOARD_BUFFER) this.#answer(value);
    else if (command === spec.WRITE_AUX_BUFFER) this.#answer(value, { fromAux: true });
    else if (command === spec.WRITE_TO_AUX) this.#answer(spec.NO_ANSWER, { fromAux: true, timeout: true });
    else state.ram[command & spec.RAM_MASK] = value;
  }

  #command(command: number): void {
    const { state } = this;
    state.lastWasCommand = true;
    state.awaiting = null;
    const block = command & ~spec.RAM_MASK;
    if (block === spec.READ_RAM) this.#answer(state.ram[command & spec.RAM_MASK]!);
    else if (block === spec.WRITE_RAM) state.awaiting = command;
    else if (command >= spec.PULSE_OUTPUT) this.#pulseOutput(command);
    else this.#execute(command);
    this.#drive();
  }

  #execute(command: number): void {
    const { state } = this;
    switch (command) {
      case spec.WRITE_OUTPUT_PORT:
      case spec.WRITE_KEYBOARD_BUFFER:
      case spec.WRITE_AUX_BUFFER:
      case spec.WRITE_TO_AUX:
        state.awaiting = command;
        return;
      case spec.DISABLE_A20:
      case spec.ENABLE_A20:
        // The command is the value that the output port takes.
        return this.#writeOutputPort(command);
      case spec.DISABLE_KEYBOARD:
        state.ram[0]! |= spec.COMMAND_BYTE_KBD_OFF;
        return;
      case spec.ENABLE_KEYBOARD:
        state.ram[0]! &= ~spec.COMMAND_BYTE_KBD_OFF;
        return;
      case spec.DISABLE_AUX:
        state.ram[0]! |= spec.COMMAND_BYTE_AUX_OFF;
        return;
      case spec.ENABLE_AUX:
        state.ram[0]! &= ~spec.COMMAND_BYTE_AUX_OFF;
        return;
      default:
        this.#ask(command);
    }
  }

  /** Commands that do nothing but answer. */
  #ask(command: number): void {
    switch (command) {
      case spec.SELF_TEST:
        this.state.ram[0]! |= spec.COMMAND_BYTE_SYS;
        return this.#answer(spec.SELF_TEST_PASSED);
      case spec.TEST_PASSWORD:
        return this.#answer(spec.NO_PASSWORD);
      case spec.TEST_AUX:
      case spec.TEST_KEYBOARD:
        return this.#answer(spec.TEST_PASSED);
      case spec.READ_INPUT_PORT:
        return this.#answer(spec.INPUT_PORT);
      case spec.READ_OUTPUT_PORT:
        return this.#answer(this.#outputPort());
      case spec.READ_TEST_INPUTS:
        return this.#answer(this.#testInputs());
      default:
        this.#wiring.log.warnOnce(`i8042.${command}`, `Keyboard controller command ${command.toString(16)}h is not known`);
    }
  }

  #answer(value: number, { fromAux = false, timeout = false }: { fromAux?: boolean; timeout?: boolean } = {}): void {
    Object.assign(this.state, { data: value, full: true, fromAux, timeout });
  }

  /** The output port with the bits that follow the output buffer. */
  #outputPort(): number {
    const { full, fromAux, outputPort } = this.state;
    return outputPort | (full ? (fromAux ? spec.OUTPUT_IRQ12 : spec.OUTPUT_IRQ1) : 0);
  }

  /** Clock of the keyboard (bit 0) and of the auxiliary device (bit 1), low while disabled. */
  #testInputs(): number {
    return (
      ((this.#commandByte & spec.COMMAND_BYTE_KBD_OFF) === 0 ? 1 : 0) | ((this.#commandByte & spec.COMMAND_BYTE_AUX_OFF) === 0 ? 2 : 0)
    );
  }

  #writeOutputPort(value: number): void {
    this.state.outputPort = value & spec.OUTPUT_WRITABLE;
    this.#wiring.line("a20").set((value & spec.OUTPUT_A20) !== 0);
    if ((value & spec.OUTPUT_RESET) === 0) pulse(this.#wiring.line("reset"));
  }

  #pulseOutput(command: number): void {
    if ((command & spec.OUTPUT_RESET) === 0) pulse(this.#wiring.line("reset"));
  }

  /** Moves the next byte into the output buffer when it is due, and drives the interrupt lines. */
  #drive(): void {
    const { state } = this;
    this.#timer?.cancel();
    const waiting = !state.full && state.queue.length > 0 && (this.#commandByte & spec.COMMAND_BYTE_KBD_OFF) === 0;
    if (waiting && this.#wiring.clock.now() >= state.wireFreeAt) this.#arrive();
    else if (waiting) this.#timer = this.#wiring.clock.arm(state.wireFreeAt, () => this.#drive());
    this.#wiring.line("irq1").set(state.full && !state.fromAux && (this.#commandByte & spec.COMMAND_BYTE_KBD_INT) !== 0);
    this.#wiring.line("irq12").set(state.full && state.fromAux && (this.#commandByte & spec.COMMAND_BYTE_AUX_INT) !== 0);
  }

  #arrive(): void {
    const { state } = this;
    const byte = state.queue.shift();
    if (byte === undefined) return;
    if ((this.#commandByte & spec.COMMAND_BYTE_XLAT) === 0) return this.#answer(byte);
    if (byte === BREAK) {
      state.released = true;
      return this.#arrive();
    }
    this.#answer(translate(byte, state.released));
    state.released = false;
  }
}

/** The keyboard controller. */
export const i8042: DeviceType<I8042Config, I8042State, I8042> = {
  kind: "i8042",
  state: STATE,
  create: (config, wiring) => new I8042(config, wiring),
};
