// The Linux/x86 boot protocol 2.02–2.15 (LINUX boot): a bzImage entered in 64-bit, 32-bit or real mode,
// with boot_params as the "zero page" (LINUX zero-page).
import { VmError } from "../support/errors.ts";
import { commandLineBytes, kernelLabel, type BootPlan, type BootRequest } from "./boot-request.ts";
import { bootGdt, identityMap, long64, protected32 } from "./cpu-start.ts";
import type { GuestWrite } from "./guest-write.ts";
import { ImageView } from "./image-view.ts";
import { BOOT_GDT, BOOT_PARAMS, COMMAND_LINE } from "./layout.ts";
import { readLinuxHeader, versionText } from "./linux-header.ts";
import { bootParams } from "./linux-params.ts";
import { placeInitrd, placeKernel, type LinuxBoot } from "./linux-placement.ts";
import { planLinuxRealMode } from "./linux-real-mode.ts";
import { Placement } from "./placement.ts";

const STARTUP_64 = 0x200;
const COMMAND_LINE_AREA = 0x1_0000;
/** Kernels before 2.06 document no 32-bit entry, and a low-loaded kernel has to be moved by its setup code. */
const FIRST_ENTRY_32 = 0x206;

function chooseEntry({ request, header }: LinuxBoot): "16" | "32" | "64" {
  const widest = header.entry64 ? "64" : header.version >= FIRST_ENTRY_32 && header.loadedHigh ? "32" : "16";
  const entry = request.entry ?? "auto";
  if (entry === "auto") return widest;
  if (Number(entry) > Number(widest)) {
    throw new VmError(
      "CONFIG_INVALID",
      `${kernelLabel(request)} has no ${entry}-bit entry: its boot protocol is ${versionText(header.version)}, its widest entry ${widest}-bit`,
    );
  }
  return entry;
}

function planProtected(boot: LinuxBoot, entry: "32" | "64"): BootPlan {
  const { request, view, header, placement } = boot;
  placement.take(BOOT_GDT, COMMAND_LINE + COMMAND_LINE_AREA - BOOT_GDT);
  const at = placeKernel(boot);
  const initrd = placeInitrd(boot, entry);
  const commandLine = commandLineBytes(request.commandLine ?? "", Math.min(header.commandLineMax, COMMAND_LINE_AREA - 1));
  const writes: GuestWrite[] = [
    ...request.tables.writes,
    { gpa: at, bytes: view.slice(header.setupBytes, header.kernelBytes, "the Linux kernel") },
    { gpa: BOOT_PARAMS, bytes: bootParams(boot, { loadedAt: at, commandLine: COMMAND_LINE, initrd }) },
    { gpa: COMMAND_LINE, bytes: commandLine },
    ...(initrd === undefined ? [] : [initrd]),
  ];
  const general = { rsi: BigInt(BOOT_PARAMS) };
  if (entry === "32")
    return { protocol: "linux", zero: [], writes: [...writes, bootGdt("protected32")], cpu: protected32({ rip: at, general }) };
  return {
    protocol: "linux",
    zero: [],
    writes: [...writes, bootGdt("long64"), identityMap()],
    cpu: long64({ rip: at + STARTUP_64, general }),
  };
}

/** Plans the start of a bzImage. */
export function planLinux(request: BootRequest): BootPlan {
  const view = new ImageView(request.kernel, kernelLabel(request));
  if ((request.modules?.length ?? 0) > 0) {
    throw new VmError("CONFIG_INVALID", "A Linux bzImage takes one initrd and no further boot modules");
  }
  const boot: LinuxBoot = { request, view, header: readLinuxHeader(view), placement: new Placement(request.tables.memoryMap) };
  const entry = chooseEntry(boot);
  return entry === "16" ? planLinuxRealMode(boot) : planProtected(boot, entry);
}
