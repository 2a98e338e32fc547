// Entries of the capabilities list (PCI 3.0 §6.7). Offsets are relative to the entry, whose first two bytes are ID and link.
import type { Width } from "../region.ts";
import type { ConfigSpace } from "./config-space.ts";

/** One capability of a function. */
export interface Capability {
  /** Capability ID. */
  readonly id: number;
  /** Bytes, with ID and link. */
  readonly length: number;
  /** Declares its registers at `at` in the configuration space; ID and link are not its business. */
  define(config: ConfigSpace, at: number): void;
  /** After software wrote within it. */
  wrote?(offset: number, width: Width): void;
  /** Before software reads within it: the place to bring registers up to date. */
  reading?(offset: number, width: Width): void;
}

/** Delivers a message-signalled interrupt: a write of `data` to `address`. */
export type DeliverMsi = (address: number, data: number) => void;

/** What a message-signalling capability needs from its function. */
export interface MessagePort {
  /** Bus mastering is on: messages are memory writes (PCI 3.0 §6.8). */
  readonly enabled: boolean;
  readonly deliver: DeliverMsi;
}
