// Symbols of an ELF file: its symbol table, or what it exports when it has been stripped (ELF gABI 4.1, "Symbol Table"). The file is
// hostile: every offset is checked, and the work is bounded by its size.
import { LONGEST_NAME, SymbolList, symbolsInvalid, type SymbolTable } from "./symbols.ts";

const SHT = { symtab: 2, dynsym: 11 } as const;
const SHF_EXECINSTR = 4;
const STT = { notype: 0, func: 2, ifunc: 10 } as const;
const EM: ReadonlySet<number> = new Set([3, 62]);

interface Section {
  readonly type: number;
  readonly executable: boolean;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

/** Reads the symbols of code in an ELF file for x86. Throws SYMBOLS_INVALID. */
export function readElfSymbols(label: string, bytes: Uint8Array): SymbolTable {
  return new ElfSymbols(label, bytes).read();
}

class ElfSymbols {
  readonly #label: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #text = new TextDecoder();
  #wide = true;

  constructor(label: string, bytes: Uint8Array) {
    this.#label = label;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  read(): SymbolTable {
    this.#header();
    const sections = this.#sections();
    const table = sections.find(({ type }) => type === SHT.symtab) ?? sections.find(({ type }) => type === SHT.dynsym);
    if (table === undefined) throw this.#invalid("it has been stripped of its symbols");
    const strings = sections[table.link];
    if (strings === undefined) throw this.#invalid("its symbol table has no names");
    this.#need(strings.offset, strings.size, "the names of its symbols");
    this.#need(table.offset, table.size, "its symbol table");
    const list = new SymbolList(this.#label);
    const size = this.#wide ? 24 : 16;
    for (let at = table.offset; at + size <= table.offset + table.size; at += size) this.#symbol(at, sections, strings, list);
    return list.finish();
  }

  #header(): void {
    this.#need(0, 64, "the ELF header");
    const [elfClass, data] = [this.#bytes[4]!, this.#bytes[5]!];
    if ((elfClass !== 1 && elfClass !== 2) || data !== 1 || !EM.has(this.#u16(18)))
      throw this.#invalid("it is an ELF file, but not for x86");
    this.#wide = elfClass === 2;
  }

  #sections(): Section[] {
    const wide = this.#wide;
    const table = this.#word(wide ? 40 : 32);
    const size = this.#u16(wide ? 58 : 46);
    const count = this.#u16(wide ? 60 : 48);
    if (count === 0) throw this.#invalid("it has been stripped of its section headers");
    if (size < (wide ? 64 : 40)) throw this.#invalid(`its section headers have ${size} bytes each`);
    this.#need(table, size * count, "its section headers");
    return Array.from({ length: count }, (_, i) => this.#section(table + i * size));
  }

  #section(at: number): Section {
    const wide = this.#wide;
    return {
      type: this.#u32(at + 4),
      executable: (this.#u32(at + 8) & SHF_EXECINSTR) !== 0,
      offset: this.#word(at + (wide ? 24 : 16)),
      size: this.#word(at + (wide ? 32 : 20)),
      link: this.#u32(at + (wide ? 40 : 24)),
    };
  }

  /** Takes in a function, or a label in code: kernels' entries have no type. */
  #symbol(at: number, sections: readonly Section[], strings: Section, list: SymbolList): void {
    const wide = this.#wide;
    const type = this.#bytes[at + (wide ? 4 : 12)]! & 0xf;
    const section = sections[this.#u16(at + (wide ? 6 : 14))];
    const isFunction = type === STT.func || type === STT.ifunc;
    if (section === undefined || !section.executable || !(isFunction || type === STT.notype)) return;
    const name = this.#name(strings, this.#u32(at));
    if (name === "" || name.startsWith(".L")) return;
    const value = wide ? this.#view.getBigUint64(at + 8, true) : BigInt(this.#u32(at + 4));
    const size = wide ? this.#view.getBigUint64(at + 16, true) : BigInt(this.#u32(at + 8));
    list.add(value, Number(size > 0xffff_ffffn ? 0xffff_ffffn : size), name);
  }

  #name({ offset, size }: Section, index: number): string {
    if (index >= size) return "";
    const from = offset + index;
    const bytes = this.#bytes.subarray(from, Math.min(offset + size, from + LONGEST_NAME));
    const end = bytes.indexOf(0);
    return this.#text.decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  #u16(at: number): number {
    return this.#view.getUint16(at, true);
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  /** An offset or size. */
  #word(at: number): number {
    return this.#wide ? Number(this.#view.getBigUint64(at, true)) : this.#u32(at);
  }

  #need(at: number, length: number, what: string): void {
    if (at + length <= this.#bytes.length) return;
    throw this.#invalid(`it is truncated: ${what} end at byte ${at + length}, the file at ${this.#bytes.length}`);
  }

  #invalid(why: string): Error {
    return symbolsInvalid(this.#label, why);
  }
}
