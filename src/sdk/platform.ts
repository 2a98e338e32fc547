// What the SDK needs from the host it runs on: a thread for each machine, and a timer.
import type { ScheduledTask } from "../machine/machine.ts";
import type { FromMachine, ToMachine } from "../machine/protocol.ts";
import type { VmError } from "../support/errors.ts";

/** The way to a machine in its thread. */
export interface MachineChannel {
  post(message: ToMachine): void;
  /** Sets who hears the machine, and who hears that its thread is gone. Called once, before the first `post`. */
  listen(receive: (message: FromMachine) => void, died: (error: VmError) => void): void;
  /** Ends the thread, whatever it is doing. */
  terminate(): Promise<void>;
}

/** A host that can run machines. */
export interface Platform {
  openThread(): MachineChannel;
  /** Runs the task in `ms` milliseconds. */
  after(ms: number, task: () => void): ScheduledTask;
}
