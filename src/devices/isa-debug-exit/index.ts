// A port that ends the machine with a status of the guest's choice, as test kernels use it (QEMU's isa-debug-exit).
import { codec, record } from "../../support/schema.ts";
import type { Codec, Device, DeviceType, PortRegion } from "../device.ts";
import { DEFAULT_PORT, LENGTH } from "./spec.ts";

export { exitStatus } from "./spec.ts";

/** Where the port is and what ends the machine. */
export interface IsaDebugExitConfig {
  /** F4h unless given. */
  readonly port?: number;
  /** Called with the value written; the process is to end with `exitStatus(value)`. */
  readonly exit: (value: number) => void;
}

/** The port has no state. */
export type IsaDebugExitState = Record<never, never>;

const STATE: Codec<IsaDebugExitState> = codec("isa-debug-exit", 1, record<IsaDebugExitState>({}));

/** A debug exit port. Reads give 0. */
export class IsaDebugExit implements Device<IsaDebugExitState> {
  readonly ports: readonly PortRegion[];
  readonly state: IsaDebugExitState = {};

  constructor({ port = DEFAULT_PORT, exit }: IsaDebugExitConfig) {
    this.ports = [{ name: "isa-debug-exit", base: port, length: LENGTH, read: () => 0, write: (_offset, _width, value) => exit(value) }];
  }

  reset(): void {}
}

/** A port that ends the machine. */
export const isaDebugExit: DeviceType<IsaDebugExitConfig, IsaDebugExitState, IsaDebugExit> = {
  kind: "isa-debug-exit",
  state: STATE,
  create: (config) => new IsaDebugExit(config),
};
