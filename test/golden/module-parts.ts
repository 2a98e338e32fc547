// Reads a WebAssembly module as far as its functions need it (Core §5.5): types, imports, bodies.
import { VALUE_TYPE, type ValueType } from "../../src/wasm/code.ts";

/** How many values a function takes and gives. */
export interface FunctionShape {
  readonly params: number;
  readonly results: number;
}

/** A function that the module defines. */
export interface FunctionCode {
  readonly shape: FunctionShape;
  /** Types of the locals behind the parameters. */
  readonly locals: readonly ValueType[];
  /** Its instructions, with the final `end`. */
  readonly code: Uint8Array;
}

/** A module's functions: imported ones by name, which come first in the numbering. */
export interface ModuleParts {
  readonly imports: readonly { readonly name: string; readonly shape: FunctionShape }[];
  readonly functions: readonly FunctionCode[];
}

const TYPE_NAME = new Map(Object.entries(VALUE_TYPE).map(([name, code]) => [code as number, name as ValueType]));
const SECTION = { type: 1, import: 2, function: 3, code: 10 } as const;
const HEADER_BYTES = 8;
const MEMORY_IMPORT = 2;

/** Reads numbers and bytes one after the other. */
export class ByteCursor {
  readonly #bytes: Uint8Array;
  at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, at = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#end;
  }

  /** The next byte; throws RangeError beyond the end. */
  byte(): number {
    if (this.isAtEnd) throw new RangeError("The module ends too early");
    return this.#bytes[this.at++]!;
  }

  raw(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.byte());
  }

  /** Unsigned LEB128. */
  u(): number {
    return Number(this.#leb().value);
  }

  /** Signed LEB128. */
  s(): bigint {
    const { value, bits } = this.#leb();
    return BigInt.asIntN(bits, value);
  }

  #leb(): { readonly value: bigint; readonly bits: number } {
    let value = 0n;
    for (let bits = 0; ;) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << BigInt(bits);
      bits += 7;
      if (byte < 0x80) return { value, bits };
    }
  }

  name(): string {
    return new TextDecoder().decode(this.raw(this.u()));
  }

  /** As many items as a number in front of them says. */
  list<T>(item: () => T): T[] {
    return Array.from({ length: this.u() }, item);
  }

  /** The next `length` bytes, to be read on their own. */
  part(length: number): ByteCursor {
    const part = new ByteCursor(this.#bytes, this.at, this.at + length);
    this.at += length;
    return part;
  }
}

/** Reads a module that ModuleBuilder has written. */
export function readModule(bytes: Uint8Array): ModuleParts {
  const whole = new ByteCursor(bytes, HEADER_BYTES);
  const sections = new Map<number, ByteCursor>();
  while (!whole.isAtEnd) {
    const id = whole.byte();
    sections.set(id, whole.part(whole.u()));
  }
  const list = <T>(id: number, item: (c: ByteCursor) => T): T[] => {
    const section = sections.get(id);
    return section ? section.list(() => item(section)) : [];
  };
  const types = list(SECTION.type, (c) => {
    c.byte();
    return { params: c.list(() => c.byte()).length, results: c.list(() => c.byte()).length };
  });
  const imports = list(SECTION.import, (c) => readImport(c, types)).filter((i) => i !== undefined);
  const shapes = list(SECTION.function, (c) => types[c.u()]!);
  const bodies = list(SECTION.code, (c) => readBody(c.part(c.u())));
  return { imports, functions: bodies.map((body, i) => ({ ...body, shape: shapes[i]! })) };
}

function readImport(c: ByteCursor, types: readonly FunctionShape[]): ModuleParts["imports"][number] | undefined {
  c.name();
  const name = c.name();
  if (c.byte() !== MEMORY_IMPORT) return { name, shape: types[c.u()]! };
  // Limits with a maximum.
  c.byte();
  c.u();
  c.u();
  return undefined;
}

function readBody(c: ByteCursor): Omit<FunctionCode, "shape"> {
  const locals = c.list(() => {
    const count = c.u();
    const type = TYPE_NAME.get(c.byte())!;
    return new Array<ValueType>(count).fill(type);
  });
  const code: number[] = [];
  while (!c.isAtEnd) code.push(c.byte());
  return { locals: locals.flat(), code: Uint8Array.from(code) };
}
