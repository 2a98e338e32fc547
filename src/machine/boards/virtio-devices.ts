// The virtio devices of a board, whichever way it carries them.
import type { BlockConfig, ConsoleConfig, RngConfig, VirtioConsole } from "../../devices/virtio/index.ts";
import type { BoardRequest } from "./board.ts";

/** How a board takes virtio devices. The order of the calls is the order in which a guest finds them. */
export interface VirtioSlots {
  block(name: string, config: BlockConfig): void;
  console(name: string, config: ConsoleConfig): VirtioConsole;
  entropy(name: string, config: RngConfig): void;
}

/** Plugs in the disks, the console with the command ports if there are any, and the entropy device. */
export function plugVirtioDevices(slots: VirtioSlots, { disks, commandPorts, random, events }: BoardRequest): VirtioConsole | undefined {
  disks.forEach((disk, index) => {
    const onError = (error: unknown): void => events.diskFailed(index, error);
    slots.block(`disk${index}`, { disk, serial: `nido-disk${index}`, onError });
  });
  slots.entropy("entropy", { random });
  if (commandPorts.length === 0) return undefined;
  return slots.console("commands", { ports: commandPorts.map((name) => ({ name })) });
}
