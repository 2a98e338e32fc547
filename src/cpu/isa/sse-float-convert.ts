// Conversions among single and double precision and integers in general, MMX and XMM registers (SDM 1 §5.5.1.6, §5.6.1.6).
import {
  attemptFromInteger,
  attemptFromIntegers,
  attemptNarrow,
  attemptToInteger,
  attemptToIntegers,
  attemptWiden,
  attemptWidenLanes,
} from "../float/host-convert.ts";
import type { Attempt } from "../float/host-float.ts";
import { conversion } from "../float/ieee-convert.ts";
import { DOUBLE, type Format, ROUND, roundingControl, SINGLE } from "../float/ieee.ts";
import type { Expr, Label } from "../ir/types.ts";
import { type Instruction, instruction, type Operand } from "./instruction.ts";
import { enterMmx, low64, vectorOf, x87Pending } from "./packed.ts";
import type { Sem } from "./sem.ts";
import { lane, lanesOf, settled, SHAPES, type Shape, writeLanes } from "./sse-float-lane.ts";

const { PS, PD, SS, SD } = SHAPES;

/** Lane by lane from `from` bits to `to` bits. */
interface Conversion {
  readonly name: string;
  readonly row: string;
  readonly lanes: 2 | 4;
  readonly from: 32 | 64;
  readonly to: 32 | 64;
  readonly convert: (o: Sem, x: Expr) => Expr;
  /** What WebAssembly's own operators give for the source (its lanes, the rest 0), where they can do it. */
  readonly host?: (o: Sem, x: Expr) => Attempt;
}

const integerFormat = (bits: 32 | 64): Format => (bits === 32 ? SINGLE : DOUBLE);
const toInt32 =
  (f: Format, truncate: boolean) =>
  (o: Sem, x: Expr): Expr =>
    o.call(conversion(f).toInt32, o.base(), x, truncate ? o.i32(ROUND.zero) : roundingControl(o, o.base()));
const fromInt32 =
  (f: Format) =>
  (o: Sem, x: Expr): Expr =>
    o.call(conversion(f).fromInteger, o.base(), o.sext(x, 32));
const toOther =
  (f: Format) =>
  (o: Sem, x: Expr): Expr =>
    o.call(conversion(f).toOther, o.base(), x);

/** Between XMM registers. Where the result is shorter than the source, what is above it in the low or the whole register becomes 0. */
function vectors(c: Conversion): Instruction {
  return instruction(c.name, {
    forms: [`${c.row} | sse`],
    access: "w r",
    feature: "sse2",
    sem: (o, [dst, src]) => {
      const half = c.lanes * c.from < 128;
      const x = half ? low64(o, lowHalf(o, src)) : vectorOf(o, src);
      o.block((done) => {
        if (c.host) finishIf(o, c.host(o, x), done, (e) => o.write(dst, e));
        const lanes = Array.from({ length: c.lanes }, (_, n) => lane(o, integerFormat(c.from), x, n));
        const values = settled(o, () => lanes.map((e) => c.convert(o, e)));
        const rest = Array.from({ length: 128 / c.to - c.lanes }, () => o.i64(0));
        writeLanes(o, c.to, dst, [...values, ...rest]);
      });
    },
  });
}

const lowHalf = (o: Sem, op: Operand): Expr => (op.kind === "mem" ? o.read(op) : o.load("i64.load", o.registerAddress(op)));

/** Leaves `done` with the host's value when that is right. */
function finishIf(o: Sem, { value, right }: Attempt, done: Label, write: (e: Expr) => void): void {
  o.if(right, () => {
    write(value);
    o.br(done);
  });
}

/** CVTSS2SD and CVTSD2SS: the lowest lane, the rest of the register stays. */
function scalar(name: string, prefix: "F3" | "F2", from: Format, to: Format, host: (o: Sem, x: Expr) => Attempt): Instruction {
  return instruction(name, {
    forms: [`${prefix} 0F 5A /r | xmm, xmm/m${from.bits} | sse`],
    access: "w r",
    feature: "sse2",
    sem: (o, [dst, src]) => {
      const x = lanesOf(o, from, src, 1)[0]!;
      o.block((done) => {
        finishIf(o, host(o, x), done, (e) => writeLanes(o, to.bits, dst, [e]));
        writeLanes(o, to.bits, dst, [settled(o, () => toOther(from)(o, x))]);
      });
    },
  });
}

/** From two integers of an MMX register (which counts as using MMX, even when a fault follows) or memory. */
function fromMmx(name: string, prefix: string, shape: Shape): Instruction {
  return instruction(name, {
    forms: [`${prefix} 0F 2A /r | xmm, mm/m64 | sse mmx`],
    access: "w r",
    feature: shape.feature,
    sem: (o, [dst, src]) => {
      const usesMmx = src.kind === "mm";
      if (usesMmx) x87Pending(o);
      const both = o.read(src);
      if (usesMmx) enterMmx(o);
      const values = settled(o, () => [o.zext(both, 32), o.shrU(both, 32)].map((x) => fromInt32(shape.format)(o, x)));
      writeLanes(o, shape.format.bits, dst, values);
    },
  });
}

