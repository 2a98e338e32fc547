// What an instruction needs beside its operands to do more than fault: stacks, string pointers, counts, divisors, selectors,
// memory images. Keyed by opcode, because rows share opcodes where they share needs.
import type { Form } from "../../src/cpu/isa/instruction.ts";
import { CODE_BASE, DATA_BASE } from "./case.ts";
import { chooseOffset } from "./addressing.ts";
import { littleEndian, type Draft } from "./draft.ts";

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;

/** Selectors with a known meaning under Linux' GDT: null, data, both code segments, kernel segments, beyond the limit. */
export const SELECTORS: readonly number[] = [0, 1, 3, 0x2b, 0x2b, 0x2b, 0x2b, 0x29, 0x23, 0x33, 0x10, 0x18, 0xfff8, 0xfffb];
export const CODE_SELECTORS: readonly number[] = [0x23, 0x23, 0x33, 0x33, 0, 0x2b, 0x10, 0xfff8];

type Hint = (d: Draft) => void;

/** Settles the implicit operands of a row before its explicit ones are chosen. */
export function settleImplicit(d: Draft): void {
  byOpcode(HINTS, d.form)?.(d);
}

/** What `table` has for a row: under "map:opcode/digit" or "map:opcode", e.g. "0:ff/6" or "1:a3". */
export function byOpcode<T>(table: Readonly<Record<string, T>>, { map, opcode, plus, modrm }: Form): T | undefined {
  const key = `${map}:${(plus ? opcode & 0xf8 : opcode).toString(16)}`;
  const second = modrm?.fixed === undefined ? (modrm?.digit ?? "") : modrm.fixed.toString(16);
  return table[`${key}/${second}`] ?? table[key];
}

const HINTS: Readonly<Record<string, Hint>> = Object.fromEntries([
  ...rows("0:50 0:6 0:e 0:16 0:1e 0:60 0:68 0:6a 0:9c 0:e8 0:ff/2 0:ff/6 1:a0 1:a8", stack),
  ...rows("0:58 0:61 0:8f 0:9d", stack),
  ...rows("0:7 0:17 0:1f 1:a1 1:a9", (d) => stackOf(d, [selector(d)])),
  ...rows("0:c2 0:c3", (d) => stackOf(d, [d.prng.chance(70) ? landingTarget(d) : anyTarget(d)])),
  ...rows("0:ca 0:cb", (d) => stackOf(d, [landingTarget(d), codeSelector(d)])),
  ...rows("0:cf", (d) => stackOf(d, [landingTarget(d), codeSelector(d), flagImage(d), stackTop(d), 0x2bn])),
  ...rows("0:9a 0:ff/3", stack),
  ...rows("0:c8", (d) => [stack(d), d.pointStack(RBP, d.prng.between(0xfc0, 0x1040))]),
  ...rows("0:c9", (d) => d.pointStack(RBP, chooseOffset(d.prng, { size: d.mode / 8, align: d.mode / 8, demanded: false }))),
  ...rows("0:a4 0:a5 0:a6 0:a7 0:aa 0:ab 0:ac 0:ad 0:ae 0:af 0:6c 0:6d 0:6e 0:6f", strings),
  ...rows("0:e0 0:e1 0:e2 0:e3", loops),
  ...rows(
    "0:c0 0:c1 0:d2 0:d3 1:a5 1:ad",
    (d) => d.prng.chance(75) && d.fix(RCX, BigInt(d.prng.between(0, 70)) | (BigInt(d.prng.next() & 0xffff_ff) << 8n)),
  ),
  ...rows("0:f6/6 0:f6/7 0:f7/6 0:f7/7", divide),
  ...rows("0:d7", (d) => [d.point(RBX, 0x1000 - 0x80), d.prng.chance(20) && d.fix(RAX, BigInt(d.prng.next() & 0xff))]),
  ...rows("1:f7", (d) => d.point(RDI, chooseOffset(d.prng, { size: 16, align: 1, demanded: false }))),
  ...rows("3:60 3:61", lengths),
  ...rows("1:ae/4 1:ae/5 1:ae/6 1:c7/4", (d) => [d.fix(RAX, BigInt(d.prng.below(4))), d.fix(RDX, 0n)]),
]);

