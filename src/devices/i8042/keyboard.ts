// A PS/2 keyboard (PS/2 manual "Keyboard (101/102-Key)"): the commands a system sends to it.
// Keys come from elsewhere; this is what answers probing.
import { boolean, integer, nullable, record, u8, type Schema } from "../../support/schema.ts";
import type { Ps2Device } from "./ps2.ts";

const ACK = 0xfa;
const RESEND = 0xfe;
const SELF_TEST_PASSED = 0xaa;
const ID = [0xab, 0x83] as const;

const SET_LEDS = 0xed;
const ECHO = 0xee;
const SCAN_CODE_SET = 0xf0;
const IDENTIFY = 0xf2;
const SET_RATE = 0xf3;
const ENABLE = 0xf4;
const DEFAULT_DISABLE = 0xf5;
const SET_DEFAULT = 0xf6;
const SET_ALL_FIRST = 0xf7;
const SET_ALL_LAST = 0xfa;
const RESEND_LAST = 0xfe;
const RESET = 0xff;

const DEFAULT_RATE = 0x2b;

/** What the system has set. */
export interface KeyboardState {
  /** Sends keys. */
  scanning: boolean;
  scanCodeSet: number;
  leds: number;
  rate: number;
  /** The command whose argument comes next. */
  awaiting: number | null;
  /** The last byte sent, for RESEND. */
  last: number;
}

/** Describes KeyboardState. */
export const KEYBOARD: Schema<KeyboardState> = record<KeyboardState>({
  scanning: boolean,
  scanCodeSet: integer(1, 3),
  leds: integer(0, 7),
  rate: integer(0, 0x7f),
  awaiting: nullable(u8),
  last: u8,
});

/** A keyboard as it powers up: scanning, scan code set 2. */
export function powerOnKeyboard(): KeyboardState {
  return { scanning: true, scanCodeSet: 2, leds: 0, rate: DEFAULT_RATE, awaiting: null, last: SELF_TEST_PASSED };
}

/** The keyboard over the state that `state` gives. */
export function keyboardOver(state: () => KeyboardState): Ps2Device {
  return {
    reset: () => void Object.assign(state(), powerOnKeyboard()),
    receive: (byte) => {
      const answer = receive(state(), byte);
      if (byte !== RESEND_LAST) state().last = answer.at(-1) ?? state().last;
      return answer;
    },
  };
}

function receive(keyboard: KeyboardState, byte: number): readonly number[] {
  const command = keyboard.awaiting;
  keyboard.awaiting = null;
  // A byte from EDh up is a command even where an argument is due.
  return command !== null && byte < SET_LEDS ? argument(keyboard, command, byte) : execute(keyboard, byte);
}

function argument(keyboard: KeyboardState, command: number, byte: number): readonly number[] {
  if (command === SET_LEDS) keyboard.leds = byte & 7;
  else if (command === SET_RATE) keyboard.rate = byte & 0x7f;
  else if (byte === 0) return [ACK, keyboard.scanCodeSet];
  else if (byte > 3) return [RESEND];
  else keyboard.scanCodeSet = byte;
  return [ACK];
}

function execute(keyboard: KeyboardState, command: number): readonly number[] {
  switch (command) {
    case ECHO:
      return [ECHO];
    case IDENTIFY:
      return [ACK, ...ID];
    case SET_LEDS:
    case SCAN_CODE_SET:
    case SET_RATE:
      keyboard.awaiting = command;
      return [ACK];
    case ENABLE:
      keyboard.scanning = true;
      return [ACK];
    case DEFAULT_DISABLE:
    case SET_DEFAULT:
      Object.assign(keyboard, powerOnKeyboard(), { leds: keyboard.leds, scanning: command === SET_DEFAULT });
      return [ACK];
    case RESEND_LAST:
      return [keyboard.last];
    case RESET:
      Object.assign(keyboard, powerOnKeyboard());
      return [ACK, SELF_TEST_PASSED];
    default:
      // F7h to FAh set the key types of scan code set 3, all keys alike.
      return command >= SET_ALL_FIRST && command <= SET_ALL_LAST ? [ACK] : [RESEND];
  }
}
