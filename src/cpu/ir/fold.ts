// Operators of constants, computed when a routine is built.
import { integerOperator } from "./evaluate-integer.ts";
import type { Expr, Type } from "./types.ts";

let created = 0;

/** The number of the expression created last. */
export const lastSerial = (): number => created;

/** An expression that nothing uses yet. */
export function makeExpr(op: string, type: Type, args: readonly Expr[], imm: Expr["imm"], impure: boolean): Expr {
  const serial = ++created;
  return { op, type, args, imm, impure, serial, uses: 0, user: undefined, from: 0, to: 0, inline: undefined, local: -1, loop: 0, left: 0 };
}

const isConstant = (e: Expr): boolean => e.op === "const" && typeof e.imm !== "object";

/** Division traps, and floating point is left to the engine that runs it. */
const foldable = (name: string): boolean => !name.includes("div") && !name.includes("rem");

/** The constant that an operator of constants gives, undefined when there is none. */
export function foldConstants(name: string, type: Type, args: readonly Expr[]): Expr | undefined {
  const [first] = args;
  if (first === undefined || first.op !== "const" || !args.every(isConstant) || !foldable(name)) return undefined;
  const operator = integerOperator(name);
  if (!operator) return undefined;
  const valueOf = ({ type: t, imm }: Expr): number | bigint => (t === "i64" ? BigInt.asUintN(64, imm as bigint) : (imm as number));
  const a = valueOf(first);
  // Operators of one value look at the first only.
  const value = operator(a, args[1] ? valueOf(args[1]) : a);
  const imm = type === "i64" ? BigInt.asIntN(64, value as bigint) : (value as number) | 0;
  return makeExpr("const", type, [], imm, false);
}
