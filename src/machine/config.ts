// What a machine is made of: one schema for the SDK, the command line and the documentation. Values come typed or as text.
import { VmError } from "../support/errors.ts";
import { didYouMean } from "../support/suggest.ts";
import { diskOption, serialOption, symbolsOption, type DiskConfig, type SerialTarget, type SymbolSource } from "./attachments.ts";
import { choice, duration, file, isText, list, path, size, text, type Option } from "./option.ts";

const MIB = 2 ** 20;

/** Longest kernel command line in bytes: Linux's COMMAND_LINE_SIZE on x86 is 2048 with the NUL. */
export const APPEND_MAX_BYTES = 2047;

/** Instead of a folder: nothing is kept from one start to the next. */
export const NO_CACHE = "off";

/** What may run the guest's code; `auto` is the fastest that works here. */
export type EngineChoice = "auto" | "wasm" | "interpreter";

/** Which board the machine has. */
export type BoardName = "microvm" | "pc";

/** Which of a Linux kernel's entry points starts it, by the width of the code there; `auto` is the widest it has. */
export type EntryName = "auto" | "64" | "32" | "16";

/** Extra devices that a machine has only when asked for. */
export type DeviceName = "isa-debug-exit" | "debugcon";

/** The path of a file, or its content. */
export type FileSource = string | Uint8Array;

/** A machine's options as a user gives them; what is left out has the default of `MACHINE_OPTIONS`. */
export interface MachineConfig {
  /** Bytes, or text: `"512M"`. */
  readonly memory?: number | string | undefined;
  readonly engine?: EngineChoice | undefined;
  readonly board?: BoardName | undefined;
  readonly kernel?: FileSource | undefined;
  readonly initrd?: FileSource | undefined;
  readonly append?: string | undefined;
  readonly entry?: EntryName | undefined;
  /** Disks, or text as on the command line: `"disk.img,format=raw,readonly"`. */
  readonly disks?: readonly (DiskConfig | string)[] | undefined;
  readonly devices?: readonly DeviceName[] | undefined;
  /** `"stdio"`, `"null"` or `"file:PATH"`. */
  readonly serial?: SerialTarget | string | undefined;
  /** Milliseconds, or text: `"60s"`. */
  readonly timeout?: number | string | undefined;
  /** The path of a folder, or `"off"`. */
  readonly cache?: string | undefined;
  /** The path of the file to write. */
  readonly profile?: string | undefined;
  /** Symbols, or text as on the command line: `"System.map"`, `"prog@0x555555554000"`. */
  readonly symbols?: readonly (SymbolSource | string)[] | undefined;
  readonly command?: readonly string[] | undefined;
}

/** A machine's options, checked, with every default filled in. */
export interface ResolvedMachineConfig {
  readonly memoryBytes: number;
  readonly engine: EngineChoice;
  readonly board: BoardName;
  /** Undefined: the kernel of the embedded guest. */
  readonly kernel: FileSource | undefined;
  /** Undefined: none, or that of the embedded guest when the kernel is the embedded guest's. */
  readonly initrd: FileSource | undefined;
  /** Undefined: what the board needs for a serial console. */
  readonly append: string | undefined;
  readonly entry: EntryName;
  readonly disks: readonly DiskConfig[];
  readonly devices: readonly DeviceName[];
  readonly serial: SerialTarget;
  /** Undefined: no limit. */
  readonly timeoutMs: number | undefined;
  /** A folder, or `NO_CACHE`. Undefined: what the host has for the user. */
  readonly cache: string | undefined;
  /** Undefined: nothing is profiled. */
  readonly profile: string | undefined;
  readonly symbols: readonly SymbolSource[];
  /** The program and its arguments that the guest runs instead of a shell; undefined: none. */
  readonly command: readonly string[] | undefined;
}

/** The type of every option's value. */
interface OptionValues {
  readonly memory: number;
  readonly engine: EngineChoice;
  readonly board: BoardName;
  readonly kernel: FileSource;
  readonly initrd: FileSource;
  readonly append: string;
  readonly entry: EntryName;
  readonly disks: readonly DiskConfig[];
  readonly devices: readonly DeviceName[];
  readonly serial: SerialTarget;
  readonly timeout: number;
  readonly cache: string;
  readonly profile: string;
  readonly symbols: readonly SymbolSource[];
  readonly command: readonly string[];
}

