// Modem control and status: in loopback the outputs of one are the inputs of the other (PC16550D datasheet §8.8 and §8.9).
import {
  MCR_DTR,
  MCR_LOOP,
  MCR_OUT1,
  MCR_OUT2,
  MCR_RTS,
  MSR_CTS,
  MSR_DCD,
  MSR_DCTS,
  MSR_DDCD,
  MSR_DDSR,
  MSR_DELTAS,
  MSR_DSR,
  MSR_INPUTS,
  MSR_RI,
  MSR_TERI,
} from "./spec.ts";

/** The modem's side of the cable. */
export interface ModemInputs {
  readonly cts: boolean;
  readonly dsr: boolean;
  readonly ri: boolean;
  readonly dcd: boolean;
}

/** Modem status bits of the inputs. */
export function inputBits({ cts, dsr, ri, dcd }: ModemInputs): number {
  return (cts ? MSR_CTS : 0) | (dsr ? MSR_DSR : 0) | (ri ? MSR_RI : 0) | (dcd ? MSR_DCD : 0);
}

/** The modem status after a change: `cable` from outside, unless the loop is closed. */
export function modemStatus(before: number, mcr: number, cable: number): number {
  const inputs = (mcr & MCR_LOOP) !== 0 ? looped(mcr) : cable & MSR_INPUTS;
  const changed = before ^ inputs;
  // The ring indicator reports its trailing edge alone.
  const deltas =
    (changed & MSR_CTS ? MSR_DCTS : 0) |
    (changed & MSR_DSR ? MSR_DDSR : 0) |
    (changed & before & MSR_RI ? MSR_TERI : 0) |
    (changed & MSR_DCD ? MSR_DDCD : 0);
  return inputs | (before & MSR_DELTAS) | deltas;
}

function looped(mcr: number): number {
  return inputBits({ cts: (mcr & MCR_RTS) !== 0, dsr: (mcr & MCR_DTR) !== 0, ri: (mcr & MCR_OUT1) !== 0, dcd: (mcr & MCR_OUT2) !== 0 });
}
