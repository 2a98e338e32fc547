// Arithmetic and comparison of SSE floating-point operands (SDM 1 §5.5.1.2, §5.5.1.4, §5.6.1.2, §5.7, §5.10.1).
import { arithmetic } from "../float/ieee-arithmetic.ts";
import { comparison, RELATION } from "../float/ieee-compare.ts";
import { reciprocal, reciprocalRoot } from "../float/ieee-estimate.ts";
import {
  anyUnusual,
  attempt,
  attemptLanes,
  attemptRoot,
  attemptRoots,
  compareLanes,
  type HostOperation,
  isUnusual,
  plainMode,
  toHost,
} from "../float/host-float.ts";
import type { Format } from "../float/ieee.ts";
import type { Expr } from "../ir/types.ts";
import { KIND, KIND_BIT } from "./flags.ts";
import { type Instruction, instruction } from "./instruction.ts";
import { immediate } from "./packed.ts";
import type { Sem } from "./sem.ts";
import {
  binaryFamily,
  type HostWay,
  lanesOf,
  lanesOfValue,
  settled,
  SHAPES,
  type Shape,
  unaryFamily,
  valueOf,
  withHost,
  writeLanes,
} from "./sse-float-lane.ts";

const { PS, PD, SS, SD } = SHAPES;
const ALL: readonly Shape[] = [PS, PD, SS, SD];

/** For each predicate of CMPPS the relations that satisfy it, four bits each: EQ LT LE UNORD NEQ NLT NLE ORD. */
const PREDICATES = 0x7ced_8312;
/** Predicates for which a quiet NaN is invalid: LT LE NLT NLE. */
const SIGNALLING = 0x66;

const when = (o: Sem): Expr => plainMode(o, o.base());

const hostArithmetic = (operation: HostOperation): HostWay => ({
  when,
  lane: (o, f, x, y) => attempt(o, f, operation, x, y),
  vector: (o, f, x, y) => attemptLanes(o, f, operation, x, y),
});

const hostRoot: HostWay = { when, lane: attemptRoot, vector: attemptRoots };

/** Without NaNs and denormals there is nothing to raise, whatever MXCSR says. */
const hostExtreme = (how: "lt" | "gt"): HostWay => ({
  lane: (o, f, x, y) => ({
    value: o.select(hostCompare(o, f, how, x, y), x, y),
    right: o.not(o.or(isUnusual(o, f, x), isUnusual(o, f, y))),
  }),
  vector: (o, f, x, y) => ({
    value: o.op("v128.bitselect", "v128", x, y, compareLanes(o, f, how, x, y)),
    right: o.not(anyUnusual(o, f, x, y)),
  }),
});

/** Approximations look at no exceptions. */
function estimate(name: string, opcode: string, routine: typeof reciprocal): Instruction[] {
  return [PS, SS].map((shape) =>
    instruction(name + shape.suffix, {
      forms: [`${shape.prefix} 0F ${opcode} /r | ${shape.operands} | sse`],
      access: "w r",
      feature: shape.feature,
      sem: (o, [dst, src]) =>
        writeLanes(
          o,
          32,
          dst,
          lanesOf(o, shape.format, src, shape.lanes).map((x) => o.call(routine, x)),
        ),
    }),
  );
}

const hostCompare = (o: Sem, f: Format, how: "lt" | "eq" | "gt", x: Expr, y: Expr): Expr =>
  o.op(`${f.name}.${how}`, "i32", toHost(o, f, x), toHost(o, f, y));

/** How one number stands to another (RELATION) when neither is unusual. */
function hostRelation(o: Sem, f: Format, x: Expr, y: Expr): Expr {
  const unequal = o.select(hostCompare(o, f, "lt", x, y), o.i32(RELATION.less), o.i32(RELATION.greater));
  return o.select(hostCompare(o, f, "eq", x, y), o.i32(RELATION.equal), unequal);
}

/** A lane's mask: all ones when its relation is among those wanted. */
const maskOf = (o: Sem, wanted: Expr, relation: Expr): Expr => o.sub(o.i64(0), o.extU(o.ne(o.and(wanted, relation), 0)));

/** CMPPS and its like; `wanted` are the relations that satisfy the predicate. */
const hostMask = (wanted: Expr): HostWay => ({
  lane: (o, f, x, y) => ({
    value: maskOf(o, wanted, hostRelation(o, f, x, y)),
    right: o.not(o.or(isUnusual(o, f, x), isUnusual(o, f, y))),
  }),
  vector: (o, f, x, y) => {
    const part = (how: "lt" | "eq" | "gt", relation: number): Expr => {
      const all = o.op("i32x4.splat", "v128", o.sub(o.i32(0), o.ne(o.and(wanted, relation), 0)));
      return o.op("v128.and", "v128", all, compareLanes(o, f, how, x, y));
    };
    const unequal = o.op("v128.or", "v128", part("lt", RELATION.less), part("gt", RELATION.greater));
    return { value: o.op("v128.or", "v128", part("eq", RELATION.equal), unequal), right: o.not(anyUnusual(o, f, x, y)) };
  },
});

