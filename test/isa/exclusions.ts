// Rows that user-mode silicon under an operating system cannot vouch for, each with its reason. Everything else is recorded,
// privileged instructions too: their #GP(0) is their user-mode behaviour.
import type { Form } from "../../src/cpu/isa/instruction.ts";

const REASONS: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/^(SYSCALL|SYSENTER)$/, "enters the host's kernel"],
  [/^CPUID$/, "describes the host's processor"],
  [/^(RDTSC|RDTSCP|RDPMC|RDRAND|RDSEED|RDPID)$/, "gives another value every time"],
  [/^XGETBV$/, "describes the host's XCR0"],
  [/^(SGDT|SIDT|SLDT|STR|SMSW)$/, "is trapped and imitated by the host's kernel under UMIP"],
  [/^(VMCALL|VMMCALL|XBEGIN|XABORT|XTEST|XEND)$/, "depends on the host's hypervisor"],
];

/** Why a row is not recorded, or undefined when it is. */
export function whyExcluded(form: Form): string | undefined {
  return REASONS.find(([pattern]) => pattern.test(form.instruction))?.[1];
}
