// Symbols as text, a line each: System.map, /proc/kallsyms and what nm prints.
//
//   ffffffff81000000 T _stext
//   ffffffffc0401000 t crc32c_intel_le_hw	[crc32c_intel]
//                    U printf
import type { SymbolTable } from "./symbols.ts";
import { SymbolList, symbolsInvalid } from "./symbols.ts";

const NEWLINE = 10;
/** Longest line, in bytes. */
const LONGEST_LINE = 4096;
const LINE = /^([0-9a-fA-F]{1,16}) ([A-Za-z?-]) (\S+)(?:\s+(\[\S+\]))?\s*$/;
/** Undefined in that file: no address. */
const UNDEFINED = /^\s+[UwvV] \S/;
/** Code: text, weak functions, indirect functions. */
const CODE = /[tTwWi]/;

/** Reads a text of symbols. Throws SYMBOLS_INVALID. */
export function readSymbolText(label: string, bytes: Uint8Array): SymbolTable {
  const list = new SymbolList(label);
  const decoder = new TextDecoder();
  let number = 0;
  for (let at = 0; at < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, at);
    const end = newline < 0 ? bytes.length : newline;
    number++;
    if (end - at > LONGEST_LINE) throw symbolsInvalid(label, `line ${number} is longer than ${LONGEST_LINE} bytes`);
    readLine(list, decoder.decode(bytes.subarray(at, end)), number);
    at = end + 1;
  }
  return list.finish();
}

function readLine(list: SymbolList, line: string, number: number): void {
  const match = LINE.exec(line);
  if (match === null) {
    if (line.trim() === "" || UNDEFINED.test(line)) return;
    throw symbolsInvalid(list.label, `line ${number} is not an address, a type and a name: ${JSON.stringify(line.slice(0, 60))}`);
  }
  const [, address = "", type = "", name = "", owner] = match;
  if (CODE.test(type)) list.add(BigInt(`0x${address}`), 0, owner === undefined ? name : `${name} ${owner}`);
}
