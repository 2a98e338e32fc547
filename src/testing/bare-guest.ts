// Small guests without an operating system: 32-bit machine code, written instruction by instruction, as a multiboot kernel
// (Multiboot Specification 0.6.96 §3.1, with the address fields).

const LOAD_AT = 0x10_0000;
const HEADER_BYTES = 32;
const MAGIC = 0x1bad_b002;
const ADDRESSES_VALID = 0x1_0000;

const COM1 = 0x3f8;
/** Selector of the flat code segment that a multiboot loader leaves here (firmware/cpu-start.ts). */
const CODE_SELECTOR = 0x10;
/** A present 32-bit interrupt gate (SDM 3A figure 6-2). */
const INTERRUPT_GATE = 0x8e00;

/** Where guests keep their interrupt table; what follows it is theirs. */
const IDT_AT = 0x20_0000;
/** A descriptor for LIDT. */
const IDT_POINTER_AT = 0x20_0ff0;

interface Fixup {
  readonly at: number;
  readonly label: string;
  /** Relative to the byte after the field; otherwise one half of an address in an interrupt gate. */
  readonly kind: "relative" | "gateLow" | "gateHigh";
}

/** A guest under construction. Every method appends code and returns the guest. Registers are the guest's to keep track of. */
export class BareGuest {
  readonly #code: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #fixups: Fixup[] = [];

  /** Machine code as it is. */
  raw(...bytes: readonly number[]): this {
    this.#code.push(...bytes);
    return this;
  }

  /** Names this place. */
  label(name: string): this {
    this.#labels.set(name, this.#code.length);
    return this;
  }

  /** JMP rel32. */
  jump(label: string): this {
    return this.raw(0xe9).#relative(label);
  }

  /** Jcc rel32; `condition` is the low half of the opcode (SDM 2D table B-10). */
  jumpIf(condition: number, label: string): this {
    return this.raw(0x0f, 0x80 | condition).#relative(label);
  }

  /** OUT to a port, by DX. Changes EAX and EDX. */
  out(port: number, value: number, width: 1 | 2 | 4 = 1): this {
    this.raw(0xb8).#word(value).raw(0xba).#word(port);
    return width === 1 ? this.raw(0xee) : width === 2 ? this.raw(0x66, 0xef) : this.raw(0xef);
  }

  /** IN from a port to EAX. Changes EDX. */
  in(port: number, width: 1 | 2 | 4 = 1): this {
    this.raw(0x31, 0xc0, 0xba).#word(port);
    return width === 1 ? this.raw(0xec) : width === 2 ? this.raw(0x66, 0xed) : this.raw(0xed);
  }

  /** OUT of AL. Changes EDX. */
  outAl(port: number): this {
    return this.raw(0xba).#word(port).raw(0xee);
  }

  /** Sends text over COM1 without waiting, which a host as fast as ours allows. */
  print(text: string): this {
    for (const character of text) this.out(COM1, character.charCodeAt(0));
    return this;
  }

  /** MOV dword [address], value. */
  store(address: number, value: number): this {
    return this.raw(0xc7, 0x05).#word(address).#word(value);
  }

  /** MOV eax, [address]. */
  load(address: number): this {
    return this.raw(0xa1).#word(address);
  }

  /** MOV [address], eax. */
  keep(address: number): this {
    return this.raw(0xa3).#word(address);
  }

  /** INC dword [address]. */
  increment(address: number): this {
    return this.raw(0xff, 0x05).#word(address);
  }

  /** CMP dword [address], value. */
  compare(address: number, value: number): this {
    return this.raw(0x81, 0x3d).#word(address).#word(value);
  }

  /** Writes an interrupt gate that leads to a label. */
  gate(vector: number, label: string): this {
    const at = IDT_AT + vector * 8;
    this.store(at, CODE_SELECTOR << 16).#fix(label, "gateLow");
    return this.store(at + 4, INTERRUPT_GATE).#fix(label, "gateHigh");
  }

  /** LIDT with the table that `gate` writes. */
  loadIdt(): this {
    this.store(IDT_POINTER_AT, 0x7ff | ((IDT_AT & 0xffff) << 16)).store(IDT_POINTER_AT + 4, IDT_AT >>> 16);
    return this.raw(0x0f, 0x01, 0x1d).#word(IDT_POINTER_AT);
  }

  /** Powers the machine off through ACPI, as \_S5 says. */
  powerOff(): this {
    return this.out(0x604, 0x3400, 2).raw(0xf4);
  }

  /** The kernel file. Throws for a label that is not there. */
  kernel(): Uint8Array {
    const end = LOAD_AT + HEADER_BYTES + this.#code.length;
    const header = [MAGIC, ADDRESSES_VALID, -(MAGIC + ADDRESSES_VALID), LOAD_AT, LOAD_AT, end, end, LOAD_AT + HEADER_BYTES];
    const bytes = new Uint8Array(HEADER_BYTES + this.#code.length);
    bytes.set(this.#code, HEADER_BYTES);
    const view = new DataView(bytes.buffer);
    header.forEach((word, index) => view.setUint32(index * 4, word >>> 0, true));
    for (const { at, label, kind } of this.#fixups) {
      const target = this.#labels.get(label);
      if (target === undefined) throw new Error(`no label ${label}`);
      const address = LOAD_AT + HEADER_BYTES + target;
      if (kind === "relative") view.setInt32(HEADER_BYTES + at, target - at - 4, true);
      else if (kind === "gateLow") view.setUint16(HEADER_BYTES + at, address & 0xffff, true);
      else view.setUint16(HEADER_BYTES + at + 2, address >>> 16, true);
    }
    return bytes;
  }

  #word(value: number): this {
    for (let index = 0; index < 4; index++) this.#code.push((value >>> (8 * index)) & 0xff);
    return this;
  }

  #relative(label: string): this {
    this.#fixups.push({ at: this.#code.length, label, kind: "relative" });
    return this.#word(0);
  }

  /** Fixes the immediate that was just written. */
  #fix(label: string, kind: Fixup["kind"]): this {
    this.#fixups.push({ at: this.#code.length - 4, label, kind });
    return this;
  }
}
