// The options whose values have a small syntax of their own: disks, the serial console, files of symbols.
import { isText, type Option } from "./option.ts";

/** A disk image and how it is attached. */
export interface DiskConfig {
  readonly path: string;
  /** Never guessed: a guest could turn its raw disk into an image of another format by writing a header. */
  readonly format: "raw";
  readonly readOnly: boolean;
}

/** Where the serial console goes: the machine's console streams, nowhere, or a file (output only). */
export type SerialTarget = { readonly kind: "stdio" } | { readonly kind: "null" } | { readonly kind: "file"; readonly path: string };

/** Names of guest code by address. */
export interface SymbolSource {
  /** The path of a file, or its content: System.map, /proc/kallsyms, the output of nm, ELF. */
  readonly file: string | Uint8Array;
  /** What the guest's addresses are above the file's; undefined: nothing, except that a Linux kernel is looked for where it runs. */
  readonly bias: bigint | undefined;
}

/** A disk: `{ path, format, readOnly }`, or the text `FILE,format=raw[,readonly]` in which a comma of the name is doubled. */
export function diskOption(words: { readonly describe: string; readonly otherwise: string }): Option<DiskConfig> {
  return {
    ...words,
    placeholder: "FILE,format=raw[,readonly]",
    accepts: "FILE,format=raw[,readonly] (a format is never guessed; double a comma in the file's name)",
    repeated: false,
    read: (value) => {
      const disk = typeof value === "string" ? parseDisk(value) : value;
      if (typeof disk !== "object" || disk === null) return undefined;
      const { path, format, readOnly = false, ...rest } = disk as Record<string, unknown>;
      const valid = isText(path) && path !== "" && format === "raw" && typeof readOnly === "boolean" && Object.keys(rest).length === 0;
      return valid ? { path, format, readOnly } : undefined;
    },
  };
}

/** The fields of a disk given as text; undefined when a word is not known. */
function parseDisk(text: string): unknown {
  if (!isText(text)) return undefined;
  // A doubled comma stands for one in the name: NUL, which a name cannot hold, takes its place while the words are split.
  const [path, ...words] = text
    .replaceAll(",,", "\0")
    .split(",")
    .map((part) => part.replaceAll("\0", ","));
  const disk: { path: unknown; format?: string; readOnly?: boolean } = { path };
  for (const word of words) {
    if (word === "readonly") disk.readOnly = true;
    else if (word.startsWith("format=")) disk.format = word.slice("format=".length);
    else return undefined;
  }
  return disk;
}

/** The serial console: `stdio`, `null` or `file:PATH`. */
export function serialOption(words: { readonly describe: string; readonly otherwise: string }): Option<SerialTarget> {
  return {
    ...words,
    placeholder: "stdio|file:PATH|null",
    accepts: "stdio, null or file:PATH",
    repeated: false,
    read: (value) => {
      const target = typeof value === "string" ? parseSerial(value) : value;
      if (typeof target !== "object" || target === null) return undefined;
      const { kind, path } = target as { kind?: unknown; path?: unknown };
      if (kind === "file") return isText(path) && path !== "" ? { kind, path } : undefined;
      return kind === "stdio" || kind === "null" ? { kind } : undefined;
    },
  };
}

function parseSerial(text: string): unknown {
  return text.startsWith("file:") ? { kind: "file", path: text.slice("file:".length) } : { kind: text };
}

/** Symbols: `{ file, bias }`, or the text `FILE` or `FILE@0xADDRESS`. */
export function symbolsOption(words: { readonly describe: string; readonly otherwise: string }): Option<SymbolSource> {
  return {
    ...words,
    placeholder: "FILE[@0xADDRESS]",
    accepts: "FILE (System.map, kallsyms, nm's output or ELF) or FILE@0xADDRESS (what the guest's addresses are above the file's)",
    repeated: false,
    read: (value) => {
      const source = typeof value === "string" ? parseSymbols(value) : value;
      if (typeof source !== "object" || source === null) return undefined;
      const { file, bias, ...rest } = source as Record<string, unknown>;
      if (Object.keys(rest).length > 0 || !((isText(file) && file !== "") || file instanceof Uint8Array)) return undefined;
      if (bias === undefined) return { file, bias };
      return typeof bias === "bigint" && bias >= 0n && bias < 1n << 64n ? { file, bias } : undefined;
    },
  };
}

function parseSymbols(text: string): unknown {
  const [, file = text, address] = /^(.*)@(0x[0-9a-f]{1,16})$/is.exec(text) ?? [];
  return { file, bias: address === undefined ? undefined : BigInt(address) };
}
