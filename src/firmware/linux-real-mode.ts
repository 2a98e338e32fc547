// The 16-bit entry of a Linux kernel: its own setup code runs in real mode, asks for the memory map, and goes to protected mode
// (LINUX boot "Loading The Rest of The Kernel", "Running the Kernel"). Laid out as its sample configuration:
//
//   09_0000  boot sector and setup code    09_E000  command line    F_E000  interrupt services
//            heap and stack up to E000h     10_0000  kernel (01_0000 for one that loads low)
import { commandLineBytes, kernelInvalid, type BootPlan } from "./boot-request.ts";
import { real16 } from "./cpu-start.ts";
import { takeForKernel } from "./elf-load.ts";
import type { GuestWrite } from "./guest-write.ts";
import { EBDA, HIGH_MEMORY, REAL_MODE_SETUP } from "./layout.ts";
import { CAN_USE_HEAP, HEADER } from "./linux-header.ts";
import { writeLoaderFields } from "./linux-params.ts";
import { placeInitrd, takeUnpacked, type LinuxBoot, type PlacedInitrd } from "./linux-placement.ts";
import { realModeServices } from "./real-mode-services.ts";

const LOW_KERNEL = 0x1_0000;
/** End of heap and stack in the setup segment; the command line follows. */
const STACK_END = 0xe000;
const SMALLEST_STACK = 0x1000;
/** heap_end_ptr counts from the end of the boot sector. */
const BOOT_SECTOR = 0x200;
const SETUP_ENTRY_SEGMENT = 0x20;

function setupCode({ view, header }: LinuxBoot, initrd: PlacedInitrd): Uint8Array {
  const setup = view.slice(0, header.setupBytes, "the Linux setup code").slice();
  const fields = new DataView(setup.buffer);
  writeLoaderFields(fields, REAL_MODE_SETUP + STACK_END, initrd);
  fields.setUint8(HEADER.loadflags, fields.getUint8(HEADER.loadflags) | CAN_USE_HEAP);
  fields.setUint16(HEADER.heap_end_ptr, STACK_END - BOOT_SECTOR, true);
  return setup;
}

/** Plans the start of a kernel's real-mode setup code. */
export function planLinuxRealMode(boot: LinuxBoot): BootPlan {
  const { request, view, header, placement } = boot;
  const map = request.tables.memoryMap;
  if (header.setupBytes > STACK_END - SMALLEST_STACK) {
    throw kernelInvalid(view.label, `its Linux setup code of ${header.setupBytes} bytes does not fit into a segment`);
  }
  const at = header.loadedHigh ? HIGH_MEMORY : LOW_KERNEL;
  placement.take(REAL_MODE_SETUP, EBDA - REAL_MODE_SETUP);
  takeForKernel(placement, map, view.label, at, header.kernelBytes);
  takeUnpacked(header, header.preferred ?? HIGH_MEMORY, at + header.kernelBytes, placement, request, view.label);
  const initrd = placeInitrd(boot, "16");
  const commandLineAt = REAL_MODE_SETUP + STACK_END;
  const commandLine = commandLineBytes(request.commandLine ?? "", Math.min(header.commandLineMax, EBDA - commandLineAt - 1));
  const writes: GuestWrite[] = [
    ...request.tables.writes,
    ...realModeServices(map),
    { gpa: REAL_MODE_SETUP, bytes: setupCode(boot, initrd) },
    { gpa: at, bytes: view.slice(header.setupBytes, header.kernelBytes, "the Linux kernel") },
    { gpa: commandLineAt, bytes: commandLine },
    ...(initrd === undefined ? [] : [initrd]),
  ];
  const segment = REAL_MODE_SETUP / 16;
  return { protocol: "linux", zero: [], writes, cpu: real16({ rip: 0, rsp: STACK_END }, segment + SETUP_ENTRY_SEGMENT, segment) };
}
