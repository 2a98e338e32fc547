// What SSE floating-point instructions share: lanes of XMM registers and memory as bit patterns, and the rows of a family.
import type { Attempt } from "../float/host-float.ts";
import { clearFlags, DOUBLE, type Format, settleFlags, SINGLE } from "../float/ieee.ts";
import type { Expr, Label, Routine } from "../ir/types.ts";
import { type Instruction, instruction, type Operand } from "./instruction.ts";
import { vectorOf } from "./packed.ts";
import type { Sem } from "./sem.ts";

/** One of the four kinds of operands: packed or scalar, single or double precision. */
export interface Shape {
  readonly suffix: "PS" | "PD" | "SS" | "SD";
  readonly format: Format;
  readonly prefix: "NP" | "66" | "F3" | "F2";
  /** Lanes that take part. */
  readonly lanes: 1 | 2 | 4;
  /** Operands of a two-operand row. */
  readonly operands: string;
  readonly feature: "sse" | "sse2";
}

const PS: Shape = { suffix: "PS", format: SINGLE, prefix: "NP", lanes: 4, operands: "xmm, xmm/m128", feature: "sse" };
const PD: Shape = { suffix: "PD", format: DOUBLE, prefix: "66", lanes: 2, operands: "xmm, xmm/m128", feature: "sse2" };
const SS: Shape = { suffix: "SS", format: SINGLE, prefix: "F3", lanes: 1, operands: "xmm, xmm/m32", feature: "sse" };
const SD: Shape = { suffix: "SD", format: DOUBLE, prefix: "F2", lanes: 1, operands: "xmm, xmm/m64", feature: "sse2" };
/** The kinds of operands by the suffix of a mnemonic. */
export const SHAPES: Readonly<Record<Shape["suffix"], Shape>> = { PS, PD, SS, SD };

/** Lane `n` of a vector, zero-extended to i64. */
export function lane(o: Sem, f: Format, v: Expr, n: number): Expr {
  return f.bits === 64 ? o.opImm("i64x2.extract_lane", "i64", n, v) : o.extU(o.opImm("i32x4.extract_lane", "i32", n, v));
}

/** Lanes of an operand; one lane only is read as no more than that from memory. */
export function lanesOf(o: Sem, f: Format, op: Operand, count: number): Expr[] {
  if (op.kind === "mem" && op.width < 128) {
    const value = o.read(op);
    if (op.width === f.bits) return [value];
    return Array.from({ length: count }, (_, n) => o.zext(o.shrU(value, n * f.bits), f.bits));
  }
  if (count === 1 && op.kind === "xmm") return [o.load(f.bits === 64 ? "i64.load" : "i64.load32_u", o.registerAddress(op))];
  const v = vectorOf(o, op);
  return Array.from({ length: count }, (_, n) => lane(o, f, v, n));
}

/** Stores lanes into an XMM register from lane 0 on; the others stay. */
export function writeLanes(o: Sem, bits: 32 | 64, dst: Operand, values: readonly Expr[]): void {
  const address = o.registerAddress(dst);
  values.forEach((e, n) => o.store(bits === 64 ? "i64.store" : "i64.store32", address, e, n * (bits >> 3)));
}

/** A computation whose exceptions count: what `body` gives is used only when none of them is a fault. */
export function settled<T>(o: Sem, body: () => T): T {
  clearFlags(o, o.base());
  const result = body();
  o.call(settleFlags, o.base());
  return result;
}

/** An operand for both sides: as a vector when it is packed, as the bit pattern of its one lane otherwise. */
export function valueOf(o: Sem, shape: Shape, op: Operand): Expr {
  return shape.lanes === 1 ? lanesOf(o, shape.format, op, 1)[0]! : vectorOf(o, op);
}

/** The lanes of such a value. */
export const lanesOfValue = (o: Sem, shape: Shape, value: Expr): Expr[] =>
  shape.lanes === 1 ? [value] : Array.from({ length: shape.lanes }, (_, n) => lane(o, shape.format, value, n));

function writeValue(o: Sem, shape: Shape, dst: Operand, value: Expr): void {
  if (shape.lanes === 1) writeLanes(o, shape.format.bits, dst, [value]);
  else o.write(dst, value);
}

/** How WebAssembly's own operators do it: a bit pattern or a vector, and when that is right. Called again for `lanes` > 1. */
export interface HostWay {
  /** Whether trying makes sense at all: looked at first. */
  readonly when?: (o: Sem) => Expr;
  readonly lane: (o: Sem, f: Format, x: Expr, y: Expr) => Attempt;
  readonly vector: (o: Sem, f: Format, x: Expr, y: Expr) => Attempt;
}

/** Writes what the host gives when that is right, and what `exact` gives otherwise. */
export function withHost(
  o: Sem,
  shape: Shape,
  dst: Operand,
  host: HostWay,
  operands: readonly [x: Expr, y: Expr],
  exact: () => readonly Expr[],
): void {
  const tryHost = (done: Label): void => {
    const { value, right } = (shape.lanes === 1 ? host.lane : host.vector)(o, shape.format, ...operands);
    o.if(right, () => {
      writeValue(o, shape, dst, value);
      o.br(done);
    });
  };
  o.block((done) => {
    if (host.when) o.if(host.when(o), () => tryHost(done));
    else tryHost(done);
    writeLanes(o, shape.format.bits, dst, settled(o, exact));
  });
}

/** dst = f(dst, src), lane by lane, for the given shapes. */
export function binaryFamily(
  name: string,
  opcode: string,
  shapes: readonly Shape[],
  host: HostWay,
  routineOf: (f: Format) => Routine,
): Instruction[] {
  return shapes.map((shape) =>
    instruction(name + shape.suffix, {
      forms: [`${shape.prefix} 0F ${opcode} /r | ${shape.operands} | sse`],
      access: "rw r",
      feature: shape.feature,
      sem: (o, [dst, src]) => {
        const y = valueOf(o, shape, src);
        const x = valueOf(o, shape, dst);
        withHost(o, shape, dst, host, [x, y], () => {
          const second = lanesOfValue(o, shape, y);
          return lanesOfValue(o, shape, x).map((e, n) => o.call(routineOf(shape.format), o.base(), e, second[n]!));
        });
      },
    }),
  );
}

/** dst = f(src), lane by lane, for the given shapes. */
export function unaryFamily(
  name: string,
  opcode: string,
  shapes: readonly Shape[],
  host: HostWay,
  routineOf: (f: Format) => Routine,
): Instruction[] {
  return shapes.map((shape) =>
    instruction(name + shape.suffix, {
      forms: [`${shape.prefix} 0F ${opcode} /r | ${shape.operands} | sse`],
      access: "w r",
      feature: shape.feature,
      sem: (o, [dst, src]) => {
        const x = valueOf(o, shape, src);
        withHost(o, shape, dst, host, [x, x], () => lanesOfValue(o, shape, x).map((e) => o.call(routineOf(shape.format), o.base(), e)));
      },
    }),
  );
}
