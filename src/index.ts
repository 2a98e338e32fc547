// The portable entry: everything but a host. `node.ts` adds Node's.
export { MACHINE_OPTIONS, resolveConfig } from "./machine/config.ts";
export type { BoardName, DeviceName, EngineChoice, EntryName, FileSource, MachineConfig, ResolvedMachineConfig } from "./machine/config.ts";
export type { DiskConfig, SerialTarget, SymbolSource } from "./machine/attachments.ts";
export type { MachineEnd, MachineStatistics } from "./machine/machine.ts";
export { failureOf } from "./sdk/failure.ts";
export { openMachine } from "./sdk/machine.ts";
export type { ExecResult, Machine, MachineCommand, MachineConsole, MachineOptions } from "./sdk/machine.ts";
export type { MachineChannel, Platform } from "./sdk/platform.ts";
export { REMEDIES, VmError } from "./support/errors.ts";
export type { ErrorCode, VmErrorJson } from "./support/errors.ts";