function compareMask(shape: Shape): Instruction {
  const f = shape.format;
  return instruction(`CMP${shape.suffix}`, {
    forms: [`${shape.prefix} 0F C2 /r ib | ${shape.operands}, imm8 | sse`],
    access: "rw r r",
    feature: shape.feature,
    sem: (o, [dst, src]) => {
      const predicate = o.and(immediate(o), 7);
      const wanted = o.and(o.shrU(o.i32(PREDICATES), o.shl(predicate, 2)), 0xf);
      const signalling = o.and(o.shrU(o.i32(SIGNALLING), predicate), 1);
      const y = valueOf(o, shape, src);
      const x = valueOf(o, shape, dst);
      withHost(o, shape, dst, hostMask(wanted), [x, y], () => {
        const second = lanesOfValue(o, shape, y);
        return lanesOfValue(o, shape, x).map((e, n) =>
          maskOf(o, wanted, o.call(comparison(f).compare, o.base(), e, second[n]!, signalling)),
        );
      });
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
      const y = lanesOf(o, shape.format, second, 1)[0]!;
      const x = lanesOf(o, shape.format, first, 1)[0]!;
      const relation = o.choose(
        o.or(isUnusual(o, shape.format, x), isUnusual(o, shape.format, y)),
        () => settled(o, () => o.call(comparison(shape.format).compare, o.base(), x, y, o.i32(signalling ? 1 : 0))),
        () => hostRelation(o, shape.format, x, y),
      );
      const has = (relations: number): Expr => o.ne(o.and(relation, relations), 0);
      // A result of 0 means ZF and PF, one of 1 neither; PF is not wanted for equal numbers.
      const flip = o.shl(has(RELATION.equal), KIND_BIT.pfFlip);
      o.setState64("flagResult", o.extU(o.not(has(RELATION.equal | RELATION.unordered))));
      o.setState("flagKind", o.or(o.or(flip, o.shl(has(RELATION.less | RELATION.unordered), KIND_BIT.cf)), KIND.explicit));
    },
  });
}

type Sides = readonly [x: Expr, y: Expr];

/** Additions and subtractions of chosen pairs of lanes (SSE3); `pairs` gives each result lane's operands. */
function combined(
  name: string,
  opcode: string,
  operationOf: (n: number) => "add" | "sub",
  pairs: (x: Expr[], y: Expr[]) => readonly Sides[],
): Instruction[] {
  return [{ ...PS, prefix: "F2" }, PD].map((shape) =>
    instruction(name + shape.suffix, {
      forms: [`${shape.prefix} 0F ${opcode} /r | ${shape.operands} | sse`],
      access: "rw r",
      feature: "sse3",
      sem: (o, [dst, src]) => {
        const f = shape.format;
        const y = lanesOf(o, f, src, shape.lanes);
        const x = lanesOf(o, f, dst, shape.lanes);
        const values = settled(o, () => pairs(x, y).map(([a, b], n) => o.call(arithmetic(f)[operationOf(n)], o.base(), a, b)));
        writeLanes(o, f.bits, dst, values);
      },
    }),
  );
}

/** Neighbouring lanes of the first vector, then of the second. */
const neighbours = (x: Expr[], y: Expr[]): readonly Sides[] =>
  [x, y].flatMap((v) => Array.from({ length: v.length / 2 }, (_, n) => [v[2 * n]!, v[2 * n + 1]!] as const));
const columns = (x: Expr[], y: Expr[]): readonly Sides[] => x.map((e, n) => [e, y[n]!] as const);

/** Arithmetic, comparison and estimates. */
export const sseFloat: readonly Instruction[] = [
  ...binaryFamily("ADD", "58", ALL, hostArithmetic("add"), (f) => arithmetic(f).add),
  ...binaryFamily("MUL", "59", ALL, hostArithmetic("mul"), (f) => arithmetic(f).mul),
  ...binaryFamily("SUB", "5C", ALL, hostArithmetic("sub"), (f) => arithmetic(f).sub),
  ...binaryFamily("MIN", "5D", ALL, hostExtreme("lt"), (f) => comparison(f).min),
  ...binaryFamily("DIV", "5E", ALL, hostArithmetic("div"), (f) => arithmetic(f).div),
  ...binaryFamily("MAX", "5F", ALL, hostExtreme("gt"), (f) => comparison(f).max),
  ...unaryFamily("SQRT", "51", ALL, hostRoot, (f) => arithmetic(f).sqrt),
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
