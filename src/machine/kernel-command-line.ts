// What a machine tells its kernel.
import type { ResolvedMachineConfig } from "./config.ts";

const SERIAL_CONSOLE = "console=ttyS0";

// The embedded guest's kernel tests all its ciphers at boot, which takes longer than the rest of it, and it restarts at once after a panic.
const EMBEDDED = ["cryptomgr.notests", "panic=-1", "TERM=xterm"];

/** The kernel's command line. For the embedded guest `append` takes the place of "quiet"; for others, of everything. */
export function kernelCommandLine({ kernel, append, command }: ResolvedMachineConfig): string {
  if (kernel !== undefined) return append ?? SERIAL_CONSOLE;
  const words = [SERIAL_CONSOLE, ...EMBEDDED, append ?? "quiet"];
  if (command !== undefined) words.push("nido.exec");
  return words.filter((word) => word !== "").join(" ");
}
