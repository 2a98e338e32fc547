// The embedded guest under Nido and under QEMU's TCG, with the same kernel, initramfs and command line.
import { join } from "node:path";
import { ROOT } from "../scripts/setup.mjs";

const KERNEL = join(ROOT, "guest/images/vmlinuz");
const INITRAMFS = join(ROOT, "guest/images/initramfs.img");

/** What the guest's shell prints when it is ready. */
export const PROMPT = ":~#";

/** Nido's command for the embedded guest, or another initramfs. */
export function nido(options: { initrd?: string; append?: string } = {}): string[] {
  const { initrd = INITRAMFS, append = "" } = options;
  const kernel = Object.keys(options).length === 0 ? [] : ["--kernel", KERNEL, "--initrd", initrd, "--append", append];
  return [process.execPath, join(ROOT, "bin/nido.mjs"), "run", "--memory", "256M", ...kernel];
}

/** The same under QEMU. CMPXCHG16B is taken away: QEMU 7.2 corrupts guests that use it. */
export function qemu(append: string, initrd: string = INITRAMFS): string[] {
  // oxfmt-ignore
  return [
    "qemu-system-x86_64", "-machine", "pc,accel=tcg", "-cpu", "qemu64,-cx16", "-m", "256", "-nographic", "-no-reboot", "-net", "none",
    "-kernel", KERNEL, "-initrd", initrd, "-append", append,
  ];
}

/** The command line of the embedded guest (guest/PROTOCOL.md). */
export const EMBEDDED_APPEND = "console=ttyS0 quiet cryptomgr.notests";
