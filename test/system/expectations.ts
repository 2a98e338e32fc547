// How every bare-metal program ends, how many checks it makes, and what a processor behind /dev/kvm has to be able to for it.
import type { Ending } from "./program.ts";

/** A question to a host's KVM: the program of that name in kvm/probes, which passes where the answer is yes. */
export type Need = "real" | "protected" | "paging" | "long" | "features" | "intel" | "user";

export interface Expectation {
  readonly checks: number;
  readonly ending: Ending;
  readonly needs: readonly Need[];
}

const PROTECTED = ["protected"] as const;
const PAGING = [...PROTECTED, "paging"] as const;
const INTEL_PAGING = [...PAGING, "intel"] as const;
const LONG = [...PROTECTED, "long", "features"] as const;
const INTEL_LONG = [...LONG, "intel"] as const;
const EVERYTHING = [...PAGING, "long", "features"] as const;

/** By the names of the programs. */
export const EXPECTATIONS: Readonly<Record<string, Expectation>> = {
  alignment: { checks: 120, ending: "finished", needs: LONG },
  "call-gates": { checks: 87, ending: "finished", needs: PROTECTED },
  canonical: { checks: 241, ending: "finished", needs: INTEL_LONG },
  "control-registers": { checks: 268, ending: "finished", needs: INTEL_LONG },
  debug: { checks: 78, ending: "finished", needs: PROTECTED },
  "endless-breakpoint": { checks: 1, ending: "timeout", needs: PROTECTED },
  ia32e: { checks: 134, ending: "finished", needs: INTEL_LONG },
  limits: { checks: 165, ending: "finished", needs: PROTECTED },
  "mode-switch": { checks: 39, ending: "finished", needs: EVERYTHING },
  "paging-32": { checks: 85, ending: "finished", needs: PAGING },
  "paging-long": { checks: 159, ending: "finished", needs: LONG },
  "paging-pae": { checks: 107, ending: "finished", needs: INTEL_PAGING },
  "protected-gates": { checks: 108, ending: "finished", needs: PROTECTED },
  "real-limits": { checks: 70, ending: "finished", needs: ["real"] },
  "real-mode": { checks: 34, ending: "finished", needs: ["real"] },
  "real-triple-fault": { checks: 1, ending: "shutdown", needs: ["real"] },
  segments: { checks: 196, ending: "finished", needs: PROTECTED },
  "self-modifying": { checks: 47, ending: "finished", needs: LONG },
  "string-faults": { checks: 96, ending: "finished", needs: LONG },
  "supervisor-pages": { checks: 87, ending: "finished", needs: LONG },
  syscalls: { checks: 78, ending: "finished", needs: INTEL_LONG },
  "sysenter-32": { checks: 24, ending: "finished", needs: PROTECTED },
  tasks: { checks: 78, ending: "finished", needs: PROTECTED },
  translations: { checks: 103, ending: "finished", needs: LONG },
  "triple-fault": { checks: 2, ending: "shutdown", needs: PROTECTED },
  user: { checks: 129, ending: "finished", needs: ["user"] },
  "virtual-8086": { checks: 102, ending: "finished", needs: PROTECTED },
};
