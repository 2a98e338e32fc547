// The debug console of virtual machines: one port that takes characters, as Bochs (E9h) and QEMU's isa-debugcon have it. SeaBIOS and OVMF write to
// port 402h when a read of it gives E9h.
import { codec, record } from "../../support/schema.ts";
import type { Codec, Device, DeviceType, PortRegion } from "../device.ts";
import { DEFAULT_PORT, READBACK } from "./spec.ts";

/** Where the console is and where its characters go. */
export interface DebugconConfig {
  /** 402h unless given. */
  readonly port?: number;
  /** Takes each byte that the guest writes, 0 to FFh. */
  readonly sink: (byte: number) => void;
}

/** The port has no state. */
export type DebugconState = Record<never, never>;

const STATE: Codec<DebugconState> = codec("debugcon", 1, record<DebugconState>({}));

/** A debug console port. */
export class Debugcon implements Device<DebugconState> {
  readonly ports: readonly PortRegion[];
  readonly state: DebugconState = {};

  constructor({ port = DEFAULT_PORT, sink }: DebugconConfig) {
    this.ports = [{ name: "debugcon", base: port, length: 1, read: () => READBACK, write: (_offset, _width, value) => sink(value & 0xff) }];
  }

  reset(): void {}
}

/** A port that takes characters for the host. */
export const debugcon: DeviceType<DebugconConfig, DebugconState, Debugcon> = {
  kind: "debugcon",
  state: STATE,
  create: (config) => new Debugcon(config),
};
