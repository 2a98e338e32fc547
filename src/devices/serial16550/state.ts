// What a serial port remembers, and how it is saved.
import { boolean, codec, nullable, number, record, u8, type Codec } from "../../support/schema.ts";
import { characters, noCharacters, type Characters } from "./characters.ts";
import { FIFO_BYTES, MSR_CTS, MSR_DCD, MSR_DSR } from "./spec.ts";

/** All guest-visible state, and the bytes on their way. */
export interface SerialState {
  ier: number;
  /** FIFO control: enable and trigger level. */
  fcr: number;
  lcr: number;
  mcr: number;
  msr: number;
  scr: number;
  dll: number;
  dlm: number;
  /** Modem inputs from outside, as modem status bits. */
  cable: number;
  overrun: boolean;
  /** The transmitter-empty interrupt is due. */
  thrEmptied: boolean;
  /** The character timeout interrupt is due. */
  timedOut: boolean;
  /** When it will be. */
  timeoutAtNs: number | null;
  receiver: Characters;
  transmitter: Characters;
  /** Bytes from the host that have not arrived. */
  queue: Characters;
  /** The host's next bytes do not arrive before this. */
  lineFreeNs: number;
}

/** How many bytes from the host wait for the guest at most. */
export const QUEUE_BYTES = 1024;

/** How a serial port is saved. */
export const STATE: Codec<SerialState> = codec(
  "serial16550",
  1,
  record<SerialState>({
    ier: u8,
    fcr: u8,
    lcr: u8,
    mcr: u8,
    msr: u8,
    scr: u8,
    dll: u8,
    dlm: u8,
    cable: u8,
    overrun: boolean,
    thrEmptied: boolean,
    timedOut: boolean,
    timeoutAtNs: nullable(number),
    receiver: characters(FIFO_BYTES),
    transmitter: characters(FIFO_BYTES),
    queue: characters(QUEUE_BYTES),
    lineFreeNs: number,
  }),
);

/**
 * State after power-on, with a terminal that is connected and ready. The divisor is undefined then; 1 is what firmware sets, 115200 baud.
 */
export function powerOn(): SerialState {
  const connected = MSR_CTS | MSR_DSR | MSR_DCD;
  return {
    ier: 0,
    fcr: 0,
    lcr: 0,
    mcr: 0,
    msr: connected,
    scr: 0,
    dll: 1,
    dlm: 0,
    cable: connected,
    overrun: false,
    thrEmptied: false,
    timedOut: false,
    timeoutAtNs: null,
    receiver: noCharacters(FIFO_BYTES),
    transmitter: noCharacters(FIFO_BYTES),
    queue: noCharacters(QUEUE_BYTES),
    lineFreeNs: 0,
  };
}