/** A machine's options by name, with their ranges and defaults; help and the documentation's table are made from it. */
export const MACHINE_OPTIONS: { readonly [K in keyof OptionValues]: Option<OptionValues[K]> } = {
  memory: size({ describe: "Guest memory.", otherwise: "512M" }, { min: 16 * MIB, max: 3584 * MIB, step: MIB }),
  engine: choice(
    {
      describe: "What runs the guest's code; auto takes the fastest there is. wasm translates hot code, interpreter translates nothing.",
      otherwise: "auto",
    },
    "NAME",
    ["auto", "wasm", "interpreter"],
  ),
  board: choice({ describe: "The board: microvm (virtio over MMIO) or pc (PCI).", otherwise: "pc" }, "NAME", ["microvm", "pc"]),
  kernel: file({ describe: "Kernel to start: Linux bzImage, ELF with a PVH note, or multiboot.", otherwise: "the embedded guest's" }),
  initrd: file({ describe: "Initial RAM disk for the kernel.", otherwise: "the embedded guest's with its kernel, else none" }),
  append: text({ describe: "Text for the kernel's command line.", otherwise: "a console on the serial line" }, APPEND_MAX_BYTES),
  entry: choice({ describe: "Which entry of a Linux bzImage to start at: 64-, 32- or 16-bit.", otherwise: "auto, the widest" }, "NAME", [
    "auto",
    "64",
    "32",
    "16",
  ]),
  disks: list(diskOption({ describe: "Disk image to attach.", otherwise: "none" }), 16),
  devices: list(choice({ describe: "Extra device to attach.", otherwise: "none" }, "NAME", ["isa-debug-exit", "debugcon"]), 16),
  serial: serialOption({ describe: "Where the serial console goes: the console streams, a file, or nowhere.", otherwise: "stdio" }),
  timeout: duration({ describe: "How long the machine may run.", otherwise: "no limit" }, { min: 1, max: 24 * 86_400_000 }),
  cache: {
    ...path({
      describe: "Folder in which translated code is kept for the next start.",
      otherwise: "what NIDO_CACHE says, else nido/regions in the user's cache folder",
    }),
    placeholder: "FOLDER",
    accepts: `the path of a folder, or ${NO_CACHE} to keep nothing`,
  },
  profile: path({
    describe:
      "Samples where the host's time goes and writes it as a .cpuprofile: guest functions, devices, idleness. A sample a millisecond, the first million.",
    otherwise: "none",
  }),
  symbols: list(symbolsOption({ describe: "Names of guest code for the profile.", otherwise: "none, addresses instead" }), 64),
  command: list(
    {
      describe: "Program and arguments to run in the guest instead of a shell.",
      placeholder: "COMMAND",
      accepts: "text without NUL",
      otherwise: "a shell",
      repeated: false,
      read: (value) => (isText(value) ? value : undefined),
    },
    4096,
  ),
};

/** The command line's flag of an option: repeated options are singular there. Undefined for the command, which follows `--`. */
export function flagOf(name: keyof typeof MACHINE_OPTIONS): string | undefined {
  if (name === "command") return undefined;
  return MACHINE_OPTIONS[name].repeated && name !== "symbols" ? `--${name.replace(/s$/, "")}` : `--${name}`;
}

/** Checks a configuration and fills in the defaults. Throws CONFIG_INVALID naming the option, the value and its range. */
export function resolveConfig(input: MachineConfig): ResolvedMachineConfig {
  checkNames(input);
  const command = read("command", input.command);
  const profile = read("profile", input.profile);
  if (input.symbols !== undefined && profile === undefined) refuse("symbols", input.symbols, "a profile (--profile) that they are for");
  if (command?.length === 0 || command?.[0] === "") refuse("command", input.command, "a program and its arguments");
  return {
    memoryBytes: read("memory", input.memory) ?? 512 * MIB,
    engine: read("engine", input.engine) ?? "auto",
    board: read("board", input.board) ?? "pc",
    kernel: read("kernel", input.kernel),
    initrd: read("initrd", input.initrd),
    append: read("append", input.append),
    entry: read("entry", input.entry) ?? "auto",
    disks: read("disks", input.disks) ?? [],
    devices: [...new Set(read("devices", input.devices))],
    serial: read("serial", input.serial) ?? { kind: "stdio" },
    timeoutMs: read("timeout", input.timeout),
    cache: read("cache", input.cache),
    profile,
    symbols: read("symbols", input.symbols) ?? [],
    command,
  };
}

function checkNames(input: MachineConfig): void {
  const known = Object.keys(MACHINE_OPTIONS);
  for (const name of Object.keys(input)) {
    if (known.includes(name)) continue;
    throw new VmError("CONFIG_INVALID", `Unknown option ${JSON.stringify(name)}.${didYouMean(name, known)}`, { data: { option: name } });
  }
}

function read<K extends keyof OptionValues>(name: K, value: unknown): OptionValues[K] | undefined {
  if (value === undefined) return undefined;
  const option: Option<OptionValues[K]> = MACHINE_OPTIONS[name];
  return option.read(value) ?? refuse(name, value, option.accepts, offender(option, value));
}

/** The item that makes a list unacceptable, to be shown instead of the whole list. */
function offender(option: Option<unknown>, value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return value.length === 1 ? value[0] : (value.find((item) => option.read([item]) === undefined) ?? value);
}

function refuse(name: keyof OptionValues, value: unknown, range: string, shown: unknown = value): never {
  const flag = flagOf(name);
  const where = flag === undefined ? name : `${name} (${flag})`;
  throw new VmError("CONFIG_INVALID", `Bad value ${show(shown)} for ${where}: expected ${range}`, {
    data: { option: name, value: show(shown), range },
  });
}

/** A value in few words, whatever it is. */
function show(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value === "bigint" || typeof value === "symbol" || typeof value === "function") return `a ${typeof value}`;
  const shown = printed(value);
  return shown.length > 80 ? `${shown.slice(0, 77)}...` : shown;
}

/** JSON where there is one; a value may be cyclic, hold bigints or have a hostile toJSON. */
function printed(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return `a ${typeof value}`;
  }
}
