// The entry for Node: `import { Machine } from "nido"`.
//
//   const machine = await Machine.create({ memory: "512M" });
//   const { status, stdout } = await machine.exec(["uname", "-a"]);
import type { MachineConfig } from "./machine/config.ts";
import { nodePlatform } from "./host/node/platform.ts";
import { openMachine, type Machine as PortableMachine, type MachineOptions } from "./sdk/machine.ts";

export * from "./index.ts";

/** A machine; see the portable class for what it does. */
export type Machine = PortableMachine;

/** Makes machines on this host. */
export const Machine: { create(config?: MachineConfig, options?: MachineOptions): Promise<Machine> } = {
  /** Opens a machine's files and returns it, not yet started. Throws VmError (CONFIG_INVALID, FILE_NOT_FOUND, MEMORY_INVALID…). */
  create: (config = {}, options = {}) => openMachine(config, nodePlatform, options),
};
