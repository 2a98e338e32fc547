// Direct kernel boot: recognises the kernel and plans what has to be in memory and registers before its first instruction.
import { VmError } from "../support/errors.ts";
import { kernelInvalid, kernelLabel, type BootPlan, type BootRequest } from "./boot-request.ts";
import { detect } from "./image-kind.ts";
import { planLinux } from "./linux-boot.ts";
import { planMultiboot } from "./multiboot.ts";
import { planPvh } from "./pvh.ts";

export { detect } from "./image-kind.ts";
export type { BootPlan, BootRequest } from "./boot-request.ts";

/**
 * Plans the start of a kernel of any supported kind. Throws KERNEL_INVALID (not a kernel, truncated, for another machine),
 * INITRD_INVALID, MEMORY_INVALID (does not fit) or CONFIG_INVALID (command line, entry).
 */
export function planBoot(request: BootRequest): BootPlan {
  const { protocol, description } = detect(request.kernel);
  if (protocol === "unsupported") throw kernelInvalid(kernelLabel(request), `it is ${description}`, { description });
  if (protocol === "linux") return planLinux(request);
  refuseEntry(request, description);
  return protocol === "pvh" ? planPvh(request) : planMultiboot(request);
}

/** Only a bzImage has several entries. */
function refuseEntry(request: BootRequest, description: string): void {
  const { entry = "auto" } = request;
  if (entry === "auto") return;
  const why = `it is ${description}, which has one entry; --entry is for a Linux bzImage`;
  throw new VmError("CONFIG_INVALID", `Cannot boot ${kernelLabel(request)}: ${why}`, { data: { option: "entry", value: entry } });
}
