// From a board at rest to one whose processor stands at the kernel's first instruction.
import type { Engine } from "../cpu/engine/engine.ts";
import { planBoot } from "../firmware/boot.ts";
import { writeGuest } from "../firmware/guest-write.ts";
import { firmwareTables } from "../firmware/tables.ts";
import type { GuestMemory } from "../memory/guest-memory.ts";
import type { Board } from "./boards/index.ts";
import type { FileSource, ResolvedMachineConfig } from "./config.ts";
import { kernelCommandLine } from "./kernel-command-line.ts";
import type { MachineHost } from "./machine.ts";
import { setUpMemoryTypes } from "./memory-types.ts";
import { applyCpuStart } from "./start-registers.ts";

/** Initialises the board and loads the kernel. Throws KERNEL_INVALID, INITRD_INVALID, MEMORY_INVALID or CONFIG_INVALID. */
export function bootKernel(
  config: ResolvedMachineConfig,
  host: Pick<MachineHost, "kernel" | "initrd">,
  parts: { readonly board: Board; readonly memory: GuestMemory; readonly engine: Engine },
): void {
  const { board, memory, engine } = parts;
  board.initialise();
  const plan = planBoot({
    kernel: host.kernel,
    kernelName: nameOf(config.kernel),
    initrd: host.initrd,
    initrdName: nameOf(config.initrd),
    commandLine: kernelCommandLine(config),
    entry: config.entry,
    tables: firmwareTables(board.platform, memory),
  });
  writeGuest(memory, plan.writes, plan.zero);
  setUpMemoryTypes(engine.registers);
  applyCpuStart(engine.registers, plan.cpu);
}

function nameOf(source: FileSource | undefined): string | undefined {
  return typeof source === "string" ? source : undefined;
}
