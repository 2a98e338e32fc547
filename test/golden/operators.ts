// WebAssembly operators by their bytes: the tables of src/wasm/opcodes.ts the other way round, with how many operands each takes.
import { MEMORY_OPS, opcode, operatorNames } from "../../src/wasm/opcodes.ts";

/** Bytes of an operator as one number: the byte, or SIMD's number behind its prefix. */
const SIMD = 0x1_0000;

const NAMES = new Map<number, string>();
for (const name of operatorNames()) {
  const { code, isSimd } = opcode(name)!;
  NAMES.set(isSimd ? SIMD + code : code, name);
}
const MEMORY_NAMES = new Map([...MEMORY_OPS].map(([name, [code]]) => [code > 0xff ? SIMD + (code & 0xff) : code, name]));

/** Name of the operator of a byte, or of a number behind the SIMD prefix. */
export function operatorName(code: number, simd: boolean): string | undefined {
  return NAMES.get(simd ? SIMD + code : code);
}

/** Name of the load or store of a byte, or of a number behind the SIMD prefix. */
export function memoryOperatorName(code: number, simd: boolean): string | undefined {
  return MEMORY_NAMES.get(simd ? SIMD + code : code);
}

const UNARY =
  /\.(eqz|clz|ctz|popcnt|abs|neg|not|ceil|floor|trunc|nearest|sqrt|splat|all_true|any_true|bitmask|wrap_.*|extend.*|trunc_.*|convert_.*|demote_.*|promote_.*|reinterpret_.*|extract_lane.*|extadd_.*)$/;
const TERNARY = /^(select|v128\.bitselect)$/;

/** How many operands an operator takes from the stack. */
export function operandCount(name: string): number {
  return UNARY.test(name) ? 1 : TERNARY.test(name) ? 3 : 2;
}