/** To two integers of an MMX register. */
function toMmx(name: string, opcode: string, shape: Shape, truncate: boolean): Instruction {
  const source = shape === PS ? "xmm/m64" : "xmm/m128";
  return instruction(name, {
    forms: [`${shape.prefix} 0F ${opcode} /r | mm, ${source} | sse mmx`],
    access: "w r",
    feature: shape.feature,
    sem: (o, [dst, src]) => {
      x87Pending(o);
      const lanes = lanesOf(o, shape.format, src, 2);
      const convert = toInt32(shape.format, truncate);
      enterMmx(o);
      const [low, high] = settled(o, () => [convert(o, lanes[0]!), convert(o, lanes[1]!)] as const);
      o.write(dst, o.or(low, o.shl(high, 32)));
    },
  });
}

function fromGeneral(name: string, shape: Shape): Instruction {
  const f = shape.format;
  return instruction(name, {
    forms: [`${shape.prefix} 0F 2A /r | xmm, r/m32 | sse`, `${shape.prefix} REX.W + 0F 2A /r | xmm, r/m64 | sse`],
    access: "w r",
    feature: shape.feature,
    sem: (o, [dst, src]) => {
      const x = o.sext(o.read(src), src.width);
      const write = (e: Expr): void => writeLanes(o, f.bits, dst, [e]);
      o.block((done) => {
        finishIf(o, attemptFromInteger(o, o.base(), f, x), done, write);
        write(settled(o, () => o.call(conversion(f).fromInteger, o.base(), x)));
      });
    },
  });
}

function toGeneral(name: string, opcode: string, shape: Shape, truncate: boolean): Instruction {
  const f = shape.format;
  const source = shape.operands.slice("xmm, ".length);
  const row = (rex: string, dst: string): string => `${shape.prefix} ${rex}0F ${opcode} /r | ${dst}, ${source} | sse`;
  return instruction(name, {
    forms: [row("", "r32"), row("REX.W + ", "r64")],
    access: "w r",
    feature: shape.feature,
    sem: (o, [dst, src]) => {
      const x = lanesOf(o, f, src, 1)[0]!;
      const { right, value } = attemptToInteger(o, o.base(), f, dst.width, truncate, x);
      const to = conversion(f)[dst.width === 64 ? "toInt64" : "toInt32"];
      const rc = truncate ? o.i32(ROUND.zero) : roundingControl(o, o.base());
      o.write(
        dst,
        o.choose(right, value, () => settled(o, () => o.call(to, o.base(), x, rc))),
      );
    },
  });
}

/** CVT…: between precisions, and between numbers and integers. */
export const sseFloatConvert: readonly Instruction[] = [
  vectors({
    name: "CVTDQ2PS",
    row: "NP 0F 5B /r | xmm, xmm/m128",
    lanes: 4,
    from: 32,
    to: 32,
    convert: fromInt32(SINGLE),
    host: (o, x) => attemptFromIntegers(o, o.base(), x),
  }),
  vectors({
    name: "CVTPS2DQ",
    row: "66 0F 5B /r | xmm, xmm/m128",
    lanes: 4,
    from: 32,
    to: 32,
    convert: toInt32(SINGLE, false),
    host: (o, x) => attemptToIntegers(o, o.base(), false, x),
  }),
  vectors({
    name: "CVTTPS2DQ",
    row: "F3 0F 5B /r | xmm, xmm/m128",
    lanes: 4,
    from: 32,
    to: 32,
    convert: toInt32(SINGLE, true),
    host: (o, x) => attemptToIntegers(o, o.base(), true, x),
  }),
  vectors({
    name: "CVTDQ2PD",
    row: "F3 0F E6 /r | xmm, xmm/m64",
    lanes: 2,
    from: 32,
    to: 64,
    convert: fromInt32(DOUBLE),
    host: (o, x) => ({ value: o.op("f64x2.convert_low_i32x4_s", "v128", x), right: o.i32(1) }),
  }),
  vectors({ name: "CVTPD2DQ", row: "F2 0F E6 /r | xmm, xmm/m128", lanes: 2, from: 64, to: 32, convert: toInt32(DOUBLE, false) }),
  vectors({ name: "CVTTPD2DQ", row: "66 0F E6 /r | xmm, xmm/m128", lanes: 2, from: 64, to: 32, convert: toInt32(DOUBLE, true) }),
  vectors({
    name: "CVTPS2PD",
    row: "NP 0F 5A /r | xmm, xmm/m64",
    lanes: 2,
    from: 32,
    to: 64,
    convert: toOther(SINGLE),
    host: attemptWidenLanes,
  }),
  vectors({ name: "CVTPD2PS", row: "66 0F 5A /r | xmm, xmm/m128", lanes: 2, from: 64, to: 32, convert: toOther(DOUBLE) }),
  scalar("CVTSS2SD", "F3", SINGLE, DOUBLE, attemptWiden),
  scalar("CVTSD2SS", "F2", DOUBLE, SINGLE, (o, x) => attemptNarrow(o, o.base(), x)),
  fromMmx("CVTPI2PS", "NP", PS),
  fromMmx("CVTPI2PD", "66", PD),
  toMmx("CVTPS2PI", "2D", PS, false),
  toMmx("CVTTPS2PI", "2C", PS, true),
  toMmx("CVTPD2PI", "2D", PD, false),
  toMmx("CVTTPD2PI", "2C", PD, true),
  fromGeneral("CVTSI2SS", SS),
  fromGeneral("CVTSI2SD", SD),
  toGeneral("CVTSS2SI", "2D", SS, false),
  toGeneral("CVTTSS2SI", "2C", SS, true),
  toGeneral("CVTSD2SI", "2D", SD, false),
  toGeneral("CVTTSD2SI", "2C", SD, true),
];
