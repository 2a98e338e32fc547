// WebAssembly operators by name (WebAssembly Core Specification 2.0, §5.4). Plain tables: name → bytes.

const INT = ["eqz", "eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"];
const FLOAT_COMPARE = ["eq", "ne", "lt", "gt", "le", "ge"];
const INT_ARITH = [
  "clz",
  "ctz",
  "popcnt",
  "add",
  "sub",
  "mul",
  "div_s",
  "div_u",
  "rem_s",
  "rem_u",
  "and",
  "or",
  "xor",
  "shl",
  "shr_s",
  "shr_u",
  "rotl",
  "rotr",
];
const FLOAT_ARITH = ["abs", "neg", "ceil", "floor", "trunc", "nearest", "sqrt", "add", "sub", "mul", "div", "min", "max", "copysign"];

const PLAIN = new Map<string, number>();
const range = (first: number, type: string, names: readonly string[]): void =>
  names.forEach((n, i) => PLAIN.set(`${type}.${n}`, first + i));
range(0x45, "i32", INT);
range(0x50, "i64", INT);
range(0x5b, "f32", FLOAT_COMPARE);
range(0x61, "f64", FLOAT_COMPARE);
range(0x67, "i32", INT_ARITH);
range(0x79, "i64", INT_ARITH);
range(0x8b, "f32", FLOAT_ARITH);
range(0x99, "f64", FLOAT_ARITH);
[
  "i32.wrap_i64",
  "i32.trunc_f32_s",
  "i32.trunc_f32_u",
  "i32.trunc_f64_s",
  "i32.trunc_f64_u",
  "i64.extend_i32_s",
  "i64.extend_i32_u",
  "i64.trunc_f32_s",
  "i64.trunc_f32_u",
  "i64.trunc_f64_s",
  "i64.trunc_f64_u",
  "f32.convert_i32_s",
  "f32.convert_i32_u",
  "f32.convert_i64_s",
  "f32.convert_i64_u",
  "f32.demote_f64",
  "f64.convert_i32_s",
  "f64.convert_i32_u",
  "f64.convert_i64_s",
  "f64.convert_i64_u",
  "f64.promote_f32",
  "i32.reinterpret_f32",
  "i64.reinterpret_f64",
  "f32.reinterpret_i32",
  "f64.reinterpret_i64",
  "i32.extend8_s",
  "i32.extend16_s",
  "i64.extend8_s",
  "i64.extend16_s",
  "i64.extend32_s",
].forEach((n, i) => PLAIN.set(n, 0xa7 + i));
PLAIN.set("select", 0x1b);

/** Loads and stores with their natural alignment as a power of two. */
export const MEMORY_OPS: ReadonlyMap<string, readonly [code: number, align: number]> = new Map([
  ["i32.load", [0x28, 2]],
  ["i64.load", [0x29, 3]],
  ["f32.load", [0x2a, 2]],
  ["f64.load", [0x2b, 3]],
  ["i32.load8_s", [0x2c, 0]],
  ["i32.load8_u", [0x2d, 0]],
  ["i32.load16_s", [0x2e, 1]],
  ["i32.load16_u", [0x2f, 1]],
  ["i64.load8_s", [0x30, 0]],
  ["i64.load8_u", [0x31, 0]],
  ["i64.load16_s", [0x32, 1]],
  ["i64.load16_u", [0x33, 1]],
  ["i64.load32_s", [0x34, 2]],
  ["i64.load32_u", [0x35, 2]],
  ["i32.store", [0x36, 2]],
  ["i64.store", [0x37, 3]],
  ["f32.store", [0x38, 2]],
  ["f64.store", [0x39, 3]],
  ["i32.store8", [0x3a, 0]],
  ["i32.store16", [0x3b, 1]],
  ["i64.store8", [0x3c, 0]],
  ["i64.store16", [0x3d, 1]],
  ["i64.store32", [0x3e, 2]],
  ["v128.load", [0xfd00, 4]],
  ["v128.store", [0xfd0b, 4]],
  ["v128.load64_zero", [0xfd5d, 3]],
  ["v128.load32_zero", [0xfd5c, 2]],
]);

