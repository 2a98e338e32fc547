// x87 and SSE registers to and from images in memory (SDM 1 §10.5.1, §13.5): the routines that FXSAVE and the XSAVE family share.
//
//   0     2     4     5  6     8          14    16         22    24      28
//   ┌─────┬─────┬─────┬──┬─────┬──────────┬─────┬──────────┬─────┬───────┬────────────┐
//   │ FCW │ FSW │ FTW │  │ FOP │ FIP, FCS │     │ FDP, FDS │     │ MXCSR │ MXCSR_MASK │
//   └─────┴─────┴─────┴──┴─────┴──────────┴─────┴──────────┴─────┴───────┴────────────┘
//   32 ST0 … ST7, 16 bytes each · 160 XMM0 … XMM15
//
// With REX.W the pointers are 64 bits and have no selectors. Every image lies in two pages at most, and the caller has made sure
// that both can be accessed.
import { routine } from "../ir/builder.ts";
import type { Builder } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { load128, LOADS, store128, STORES } from "../mmu/access.ts";
import { at, MODE, type StateName, X87, XMM } from "../state.ts";

/** State components (SDM 1 §13.1). */
export const COMPONENT = { x87: 1, sse: 2 } as const;
/** Bits of MXCSR that exist (SDM 1 §11.6.6). */
export const MXCSR_MASK = 0xffff;
export const MXCSR_INITIAL = 0x1f80;

const IMAGE = { control: 0, fip: 8, fdp: 16, st: 32, xmm: 160 } as const;
/** Bits of the control word that exist; bit 6 is always 1. */
const FCW = { defined: 0x1f3f, one: 0x40, initial: 0x37f } as const;
const FSW = { top: 0x3800, topShift: 11, exceptions: 0x3f, summary: 0x8080 } as const;
const FOP_MASK = 0x7ff;

const get16 = (b: Builder, base: Expr, name: StateName): Expr => b.load("i32.load16_u", base, at(name));
const get8 = (b: Builder, base: Expr, name: StateName): Expr => b.load("i32.load8_u", base, at(name));
const put16 = (b: Builder, base: Expr, name: StateName, e: Expr): void => b.store("i32.store16", base, e, at(name));
const view = (b: Builder, base: Expr): Expr => b.load("i32.load", base, at("tlbView"));

/** Linear address of byte `n` of the image; outside 64-bit mode addresses wrap at 4 GiB. */
function part(b: Builder, base: Expr, linear: Expr, n: Expr | number): Expr {
  const sum = b.add(linear, typeof n === "number" ? BigInt(n) : n);
  return b.select(b.and(b.load("i32.load", base, at("mode")), MODE.long), sum, b.and(sum, 0xffff_ffffn));
}

/** Runs `body` with i × 16 for i = 0 … count - 1, as i32. */
function eachSlot(b: Builder, count: Expr, body: (offset: Expr) => void): void {
  const i = b.variable(b.i32(0));
  b.while(
    () => b.ltU(b.get(i), b.shl(count, 4)),
    () => {
      body(b.get(i));
      b.set(i, b.add(b.get(i), 16));
    },
  );
}

/** Host address of ST(offset / 16) (less X87, which loads and stores add). */
function stackSlot(b: Builder, base: Expr, offset: Expr): Expr {
  return b.add(base, b.and(b.add(offset, b.shl(get8(b, base, "ftop"), 4)), 0x70));
}

/** Marks components as not known to be initial. */
function touched(b: Builder, base: Expr, component: number): void {
  b.store("i32.store", base, b.and(b.load("i32.load", base, at("initialized")), ~component), at("initialized"));
}

function noteInitial(b: Builder, base: Expr, component: number): void {
  b.store("i32.store", base, b.or(b.load("i32.load", base, at("initialized")), component), at("initialized"));
}

/** Stores x87 state: (base, linear, 1 for 64-bit pointers). */
export const saveX87: Routine = routine(
  "image.saveX87",
  ["i32", "i64", "i32"],
  undefined,
  (b, base, linear, wide) => {
    const put = (offset: Expr | number, e: Expr): void => void b.call(STORES[8]!, base, view(b, base), part(b, base, linear, offset), e);
    const fsw = b.or(b.and(get16(b, base, "fsw"), ~FSW.top), b.shl(get8(b, base, "ftop"), FSW.topShift));
    const low = b.extU(b.or(get16(b, base, "fcw"), b.shl(fsw, 16)));
    put(IMAGE.control, b.or(low, b.shl(b.extU(b.or(get8(b, base, "ftw"), b.shl(get16(b, base, "fop"), 16))), 32)));
    const pointer = (ip: "fip" | "fdp", selector: "fcs" | "fds"): Expr => {
      const whole = b.load("i64.load", base, at(ip));
      return b.select(wide, whole, b.or(b.and(whole, 0xffff_ffffn), b.shl(b.extU(get16(b, base, selector)), 32)));
    };
    put(IMAGE.fip, pointer("fip", "fcs"));
    put(IMAGE.fdp, pointer("fdp", "fds"));
    eachSlot(b, b.i32(8), (offset) => {
      const slot = stackSlot(b, base, offset);
      put(b.extU(b.add(offset, IMAGE.st)), b.load("i64.load", slot, X87));
      put(b.extU(b.add(offset, IMAGE.st + 8)), b.load("i64.load16_u", slot, X87 + 8));
    });
  },
  { faults: true },
);

