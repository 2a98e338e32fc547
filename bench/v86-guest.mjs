// Runs a guest in v86 with its serial console on the standard output. Started by bench/workloads/v86.ts, with its options as JSON; ends
// when the guest says that it is about to power off, since v86 then only halts.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const options = JSON.parse(process.argv[2] ?? "{}");
const { V86 } = await import(pathToFileURL(join(options.build, "libv86.mjs")).href);
/** @param {string} path */
const image = (path) => {
  const bytes = readFileSync(path);
  return { buffer: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) };
};

const emulator = new V86({
  wasm_path: join(options.build, "v86.wasm"),
  memory_size: options.memoryMiB << 20,
  vga_memory_size: 8 << 20,
  bios: image(options.bios),
  vga_bios: image(options.vgaBios),
  bzimage: image(options.kernel),
  initrd: image(options.initrd),
  cmdline: options.append,
  autostart: true,
  disable_speaker: true,
});

let line = "";
emulator.add_listener("serial0-output-byte", (/** @type {number} */ byte) => {
  line += String.fromCharCode(byte);
  if (byte !== 10) return;
  process.stdout.write(line, "latin1");
  // The parent still has to look at this process when it sees the line.
  if (line.startsWith("MARK poweroff")) setTimeout(() => process.exit(0), 500);
  line = "";
});
