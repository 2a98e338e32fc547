// What can be selected: the fixed items, the files, and the directory that names the files (QEMU fw_cfg "Selector register values").
import { VmError } from "../../support/errors.ts";
import {
  DIRECTORY_ENTRY_BYTES,
  FEATURES,
  FW_CFG_FILE_DIR,
  FW_CFG_FILE_FIRST,
  FW_CFG_ID,
  FW_CFG_SIGNATURE,
  MAX_FILES,
  MAX_FILE_BYTES,
  NAME_BYTES,
  SELECTOR_MASK,
  SIGNATURE,
} from "./spec.ts";

/** A file by name, such as "etc/e820". */
export interface FwCfgFile {
  readonly name: string;
  readonly data: Uint8Array;
}

/** An item with a selector of its own, such as 5 for the number of processors (16 bits, little-endian). */
export interface FwCfgItem {
  readonly selector: number;
  readonly data: Uint8Array;
}

/**
 * Every item by selector. Files get selectors in the order of their names, as firmware that searches the directory by halves expects.
 * Throws VmError CONFIG_INVALID for names that do not fit, names or selectors given twice, and more than the directory holds.
 */
export function directory(files: readonly FwCfgFile[], items: readonly FwCfgItem[]): ReadonlyMap<number, Uint8Array> {
  if (files.length > MAX_FILES) refuse(`${files.length} files, and ${MAX_FILES} at most`);
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const all = new Map<number, Uint8Array>([
    [FW_CFG_SIGNATURE, ascii(SIGNATURE)],
    [FW_CFG_ID, Uint8Array.of(FEATURES, 0, 0, 0)],
    [FW_CFG_FILE_DIR, encodeDirectory(sorted)],
  ]);
  sorted.forEach(({ data }, index) => all.set(FW_CFG_FILE_FIRST + index, data));
  for (const { selector, data } of items) {
    if ((selector & SELECTOR_MASK) !== selector || all.has(selector)) refuse(`item ${selector.toString(16)}h twice, or out of range`);
    if (data.length > MAX_FILE_BYTES) refuse(`item ${selector.toString(16)}h of ${data.length} bytes`);
    all.set(selector, data);
  }
  return all;
}

function encodeDirectory(files: readonly FwCfgFile[]): Uint8Array {
  const bytes = new Uint8Array(4 + files.length * DIRECTORY_ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, files.length);
  files.forEach(({ name, data }, index) => {
    const at = 4 + index * DIRECTORY_ENTRY_BYTES;
    if (!/^[\x21-\x7e]+$/.test(name) || name.length >= NAME_BYTES) refuse(`file name ${JSON.stringify(name)}`);
    if (files[index - 1]?.name === name) refuse(`file ${name} twice`);
    if (data.length > MAX_FILE_BYTES) refuse(`file ${name} of ${data.length} bytes`);
    view.setUint32(at, data.length);
    view.setUint16(at + 4, FW_CFG_FILE_FIRST + index);
    bytes.set(ascii(name), at + 8);
  });
  return bytes;
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function refuse(what: string): never {
  throw new VmError("CONFIG_INVALID", `Cannot offer to the firmware: ${what}`);
}