/** Loads x87 state: (base, linear, 1 for 64-bit pointers). */
export const loadX87: Routine = routine(
  "image.loadX87",
  ["i32", "i64", "i32"],
  undefined,
  (b, base, linear, wide) => {
    const take = (offset: Expr | number): Expr => b.call(LOADS[8]!, base, view(b, base), part(b, base, linear, offset));
    const control = take(IMAGE.control);
    const word = (n: number): Expr => b.wrap(b.shrU(control, n * 16));
    const fcw = b.or(b.and(word(0), FCW.defined), FCW.one);
    const fsw = b.and(word(1), 0x7f7f);
    // The summary bits follow the unmasked exceptions (SDM 1 §8.1.3.3).
    const unmasked = b.and(b.and(fsw, b.xor(fcw, -1)), FSW.exceptions);
    put16(b, base, "fcw", fcw);
    put16(b, base, "fsw", b.or(b.and(fsw, ~FSW.top), b.select(unmasked, b.i32(FSW.summary), b.i32(0))));
    b.store("i32.store8", base, b.and(b.shrU(fsw, FSW.topShift), 7), at("ftop"));
    b.store("i32.store8", base, word(2), at("ftw"));
    put16(b, base, "fop", b.and(word(3), FOP_MASK));
    const pointer = (ip: "fip" | "fdp", selector: "fcs" | "fds", whole: Expr): void => {
      b.store("i64.store", base, b.select(wide, whole, b.and(whole, 0xffff_ffffn)), at(ip));
      put16(b, base, selector, b.select(wide, b.i32(0), b.wrap(b.shrU(whole, 32))));
    };
    pointer("fip", "fcs", take(IMAGE.fip));
    pointer("fdp", "fds", take(IMAGE.fdp));
    eachSlot(b, b.i32(8), (offset) => {
      const significand = take(b.extU(b.add(offset, IMAGE.st)));
      const head = take(b.extU(b.add(offset, IMAGE.st + 8)));
      const slot = stackSlot(b, base, offset);
      b.store("i64.store", slot, significand, X87);
      b.store("i64.store16", slot, head, X87 + 8);
    });
    touched(b, base, COMPONENT.x87);
  },
  { faults: true },
);

/** x87 state as FNINIT leaves it, with empty registers zero (SDM 1 §13.6): (base). */
export const initializeX87: Routine = routine("image.initX87", ["i32"], undefined, (b, base) => {
  b.fill(b.add(base, X87), b.i32(0), b.i32(128));
  b.fill(b.add(base, at("fcw")), b.i32(0), b.i32(at("fds") + 2 - at("fcw")));
  put16(b, base, "fcw", b.i32(FCW.initial));
  noteInitial(b, base, COMPONENT.x87);
});

/** Stores the first `count` XMM registers: (base, linear, count). */
export const saveXmm: Routine = routine(
  "image.saveXmm",
  ["i32", "i64", "i32"],
  undefined,
  (b, base, linear, count) => {
    eachSlot(b, count, (offset) => {
      const value = b.load("v128.load", b.add(base, offset), XMM);
      b.call(store128, base, view(b, base), part(b, base, linear, b.extU(b.add(offset, IMAGE.xmm))), value);
    });
  },
  { faults: true },
);

/** Loads the first `count` XMM registers from an image at a linear address: (base, linear, count). */
export const loadXmm: Routine = routine(
  "image.loadXmm",
  ["i32", "i64", "i32"],
  undefined,
  (b, base, linear, count) => {
    eachSlot(b, count, (offset) => {
      const value = b.call(load128, base, view(b, base), part(b, base, linear, b.extU(b.add(offset, IMAGE.xmm))));
      b.store("v128.store", b.add(base, offset), value, XMM);
    });
    touched(b, base, COMPONENT.sse);
  },
  { faults: true },
);

/** Clears the first `count` XMM registers: (base, count). */
export const initializeXmm: Routine = routine("image.initXmm", ["i32", "i32"], undefined, (b, base, count) => {
  b.fill(b.add(base, XMM), b.i32(0), b.shl(count, 4));
  noteInitial(b, base, COMPONENT.sse);
});

/**
 * XINUSE (SDM 1 §13.6): (base) → components. A component is known to be initial when XRSTOR made it so and its values still are;
 * values that happen to be initial do not count, as on silicon.
 */
export const inUse: Routine = routine("image.inUse", ["i32"], "i32", (b, base) => {
  const slots = (offset: number, count: number): Expr => {
    const all = Array.from({ length: count }, (_, i) => b.load("v128.load", base, offset + i * 16));
    return b.op(
      "v128.any_true",
      "i32",
      all.reduce((x, y) => b.op("v128.or", "v128", x, y)),
    );
  };
  const words = (name: "fip" | "fdp"): Expr => b.ne(b.load("i64.load", base, at(name)), 0n);
  const control = b.or(
    b.or(b.xor(get16(b, base, "fcw"), FCW.initial), get16(b, base, "fsw")),
    b.or(get16(b, base, "ftw"), get16(b, base, "fop")),
  );
  const pointers = b.or(b.or(words("fip"), words("fdp")), b.or(get16(b, base, "fcs"), get16(b, base, "fds")));
  const x87 = b.ne(b.or(b.or(control, pointers), slots(X87, 8)), 0);
  const changed = b.or(x87, b.shl(slots(XMM, 16), 1));
  const never = b.xor(b.load("i32.load", base, at("initialized")), COMPONENT.x87 | COMPONENT.sse);
  b.return(b.or(changed, never));
});
