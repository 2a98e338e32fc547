// Small ELF files that hold nothing but symbols, for tests.
import { joined } from "../../support/bytes.ts";

/** A symbol; without a type a function (2), without a section in the code (1). */
interface ExampleSymbol {
  readonly name: string;
  readonly address: bigint;
  readonly bytes: bigint;
  readonly type?: number;
  readonly section?: number;
}

/** Little-endian fields one after the other: [width in bytes, value]. */
type Fields = readonly (readonly [2 | 4 | 8, number | bigint])[];

function packed(fields: Fields): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((n, [width]) => n + width, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [width, value] of fields) {
    if (width === 2) view.setUint16(at, Number(value), true);
    else if (width === 4) view.setUint32(at, Number(value), true);
    else view.setBigUint64(at, BigInt(value), true);
    at += width;
  }
  return bytes;
}

/** An ELF file for x86 with sections: none, code, symbols, names; the section headers come last. */
export function exampleSymbols(bits: 32 | 64, symbols: readonly ExampleSymbol[]): Uint8Array {
  const wide = bits === 64;
  const word = wide ? 8 : 4;
  const names = new TextEncoder().encode(`\0${symbols.map(({ name }) => `${name}\0`).join("")}`);
  const table = joined(
    symbols.map((symbol, i) => symbolEntry(wide, symbol, 1 + symbols.slice(0, i).reduce((n, s) => n + s.name.length + 1, 0))),
  );
  const headerBytes = wide ? 64 : 52;
  // As much as every reader wants of a header.
  const tableAt = 64;
  const namesAt = tableAt + table.length;
  const sectionsAt = namesAt + names.length;
  const section = (type: number, flags: number, offset: number, size: number, link: number): Uint8Array =>
    packed([
      [4, 0],
      [4, type],
      [word, flags],
      [word, 0],
      [word, offset],
      [word, size],
      [4, link],
      [4, 0],
      [word, 1],
      [word, 0],
    ]);
  const sectionBytes = wide ? 64 : 40;
  const header = packed([
    [4, 0x464c_457f],
    [4, wide ? 0x0001_0102 : 0x0001_0101],
    [8, 0],
    [2, 2],
    [2, wide ? 62 : 3],
    [4, 1],
    [word, 0],
    [word, 0],
    [word, sectionsAt],
    [4, 0],
    [2, headerBytes],
    [2, 0],
    [2, 0],
    [2, sectionBytes],
    [2, 4],
    [2, 0],
  ]);
  const sections = [
    section(0, 0, 0, 0, 0),
    section(1, 6, 0, 0, 0),
    section(2, 0, tableAt, table.length, 3),
    section(3, 0, namesAt, names.length, 0),
  ];
  return joined([header, new Uint8Array(tableAt - header.length), table, names, ...sections]);
}

function symbolEntry(wide: boolean, { address, bytes, type = 2, section = 1 }: ExampleSymbol, name: number): Uint8Array {
  const shared = type | (section << 16);
  if (wide)
    return packed([
      [4, name],
      [4, shared],
      [8, address],
      [8, bytes],
    ]);
  return packed([
    [4, name],
    [4, address],
    [4, bytes],
    [4, shared],
  ]);
}
