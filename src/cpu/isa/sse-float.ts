// Arithmetic and comparison of SSE floating-point operands (SDM 1 §5.5.1.2, §5.5.1.4, §5.6.1.2, §5.7, §5.10.1).
import { arithmetic } from "../float/ieee-arithmetic.ts";
import { comparison, RELATION } from "../float/ieee-compare.ts";
import { reciprocal, reciprocalRoot } from "../float/ieee-estimate.ts";
import type { Format } from "../float/ieee.ts";
import type { Expr } from "../ir/types.ts";
import { CF, PF, ZF } from "./flags.ts";
import { type Instruction, instruction } from "./instruction.ts";
import { immediate } from "./packed.ts";
import type { Sem } from "./sem.ts";
import { binaryFamily, lanesOf, settled, SHAPES, type Shape, unaryFamily, writeLanes } from "./sse-float-lane.ts";

const { PS, PD, SS, SD } = SHAPES;
const ALL: readonly Shape[] = [PS, PD, SS, SD];

/** For each predicate of CMPPS the relations that satisfy it, four bits each: EQ LT LE UNORD NEQ NLT NLE ORD. */
const PREDICATES = 0x7ced_8312;
/** Predicates for which a quiet NaN is invalid: LT LE NLT NLE. */
const SIGNALLING = 0x66;

/** Approximations look at no exceptions. */
function estimate(name: string, opcode: string, routine: typeof reciprocal): Instruction[] {
  return [PS, SS].map((shape) => instruction(name + shape.suffix, {
    forms: [`${shape.prefix} 0F ${opcode} /r | ${shape.operands} | sse`],
    access: "w r",
    feature: shape.feature,
    sem: (o, [dst, src]) => writeLanes(o, 32, dst!, lanesOf(o, shape.format, src!, shape.lanes).map((x) => o.call(routine, x))),
  }));
}

function compareMask(shape: Shape): Instruction {
  const f = shape.format;
  return instruction(`CMP${shape.suffix}`, {
    forms: [`${shape.prefix} 0F C2 /r ib | ${shape.operands}, imm8 | sse`],
    access: "rw r r",
    feature: shape.feature,
    sem: (o, [dst, src]) => {
      const predicate = o.and(immediate(o), 7);
      const wanted = o.shrU(o.i32(PREDICATES), o.shl(predicate, 2));
      const signalling = o.and(o.shrU(o.i32(SIGNALLING), predicate), 1);
      const y = lanesOf(o, f, src!, shape.lanes);
      const x = lanesOf(o, f, dst!, shape.lanes);
      const relations = settled(o, () => x.map((e, n) => o.call(comparison(f).compare, o.base(), e, y[n]!, signalling)));
      const all = (holds: Expr): Expr => o.sub(o.i64(0), o.extU(o.ne(holds, 0)));
      writeLanes(o, f.bits, dst!, relations.map((r) => all(o.and(wanted, r))));
    },
  });
}

/** COMISS and its like: unordered sets ZF, PF and CF, greater none, less CF, equal ZF; OF, SF and AF become 0. */
function compareFlags(name: string, opcode: string, shape: Shape, signalling: boolean): Instruction {
  return instruction(name, {
    forms: [`${shape === SS ? "NP" : "66"} 0F ${opcode} /r | ${shape.operands} | sse`],
    access: "r r",
    flags: "CF PF AF ZF SF OF",
    feature: shape.feature,
    sem: (o, [first, second]) => {
      const [y] = lanesOf(o, shape.format, second!, 1);
      const [x] = lanesOf(o, shape.format, first!, 1);
      const relation = settled(o, () => o.call(comparison(shape.format).compare, o.base(), x!, y!, o.i32(signalling ? 1 : 0)));
      const ordered = o.select(o.eq(relation, RELATION.less), o.i32(CF), o.select(o.eq(relation, RELATION.equal), o.i32(ZF), o.i32(0)));
      o.setArithmetic(o.select(o.eq(relation, RELATION.unordered), o.i32(ZF | PF | CF), ordered));
    },
  });
}

type Sides = readonly [x: Expr, y: Expr];

/** Additions and subtractions of chosen pairs of lanes (SSE3); `pairs` gives each result lane's operands. */
function combined(name: string, opcode: string, operationOf: (n: number) => "add" | "sub", pairs: (x: Expr[], y: Expr[]) => readonly Sides[]): Instruction[] {
  return [{ ...PS, prefix: "F2" }, PD].map((shape) => instruction(name + shape.suffix, {
    forms: [`${shape.prefix} 0F ${opcode} /r | ${shape.operands} | sse`],
    access: "rw r",
    feature: "sse3",
    sem: (o, [dst, src]) => {
      const f = shape.format;
      const y = lanesOf(o, f, src!, shape.lanes);
      const x = lanesOf(o, f, dst!, shape.lanes);
      const values = settled(o, () => pairs(x, y).map(([a, b], n) => o.call(arithmetic(f)[operationOf(n)], o.base(), a, b)));
      writeLanes(o, f.bits, dst!, values);
    },
  }));
}

/** Neighbouring lanes of the first vector, then of the second. */
const neighbours = (x: Expr[], y: Expr[]): readonly Sides[] => [x, y].flatMap((v) => Array.from({ length: v.length / 2 }, (_, n) => [v[2 * n]!, v[2 * n + 1]!] as const));
const columns = (x: Expr[], y: Expr[]): readonly Sides[] => x.map((e, n) => [e, y[n]!] as const);

const root = (o: Sem, f: Format, x: Expr): Expr => o.call(arithmetic(f).sqrt, o.base(), x);

export const sseFloat: readonly Instruction[] = [
  ...binaryFamily("ADD", "58", ALL, (f) => arithmetic(f).add),
  ...binaryFamily("MUL", "59", ALL, (f) => arithmetic(f).mul),
  ...binaryFamily("SUB", "5C", ALL, (f) => arithmetic(f).sub),
  ...binaryFamily("MIN", "5D", ALL, (f) => comparison(f).min),
  ...binaryFamily("DIV", "5E", ALL, (f) => arithmetic(f).div),
  ...binaryFamily("MAX", "5F", ALL, (f) => comparison(f).max),
  ...unaryFamily("SQRT", "51", ALL, root),
  ...estimate("RSQRT", "52", reciprocalRoot),
  ...estimate("RCP", "53", reciprocal),
  ...ALL.map(compareMask),
  compareFlags("UCOMISS", "2E", SS, false),
  compareFlags("UCOMISD", "2E", SD, false),
  compareFlags("COMISS", "2F", SS, true),
  compareFlags("COMISD", "2F", SD, true),
  ...combined("ADDSUB", "D0", (n) => (n & 1 ? "add" : "sub"), columns),
  ...combined("HADD", "7C", () => "add", neighbours),
  ...combined("HSUB", "7D", () => "sub", neighbours),
];
