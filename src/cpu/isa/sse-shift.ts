// Packed shifts (SDM 1 §5.4.6, §5.6.3): by an immediate, or by the low 64 bits of a register or memory operand.
import type { Expr } from "../ir/types.ts";
import { type Instruction, instruction, type Operand } from "./instruction.ts";
import { byWidth, every, half, immediate, iota, vectorOf, writeVector, x87Pending, zero } from "./packed.ts";
import type { Sem } from "./sem.ts";

type Operator = "shl" | "shr_u" | "shr_s";

/** Shifts lanes of `width` bits; a count beyond that gives 0, or the sign everywhere. */
function shift(o: Sem, operator: Operator, width: number, v: Expr, count: Expr): Expr {
  const beyond = o.gtU(count, BigInt(width - 1));
  const by = (n: Expr): Expr => o.op(`i${width}x${128 / width}.${operator}`, "v128", v, o.wrap(n));
  if (operator === "shr_s") return by(o.select(beyond, o.i64(width - 1), count));
  return o.select(beyond, zero(o), by(count));
}

function shifted(o: Sem, dst: Operand, operator: Operator, width: number, count: Expr): void {
  writeVector(o, dst, shift(o, operator, width, vectorOf(o, dst), count));
}

/** Both forms of one shift: opcode by register; group opcode and digit by immediate. */
function shifts(name: string, opcode: string, group: string, operator: Operator, width: number): Instruction[] {
  const byRegister = byWidth(name, opcode, { mm: "mmx", xmm: "sse2" }, (o, [dst, src]) => {
    if (dst.kind === "mm") x87Pending(o);
    shifted(o, dst, operator, width, half(o, vectorOf(o, src), 0));
  });
  const registers = [
    ["NP", "mm", "mmx", "mmx"],
    ["66", "xmm", "sse", "sse2"],
  ] as const;
  const byImmediate = registers.map(([prefix, register, unit, feature]) =>
    instruction(name, {
      forms: [`${prefix} ${group} ib | ${register}., imm8 | ${unit}`],
      access: "rw r",
      feature,
      sem: (o, [dst]) => {
        if (dst.kind === "mm") x87Pending(o);
        shifted(o, dst, operator, width, o.extU(immediate(o)));
      },
    }),
  );
  return [...byRegister, ...byImmediate];
}

/** Moves all 16 bytes up or down by the immediate; from 16 on nothing is left. */
function byteShift(name: string, digit: number, up: boolean): Instruction {
  return instruction(name, {
    forms: [`66 0F 73 /${digit} ib | xmm., imm8 | sse`],
    access: "rw r",
    feature: "sse2",
    sem: (o, [dst]) => {
      const count = o.op("i8x16.min_u", "v128", o.op("i8x16.splat", "v128", immediate(o)), every(o, 1, 16));
      const from = o.op(up ? "i8x16.sub" : "i8x16.add", "v128", iota(o), count);
      o.write(dst, o.op("i8x16.swizzle", "v128", o.read(dst), from));
    },
  });
}

/** Packed shifts. */
export const sseShift: readonly Instruction[] = [
  ...shifts("PSRLW", "0F D1", "0F 71 /2", "shr_u", 16),
  ...shifts("PSRLD", "0F D2", "0F 72 /2", "shr_u", 32),
  ...shifts("PSRLQ", "0F D3", "0F 73 /2", "shr_u", 64),
  ...shifts("PSRAW", "0F E1", "0F 71 /4", "shr_s", 16),
  ...shifts("PSRAD", "0F E2", "0F 72 /4", "shr_s", 32),
  ...shifts("PSLLW", "0F F1", "0F 71 /6", "shl", 16),
  ...shifts("PSLLD", "0F F2", "0F 72 /6", "shl", 32),
  ...shifts("PSLLQ", "0F F3", "0F 73 /6", "shl", 64),
  byteShift("PSRLDQ", 3, false),
  byteShift("PSLLDQ", 7, true),
];
