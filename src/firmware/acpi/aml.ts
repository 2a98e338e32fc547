// ACPI Machine Language, as much as a DSDT of fixed hardware needs (ACPI 6.5 §20.2). Every function returns encoded bytes, so
// a table reads like the ASL it stands for.
import { assert } from "../../support/assert.ts";

/** Encoded AML terms. */
export type Aml = readonly number[];

const ROOT = 0x5c;
const DUAL_NAME = 0x2e;
const MULTI_NAME = 0x2f;

/** PkgLength: the length of itself and `length` bytes after it (ACPI 6.5 §20.2.4). */
function packageLength(length: number): Aml {
  if (length + 1 < 0x40) return [length + 1];
  const extra = length + 2 < 0x1000 ? 1 : length + 3 < 0x10_0000 ? 2 : 3;
  const total = length + 1 + extra;
  const bytes = [(extra << 6) | (total & 0x0f)];
  for (let index = 0; index < extra; index++) bytes.push((total >>> (4 + 8 * index)) & 0xff);
  return bytes;
}

function sized(opcode: Aml, body: Aml): Aml {
  return [...opcode, ...packageLength(body.length), ...body];
}

function littleEndian(value: number | bigint, bytes: number): Aml {
  const wide = BigInt(value);
  return Array.from({ length: bytes }, (_, index) => Number((wide >> BigInt(8 * index)) & 0xffn));
}

/** A NameString such as `\_SB.PCI0` or `_CRS`; short segments are padded with underscores. */
export function path(text: string): Aml {
  const rooted = text.startsWith("\\");
  const segments = (rooted ? text.slice(1) : text).split(".");
  const bytes: number[] = rooted ? [ROOT] : [];
  if (segments.length === 2) bytes.push(DUAL_NAME);
  if (segments.length > 2) bytes.push(MULTI_NAME, segments.length);
  for (const segment of segments) {
    assert(/^[A-Z_][A-Z_0-9]{0,3}$/.test(segment), `AML name segment "${segment}"`);
    for (const letter of segment.padEnd(4, "_")) bytes.push(letter.charCodeAt(0));
  }
  return bytes;
}

/** An integer constant in its shortest form. */
export function integer(value: number | bigint): Aml {
  const wide = BigInt(value);
  assert(wide >= 0n && wide < 1n << 64n, `AML integer ${wide}`);
  if (wide <= 1n) return [Number(wide)];
  if (wide < 0x100n) return [0x0a, ...littleEndian(wide, 1)];
  if (wide < 0x1_0000n) return [0x0b, ...littleEndian(wide, 2)];
  if (wide < 0x1_0000_0000n) return [0x0c, ...littleEndian(wide, 4)];
  return [0x0e, ...littleEndian(wide, 8)];
}

/** A string constant. */
export function string(text: string): Aml {
  const bytes = Array.from(text, (letter) => letter.charCodeAt(0));
  assert(
    bytes.every((byte) => byte > 0 && byte < 0x80),
    `AML string "${text}"`,
  );
  return [0x0d, ...bytes, 0];
}

/** A compressed EISA identifier such as PNP0A03 (ACPI 6.5 §19.3.4): three 5-bit letters and four hex digits, big-endian. */
export function eisaId(text: string): Aml {
  const match = /^([A-Z])([A-Z])([A-Z])([0-9A-F]{4})$/.exec(text);
  assert(match, `EISA identifier "${text}"`);
  const letter = (index: number): number => text.charCodeAt(index) - 0x40;
  const maker = (letter(0) << 10) | (letter(1) << 5) | letter(2);
  const product = Number.parseInt(text.slice(3), 16);
  return [0x0c, maker >> 8, maker & 0xff, product >> 8, product & 0xff];
}

/** A Package of constants or names. */
export function packageOf(elements: readonly Aml[]): Aml {
  assert(elements.length < 256, "AML package of at most 255 elements");
  return sized([0x12], [elements.length, ...elements.flat()]);
}

/** A Buffer of constant bytes. */
export function buffer(bytes: Aml): Aml {
  return sized([0x11], [...integer(bytes.length), ...bytes]);
}

/** Name (`name`, value). */
export function name(text: string, value: Aml): Aml {
  return [0x08, ...path(text), ...value];
}

/** Scope (`name`) { terms }. */
export function scope(text: string, terms: readonly Aml[]): Aml {
  return sized([0x10], [...path(text), ...terms.flat()]);
}

/** Device (`name`) { terms }. */
export function device(text: string, terms: readonly Aml[]): Aml {
  return sized([0x5b, 0x82], [...path(text), ...terms.flat()]);
}

/** Method (`name`, arguments, NotSerialized) { terms }. */
export function method(text: string, argumentCount: number, terms: readonly Aml[]): Aml {
  return sized([0x14], [...path(text), argumentCount & 7, ...terms.flat()]);
}

/** The first argument of the enclosing method. */
export const ARG0: Aml = [0x68];

/** Store (value, target). */
export function store(value: Aml, target: Aml): Aml {
  return [0x70, ...value, ...target];
}

/** Return (value). */
export function returns(value: Aml): Aml {
  return [0xa4, ...value];
}

/** If (condition) { terms }. */
export function when(condition: Aml, terms: readonly Aml[]): Aml {
  return sized([0xa0], [...condition, ...terms.flat()]);
}
