// Integer addition, subtraction, comparison and logic (SDM 1 §5.1.2, §5.1.4).
import type { Expr } from "../ir/types.ts";
import { type Instruction, instruction } from "./instruction.ts";
import type { Sem } from "./sem.ts";

/** The eight two-operand instructions share one opcode layout: 00+8n … 05+8n, 80–83 /n. */
function rows(n: number): string[] {
  const op = (k: number): string => (n * 8 + k).toString(16).toUpperCase().padStart(2, "0");
  return [
    `${op(0)} /r | r/m8, r8 | lock`,
    `${op(1)} /r | r/m16, r16 | lock`,
    `${op(1)} /r | r/m32, r32 | lock`,
    `REX.W + ${op(1)} /r | r/m64, r64 | lock`,
    `${op(2)} /r | r8, r/m8`,
    `${op(3)} /r | r16, r/m16`,
    `${op(3)} /r | r32, r/m32`,
    `REX.W + ${op(3)} /r | r64, r/m64`,
    `${op(4)} ib | AL, imm8`,
    `${op(5)} iw | AX, imm16 | o16`,
    `${op(5)} id | EAX, imm32 | o32`,
    `REX.W + ${op(5)} id | RAX, imm32`,
    `80 /${n} ib | r/m8, imm8 | lock`,
    `82 /${n} ib | r/m8, imm8 | lock i64`,
    `81 /${n} iw | r/m16, imm16 | lock`,
    `81 /${n} id | r/m32, imm32 | lock`,
    `REX.W + 81 /${n} id | r/m64, imm32 | lock`,
    `83 /${n} ib | r/m16, imm8 | lock`,
    `83 /${n} ib | r/m32, imm8 | lock`,
    `REX.W + 83 /${n} ib | r/m64, imm8 | lock`,
  ];
}

const ALL = "CF PF AF ZF SF OF";

type Operation = (o: Sem, a: Expr, b: Expr, width: number) => Expr;

const add: Operation = (o, a, b, width) => {
  const r = o.zext(o.add(a, b), width);
  o.flagsAdd(width, a, b, r);
  return r;
};

const subtract: Operation = (o, a, b, width) => {
  const r = o.zext(o.sub(a, b), width);
  o.flagsSub(width, a, b, r);
  return r;
};

const logic =
  (name: "and" | "or" | "xor"): Operation =>
  (o, a, b, width) => {
    const r = o[name](a, b);
    o.flagsLogic(width, r);
    return r;
  };

/** a + b + CF or a - b - CF: carries out of and into the sign bit do not follow from two operands, so the flags are explicit. */
const withCarry =
  (minus: boolean): Operation =>
  (o, a, b, width) => {
    const carry = o.extU(o.cf());
    const r = o.zext(minus ? o.sub(o.sub(a, b), carry) : o.add(o.add(a, b), carry), width);
    // Carry vector: bit i is the carry (borrow) out of bit i (Hacker's Delight §2-13).
    const carries = minus
      ? o.or(o.and(o.xor(a, -1), b), o.and(o.or(o.xor(a, -1), b), r))
      : o.or(o.and(a, b), o.and(o.or(a, b), o.xor(r, -1)));
    const bit = (e: Expr, n: number): Expr => o.and(o.wrap(o.shrU(e, n)), 1);
    o.flagsExplicit(width, r, {
      cf: bit(carries, width - 1),
      of: o.xor(bit(carries, width - 1), bit(carries, width - 2)),
      af: bit(carries, 3),
    });
    return r;
  };

function binary(name: string, n: number, operation: Operation, undefinedFlags = ""): Instruction {
  return instruction(name, {
    forms: rows(n),
    access: "rw r",
    flags: ALL.split(" ")
      .filter((f) => !undefinedFlags.includes(f))
      .join(" "),
    undefinedFlags,
    // A memory destination was probed when it was read, so flags may change before the store.
    sem: (o, [dst, src]) => o.write(dst, operation(o, o.read(dst), o.read(src), dst.width)),
  });
}

/** INC and DEC leave CF alone. */
function step(name: string, digit: number, plus: string, by: bigint): Instruction {
  return instruction(name, {
    forms: [
      `FE /${digit} | r/m8 | lock`,
      `FF /${digit} | r/m16 | lock`,
      `FF /${digit} | r/m32 | lock`,
      `REX.W + FF /${digit} | r/m64 | lock`,
      `${plus} +rw | r16 | i64`,
      `${plus} +rd | r32 | i64`,
    ],
    access: "rw",
    flags: "PF AF ZF SF OF",
    sem: (o, [dst]) => {
      const w = dst.width;
      const a = o.read(dst);
      const cf = o.cf();
      const r = o.zext(o.add(a, by), w);
      const overflow = by > 0n ? 1n << BigInt(w - 1) : (1n << BigInt(w - 1)) - 1n;
      const nibble = o.and(o.xor(a, r), 0x10n);
      o.write(dst, r);
      o.flagsExplicit(w, r, { cf, of: o.eq(r, BigInt.asIntN(64, overflow)), af: o.wrap(o.shrU(nibble, 4)) });
    },
  });
}

/** Integer arithmetic and logic. */
export const arith: readonly Instruction[] = [
  binary("ADD", 0, add),
  binary("OR", 1, logic("or"), "AF"),
  binary("ADC", 2, withCarry(false)),
  binary("SBB", 3, withCarry(true)),
  binary("AND", 4, logic("and"), "AF"),
  binary("SUB", 5, subtract),
  binary("XOR", 6, logic("xor"), "AF"),
  instruction("CMP", {
    forms: rows(7).map((r) => r.replace(" lock", "")),
    access: "r r",
    flags: ALL,
    sem: (o, [a, b]) => void subtract(o, o.read(a), o.read(b), a.width),
  }),
  instruction("TEST", {
    forms: [
      "84 /r | r/m8, r8",
      "85 /r | r/m16, r16",
      "85 /r | r/m32, r32",
      "REX.W + 85 /r | r/m64, r64",
      "A8 ib | AL, imm8",
      "A9 iw | AX, imm16 | o16",
      "A9 id | EAX, imm32 | o32",
      "REX.W + A9 id | RAX, imm32",
      ...[0, 1].flatMap((d) => [
        `F6 /${d} ib | r/m8, imm8`,
        `F7 /${d} iw | r/m16, imm16`,
        `F7 /${d} id | r/m32, imm32`,
        `REX.W + F7 /${d} id | r/m64, imm32`,
      ]),
    ],
    access: "r r",
    flags: "CF PF ZF SF OF",
    undefinedFlags: "AF",
    sem: (o, [a, b]) => o.flagsLogic(a.width, o.and(o.read(a), o.read(b))),
  }),
  step("INC", 0, "40", 1n),
  step("DEC", 1, "48", -1n),
  instruction("NEG", {
    forms: ["F6 /3 | r/m8 | lock", "F7 /3 | r/m16 | lock", "F7 /3 | r/m32 | lock", "REX.W + F7 /3 | r/m64 | lock"],
    access: "rw",
    flags: ALL,
    sem: (o, [dst]) => o.write(dst, subtract(o, o.i64(0), o.read(dst), dst.width)),
  }),
  instruction("NOT", {
    forms: ["F6 /2 | r/m8 | lock", "F7 /2 | r/m16 | lock", "F7 /2 | r/m32 | lock", "REX.W + F7 /2 | r/m64 | lock"],
    access: "rw",
    sem: (o, [dst]) => o.write(dst, o.zext(o.xor(o.read(dst), -1), dst.width)),
  }),
];
