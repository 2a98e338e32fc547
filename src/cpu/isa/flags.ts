// Lazy arithmetic flags.
//
// An instruction that sets flags stores its result and operands, sign-extended to 64 bits; a reader computes what it needs.
// Sign extension keeps both signed and unsigned order, so no width is stored.
//
//   ZF  flagResult = 0
//   SF  sign of flagResult,              xor bit SF_FLIP of flagKind
//   PF  even parity of its low byte,     xor bit PF_FLIP of flagKind
//
//   class      CF             OF                           AF
//   subtract   A <u B         sign((A^B) & (A^result))     bit 4 of A^B^result
//   add        result <u A    sign(~(A^B) & (A^result))    bit 4 of A^B^result
//   explicit   bit of kind    bit of kind                  bit of kind
//
// A logic instruction is "subtract" of 0 from its result: CF = OF = AF = 0. The flip bits serve values that no result has, such
// as ZF and SF both set by POPF.
import { ROUTINE } from "../engine-calls.ts";
import type { Builder } from "../ir/builder.ts";
import { implement, routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { at } from "../state.ts";

/** Classes, in the low two bits of flagKind. */
export const KIND = { subtract: 0, add: 1, explicit: 2, mask: 3 } as const;
/** Bits of flagKind. The three explicit flags lie where EFLAGS has them, 8 bits up. */
export const KIND_BIT = { sfFlip: 2, pfFlip: 3, cf: 8, af: 12, of: 19 } as const;

/**
 * From one region to the next flags pass as regions keep them, cut to their width; `makeFlagsWhole` makes of it what everybody else knows. In
 * flagKind stands then above the bits that are described here:
 *
 *      31        30     29    24 23               0
 *   ┌──────────┬─────────┬────────┬──────────────────┐
 *   │ deferred │ derived │ shift  │ flagKind         │
 *   └──────────┴─────────┴────────┴──────────────────┘
 *
 * shift: 64 - width of result, A and B · derived: the result is A - B (A + B in the class add) and not kept · deferred: only within a region
 */
export const CUT = { kind: 0xff_ffff, shift: 24, derived: 0x4000_0000, deferred: -0x8000_0000 } as const;

/** A value that was cut, sign-extended. @param kind flagKind as above */
export function extendedFlag(b: Builder, kind: Expr, e: Expr): Expr {
  const shift = b.extU(b.and(b.shrU(kind, CUT.shift), 63));
  return b.shrS(b.shl(e, shift), shift);
}

/** The result, sign-extended, from what was kept. */
export function wholeResult(
  b: Builder,
  kind: Expr,
  { result, a, b: other }: { readonly result: Expr; readonly a: Expr; readonly b: Expr },
): Expr {
  const derived = b.select(b.and(kind, KIND.add), b.add(a, other), b.sub(a, other));
  return extendedFlag(b, kind, b.select(b.and(kind, CUT.derived), derived, result));
}

/** Flags as a region left them become what everybody knows. */
export const makeFlagsWhole: Routine = routine("flag.settle", ["i32"], undefined, (b, base) => {
  const kind = b.load("i32.load", base, at("flagKind"));
  const load = (name: "flagResult" | "flagA" | "flagB"): Expr => b.load("i64.load", base, at(name));
  const cut = { result: load("flagResult"), a: load("flagA"), b: load("flagB") };
  b.store("i64.store", base, wholeResult(b, kind, cut), at("flagResult"));
  b.store("i64.store", base, extendedFlag(b, kind, cut.a), at("flagA"));
  b.store("i64.store", base, extendedFlag(b, kind, cut.b), at("flagB"));
  b.store("i32.store", base, b.and(kind, CUT.kind), at("flagKind"));
});

/** Arithmetic flags in EFLAGS (SDM 1 §3.4.3.1). */
export const CF = 1;
export const PF = 4;
export const AF = 0x10;
export const ZF = 0x40;
export const SF = 0x80;
export const OF = 0x800;

const sign = (b: Builder, e: Expr): Expr => b.wrap(b.shrU(e, 63));
const bit = (b: Builder, e: Expr, n: number): Expr => b.and(b.shrU(e, n), 1);

/** CF of any class. */
export const getCf: Routine = routine("flag.cf", ["i32"], "i32", (b, base) => {
  const kind = b.load("i32.load", base, at("flagKind"));
  const a = b.load("i64.load", base, at("flagA"));
  b.if(b.not(b.and(kind, KIND.mask)), () => b.return(b.ltU(a, b.load("i64.load", base, at("flagB")))));
  b.if(b.eq(b.and(kind, KIND.mask), KIND.add), () => b.return(b.ltU(b.load("i64.load", base, at("flagResult")), a)));
  b.return(bit(b, kind, KIND_BIT.cf));
});

/** OF of any class. */
export const getOf: Routine = routine("flag.of", ["i32"], "i32", (b, base) => {
  const kind = b.load("i32.load", base, at("flagKind"));
  b.if(b.eq(b.and(kind, KIND.mask), KIND.explicit), () => b.return(bit(b, kind, KIND_BIT.of)));
  const a = b.load("i64.load", base, at("flagA"));
  const changed = b.xor(a, b.load("i64.load", base, at("flagResult")));
  const differ = b.xor(a, b.load("i64.load", base, at("flagB")));
  b.if(b.and(kind, KIND.mask), () => b.return(sign(b, b.and(b.xor(differ, -1), changed))));
  b.return(sign(b, b.and(differ, changed)));
});

/** AF of any class. */
export const getAf: Routine = routine("flag.af", ["i32"], "i32", (b, base) => {
  const kind = b.load("i32.load", base, at("flagKind"));
  b.if(b.eq(b.and(kind, KIND.mask), KIND.explicit), () => b.return(bit(b, kind, KIND_BIT.af)));
  const operands = b.xor(b.load("i64.load", base, at("flagA")), b.load("i64.load", base, at("flagB")));
  b.return(bit(b, b.wrap(b.xor(operands, b.load("i64.load", base, at("flagResult")))), 4));
});

/** ZF, which does not depend on the class. */
export const zf = (b: Builder, base: Expr): Expr => b.not(b.load("i64.load", base, at("flagResult")));
/** SF, which does not depend on the class either. */
export const sf = (b: Builder, base: Expr): Expr =>
  b.xor(sign(b, b.load("i64.load", base, at("flagResult"))), bit(b, b.load("i32.load", base, at("flagKind")), KIND_BIT.sfFlip));
/** PF, nor does this. */
export const pf = (b: Builder, base: Expr): Expr => {
  const even = b.xor(b.popcnt(b.load("i32.load8_u", base, at("flagResult"))), 1);
  return b.and(b.xor(even, b.shrU(b.load("i32.load", base, at("flagKind")), KIND_BIT.pfFlip)), 1);
};

/** The six flags in their EFLAGS positions. */
export const getArithmetic: Routine = implement(ROUTINE.getArithmetic, (b, base) => {
  const place = (e: Expr, n: number): Expr => b.shl(e, n);
  const low = b.or(b.call(getCf, base), b.or(place(pf(b, base), 2), place(b.call(getAf, base), 4)));
  b.return(b.or(low, b.or(b.or(place(zf(b, base), 6), place(sf(b, base), 7)), place(b.call(getOf, base), 11))));
});

/** Sets the six flags from EFLAGS positions. */
export const setArithmetic: Routine = implement(ROUTINE.setArithmetic, (b, base, value) => {
  const v = value;
  const isZero = b.and(b.shrU(v, 6), 1);
  // With ZF the result is 0 (SF 0, PF 1), without it 1 (SF 0, PF 0): the flips say how SF and PF differ from that.
  b.store("i64.store", base, b.extU(b.xor(isZero, 1)), at("flagResult"));
  const sfFlip = b.shl(b.and(b.shrU(v, 7), 1), KIND_BIT.sfFlip);
  const pfFlip = b.shl(b.xor(b.and(b.shrU(v, 2), 1), isZero), KIND_BIT.pfFlip);
  const explicit = b.shl(b.and(v, CF | AF | OF), 8);
  b.store("i32.store", base, b.or(b.or(explicit, KIND.explicit), b.or(sfFlip, pfFlip)), at("flagKind"));
});

/** Condition codes 0..15 (SDM 1 appendix B) as 0 or 1, any class; for cold paths. */
export const getCondition: Routine = routine("flag.condition", ["i32", "i32"], "i32", (b, base, cc) => {
  const value = b.variable(b.i32(0));
  const set = (e: () => Expr) => (): void => b.set(value, e());
  const less = (): Expr => b.xor(sf(b, base), b.call(getOf, base));
  b.switch(
    b.shrU(cc, 1),
    [
      set(() => b.call(getOf, base)),
      set(() => b.call(getCf, base)),
      set(() => zf(b, base)),
      set(() => b.or(b.call(getCf, base), zf(b, base))),
      set(() => sf(b, base)),
      set(() => pf(b, base)),
      set(less),
    ],
    set(() => b.or(less(), zf(b, base))),
  );
  b.return(b.xor(b.get(value), b.and(cc, 1)));
});