/** SIMD operators: name → number after the 0xfd prefix. */
const SIMD = new Map<string, number>();
const simd = (first: number, names: string): void => names.split(" ").forEach((n, i) => n !== "-" && SIMD.set(n, first + i));
simd(
  13,
  "i8x16.shuffle i8x16.swizzle i8x16.splat i16x8.splat i32x4.splat i64x2.splat f32x4.splat f64x2.splat i8x16.extract_lane_s i8x16.extract_lane_u i8x16.replace_lane i16x8.extract_lane_s i16x8.extract_lane_u i16x8.replace_lane i32x4.extract_lane i32x4.replace_lane i64x2.extract_lane i64x2.replace_lane f32x4.extract_lane f32x4.replace_lane f64x2.extract_lane f64x2.replace_lane",
);
const simdCompare = (first: number, shape: string): void =>
  simd(first, ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"].map((n) => `${shape}.${n}`).join(" "));
simdCompare(35, "i8x16");
simdCompare(45, "i16x8");
simdCompare(55, "i32x4");
simd(65, "f32x4.eq f32x4.ne f32x4.lt f32x4.gt f32x4.le f32x4.ge f64x2.eq f64x2.ne f64x2.lt f64x2.gt f64x2.le f64x2.ge");
simd(77, "v128.not v128.and v128.andnot v128.or v128.xor v128.bitselect v128.any_true");
simd(94, "f32x4.demote_f64x2_zero f64x2.promote_low_f32x4");
simd(96, "i8x16.abs i8x16.neg i8x16.popcnt i8x16.all_true i8x16.bitmask i8x16.narrow_i16x8_s i8x16.narrow_i16x8_u");
simd(
  107,
  "i8x16.shl i8x16.shr_s i8x16.shr_u i8x16.add i8x16.add_sat_s i8x16.add_sat_u i8x16.sub i8x16.sub_sat_s i8x16.sub_sat_u - - i8x16.min_s i8x16.min_u i8x16.max_s i8x16.max_u - i8x16.avgr_u",
);
simd(103, "f32x4.ceil f32x4.floor f32x4.trunc f32x4.nearest");
simd(116, "f64x2.ceil f64x2.floor");
simd(122, "f64x2.trunc");
simd(148, "f64x2.nearest");
simd(124, "i16x8.extadd_pairwise_i8x16_s i16x8.extadd_pairwise_i8x16_u i32x4.extadd_pairwise_i16x8_s i32x4.extadd_pairwise_i16x8_u");
simd(
  128,
  "i16x8.abs i16x8.neg i16x8.q15mulr_sat_s i16x8.all_true i16x8.bitmask i16x8.narrow_i32x4_s i16x8.narrow_i32x4_u i16x8.extend_low_i8x16_s i16x8.extend_high_i8x16_s i16x8.extend_low_i8x16_u i16x8.extend_high_i8x16_u i16x8.shl i16x8.shr_s i16x8.shr_u i16x8.add i16x8.add_sat_s i16x8.add_sat_u i16x8.sub i16x8.sub_sat_s i16x8.sub_sat_u - i16x8.mul i16x8.min_s i16x8.min_u i16x8.max_s i16x8.max_u - i16x8.avgr_u i16x8.extmul_low_i8x16_s i16x8.extmul_high_i8x16_s i16x8.extmul_low_i8x16_u i16x8.extmul_high_i8x16_u",
);
simd(
  160,
  "i32x4.abs i32x4.neg - i32x4.all_true i32x4.bitmask - - i32x4.extend_low_i16x8_s i32x4.extend_high_i16x8_s i32x4.extend_low_i16x8_u i32x4.extend_high_i16x8_u i32x4.shl i32x4.shr_s i32x4.shr_u i32x4.add - - i32x4.sub - - - i32x4.mul i32x4.min_s i32x4.min_u i32x4.max_s i32x4.max_u i32x4.dot_i16x8_s - i32x4.extmul_low_i16x8_s i32x4.extmul_high_i16x8_s i32x4.extmul_low_i16x8_u i32x4.extmul_high_i16x8_u",
);
simd(
  192,
  "i64x2.abs i64x2.neg - i64x2.all_true i64x2.bitmask - - i64x2.extend_low_i32x4_s i64x2.extend_high_i32x4_s i64x2.extend_low_i32x4_u i64x2.extend_high_i32x4_u i64x2.shl i64x2.shr_s i64x2.shr_u i64x2.add - - i64x2.sub - - - i64x2.mul i64x2.eq i64x2.ne i64x2.lt_s i64x2.gt_s i64x2.le_s i64x2.ge_s i64x2.extmul_low_i32x4_s i64x2.extmul_high_i32x4_s i64x2.extmul_low_i32x4_u i64x2.extmul_high_i32x4_u",
);
simd(
  224,
  "f32x4.abs f32x4.neg - f32x4.sqrt f32x4.add f32x4.sub f32x4.mul f32x4.div f32x4.min f32x4.max f32x4.pmin f32x4.pmax f64x2.abs f64x2.neg - f64x2.sqrt f64x2.add f64x2.sub f64x2.mul f64x2.div f64x2.min f64x2.max f64x2.pmin f64x2.pmax",
);
simd(
  248,
  "i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u f32x4.convert_i32x4_s f32x4.convert_i32x4_u i32x4.trunc_sat_f64x2_s_zero i32x4.trunc_sat_f64x2_u_zero f64x2.convert_low_i32x4_s f64x2.convert_low_i32x4_u",
);

/** How an operator without memory is encoded. */
export interface Opcode {
  /** Its byte, or its number after the SIMD prefix. */
  readonly code: number;
  readonly isSimd: boolean;
  /** A lane number or a shuffle pattern follows. */
  readonly takesImmediate: boolean;
}

const OPCODES = new Map<string, Opcode>();
for (const [name, code] of PLAIN) OPCODES.set(name, { code, isSimd: false, takesImmediate: false });
for (const [name, code] of SIMD)
  OPCODES.set(name, { code, isSimd: true, takesImmediate: name.includes("_lane") || name === "i8x16.shuffle" });

/** The encoding of a plain or SIMD operator. */
export function opcode(name: string): Opcode | undefined {
  return OPCODES.get(name);
}

/** Every plain and SIMD operator's name, for tests and the text printer. */
export function operatorNames(): string[] {
  return [...PLAIN.keys(), ...SIMD.keys()];
}