function rows(keys: string, hint: (d: Draft) => unknown): [string, Hint][] {
  return keys.split(" ").map((key) => [key, (d) => void hint(d)]);
}

function stack(d: Draft): void {
  const dice = d.prng.below(100);
  const aligned = d.prng.chance(85) ? -8 : -1;
  if (dice < 85) d.pointStack(RSP, d.prng.between(0xfc0, 0x1040) & aligned);
  else if (dice < 90) d.pointStack(RSP, d.prng.between(0, 40) & aligned);
  else if (dice < 95) d.pointStack(RSP, (0x2000 + d.prng.between(-32, 40)) & aligned);
  else if (dice < 98) d.pointStack(RSP, (0x3000 + d.prng.between(-40, 0)) & aligned);
}

/** A stack with these slots on top, each in the operand size. */
function stackOf(d: Draft, slots: readonly bigint[]): void {
  const bytes = slots.flatMap((slot) => littleEndian(slot, d.operandSize / 8));
  if (d.prng.chance(10)) return stack(d);
  const offset = d.prng.chance(90) ? d.prng.between(0xfa0, 0x1040) & -8 : d.prng.between(0xfa0, 0x1040);
  d.pointStack(RSP, offset);
  d.bytes(offset, bytes);
}

/** Somewhere among the landing's INT3s. */
export function landingTarget(d: Draft): bigint {
  return BigInt(CODE_BASE + d.prng.between(0x1100, 0x1f00));
}

/** A jump target anywhere, often not canonical. */
export function anyTarget(d: Draft): bigint {
  return BigInt.asUintN(64, (BigInt(d.prng.next() | 0) << BigInt(d.prng.below(33))) | BigInt(d.prng.next()));
}

function stackTop(d: Draft): bigint {
  return BigInt(DATA_BASE + d.prng.between(0xfc0, 0x1040));
}

/** EFLAGS with TF, NT and AC off: a trap flag would only move the landing's exception, and run.c tells of AC. */
function flagImage(d: Draft): bigint {
  return BigInt((d.prng.next() & ~0x4_4100) >>> 0);
}

function selector(d: Draft): bigint {
  return BigInt(d.prng.pick(SELECTORS) | (d.operandSize > 16 ? (d.prng.next() << 16) >>> 0 : 0));
}

function codeSelector(d: Draft): bigint {
  return BigInt(d.prng.pick(CODE_SELECTORS));
}

function strings(d: Draft): void {
  const mask = BigInt.asUintN(d.addressSize, -1n);
  const size = 8;
  for (const register of [RSI, RDI]) d.point(register, chooseOffset(d.prng, { size, align: 4, demanded: false }));
  const count = d.prng.chance(85)
    ? BigInt(d.prng.below(12))
    : d.prng.chance(60)
      ? BigInt(d.prng.between(0, 0x300))
      : BigInt(d.prng.next()) << 8n;
  // With a 32-bit address size only ECX counts.
  d.fix(RCX, (count & mask) | (d.addressSize === 32 && d.mode === 64 ? BigInt(d.prng.next()) << 32n : 0n));
  if (d.prng.chance(40)) d.fix(RAX, 0n);
}

function loops(d: Draft): void {
  if (d.prng.chance(50)) d.fix(RCX, BigInt(d.prng.below(3)) | (d.prng.chance(30) ? BigInt(d.prng.next()) << 32n : 0n));
}

/** A dividend whose upper half is small or a sign, so that most quotients fit. */
function divide(d: Draft): void {
  const upper = d.prng.pick([0n, 0n, -1n, 1n, BigInt(d.prng.below(100))]);
  if (d.form.opcode === 0xf6) {
    if (d.prng.chance(70)) d.fix(RAX, BigInt(d.prng.next() & (d.prng.chance(50) ? 0xfff : 0x7f)) * (upper < 0n ? -1n : 1n));
  } else if (d.prng.chance(75)) d.fix(RDX, upper);
}

/** PCMPESTRx counts in RAX and RDX: around the number of elements, negative, or anything. */
function lengths(d: Draft): void {
  for (const register of [RAX, RDX]) if (d.prng.chance(80)) d.fix(register, BigInt(d.prng.between(-20, 20)));
}
