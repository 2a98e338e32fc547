// Ends that are failures, as errors in words.
import type { MachineEnd } from "../machine/machine.ts";
import { VmError } from "../support/errors.ts";

/** The error that an end amounts to; undefined when the machine ended as machines do. */
export function failureOf(end: MachineEnd): VmError | undefined {
  switch (end.kind) {
    case "tripleFault":
      return new VmError("GUEST_SHUTDOWN", `The guest's processor shut down after a triple fault${detail(end.detail)}`, {
        data: { detail: end.detail },
      });
    case "panic":
      return new VmError("GUEST_PANIC", `The guest's kernel panicked${detail(end.detail)}`, { data: { detail: end.detail } });
    case "timeout":
      return new VmError("TIMEOUT", "The machine was stopped: its time ran out");
    case "error":
      return end.error;
    case "powerOff":
    case "reset":
    case "debugExit":
    case "exit":
    case "stopped":
      return undefined;
  }
}

function detail(text: string): string {
  return text === "" ? "" : `: ${text}`;
}
