// From a linear address to the decoded record that runs it: jump cache, then TLB and code hash, then the decoder.
import { countUp } from "../counters.ts";
import { ROUTINE } from "../engine-calls.ts";
import type { Builder } from "../ir/builder.ts";
import { implement, routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { decodeBlock } from "../host-calls.ts";
import { entryOf, translate } from "../mmu/access.ts";
import { VECTOR } from "../mmu/control.ts";
import { raise } from "../mmu/fault.ts";
import { ACCESS } from "../mmu/walk.ts";
import { at, FAULT, MODE } from "../state.ts";
import { CODE_HASH, CODE_HASH_ENTRIES, HASH_MULTIPLIER, HASH_SHIFT, JUMP_CACHE, JUMP_ENTRIES, TLB } from "./layout.ts";

/** Where the jump cache keeps `lin`: { key i64, record i32, unused i32 }. */
export function jumpSlot(b: Builder, base: Expr, lin: Expr): Expr {
  const low = b.wrap(lin);
  return b.add(base, b.shl(b.and(b.xor(low, b.shrU(low, 12)), JUMP_ENTRIES - 1), 4));
}

function raiseAtTarget(b: Builder, base: Expr): void {
  b.if(b.load("i32.load", base, at("fault")), () => {
    b.store("i32.store", base, b.or(b.load("i32.load", base, at("fault")), FAULT.ripValid), at("fault"));
    b.return(b.i32(0));
  });
}

/** Host address of the code at `lin`, 0 with a fault pending or when it is not RAM: (base, lin). */
export const codeHost: Routine = implement(ROUTINE.codeHost, (b, base, lin) => {
  const view = b.load("i32.load", base, at("tlbView"));
  const entry = entryOf(b, view, lin);
  const x = b.xor(lin, b.load("i64.load", entry, TLB.execute));
  b.if(b.ltU(x, 4096n), () => b.return(b.add(b.load("i32.load", entry, TLB.host), b.wrap(x))));
  b.return(b.call(translate, base, view, lin, b.i32(ACCESS.fetch)));
});

/** Host address of the page at `lin` from which code can be executed, 0 when there is none; no fault comes of it: (base, lin). */
export const codePage: Routine = implement(ROUTINE.codePage, (b, base, lin) => {
  const view = b.load("i32.load", base, at("tlbView"));
  const entry = entryOf(b, view, lin);
  b.if(b.eq(lin, b.load("i64.load", entry, TLB.execute)), () => b.return(b.load("i32.load", entry, TLB.host)));
  const host = b.callUnchecked(translate, base, view, lin, b.i32(ACCESS.fetch));
  b.if(b.load("i32.load", base, at("fault")), () => {
    b.store("i32.store", base, b.i32(0), at("fault"));
    b.return(b.i32(0));
  });
  b.return(host);
});

const findRecord: Routine = routine("code.find", ["i32", "i32"], "i32", (b, base, host) => {
  const mode = b.load("i32.load", base, at("mode"));
  const index = b.variable(b.shrU(b.mul(host, HASH_MULTIPLIER | 0), HASH_SHIFT));
  b.loop(() => {
    const slot = b.add(base, b.shl(b.get(index), 3));
    const key = b.load("i32.load", slot, CODE_HASH);
    const value = b.load("i32.load", slot, CODE_HASH + 4);
    b.if(b.and(b.eq(key, host), b.eq(b.and(value, 7), mode)), () => b.return(b.and(value, ~7)));
    b.if(b.not(key), () => b.return(b.i32(0)));
    b.set(index, b.and(b.add(b.get(index), 1), CODE_HASH_ENTRIES - 1));
  });
  b.return(b.i32(0));
});

/** As `enter`, without asking the jump cache, whose entry may lead to forgotten code; enters what it finds there. */
export const enterAnew: Routine = routine(
  "code.enterAnew",
  ["i32", "i64"],
  "i32",
  (b, base, lin) => {
    countUp(b, base, "jumpMisses");
    b.store("i64.store", base, b.and(lin, ~0xfffn), at("ripPage"));
    const slot = jumpSlot(b, base, lin);
    const offset = b.and(b.sub(lin, b.load("i64.load", base, at("csBase"))), 0xffff_ffffn);
    const ip = b.and(offset, b.load("i64.load", base, at("ipMask")));
    const long = b.and(b.load("i32.load", base, at("mode")), MODE.long);
    b.if(
      long,
      () => b.store("i64.store", base, lin, at("rip")),
      () => {
        b.store("i64.store", base, ip, at("rip"));
        // Code that runs out of 64 KiB has left its segment, though its IP is 0 again.
        b.if(b.gtU(offset, b.extU(b.load("i32.load", base, at("csLimit")))), () => {
          b.call(raise, base, b.i32(VECTOR.GP | FAULT.hasCode | FAULT.ripValid), b.i32(0));
          b.return(b.i32(0));
        });
      },
    );
    const host = b.variable(b.i32(0));
    b.set(host, b.callUnchecked(codeHost, base, lin));
    raiseAtTarget(b, base);
    const record = b.variable(b.i32(0));
    b.if(b.get(host), () => b.set(record, b.call(findRecord, base, b.get(host))));
    b.if(b.not(b.get(record)), () => {
      b.set(record, b.call(decodeBlock, base, b.get(host)));
      raiseAtTarget(b, base);
      b.if(b.not(b.get(host)), () => b.return(b.get(record)));
    });
    b.store("i64.store", slot, b.xor(lin, b.load("i64.load", base, at("jumpTag"))), JUMP_CACHE);
    b.store("i32.store", slot, b.get(record), JUMP_CACHE + 8);
    b.return(b.get(record));
  },
  { faults: true },
);

/** Record of the code at linear address `lin`, which becomes the running page; 0 with a fault pending: (base, lin). */
export const enter: Routine = routine(
  "code.enter",
  ["i32", "i64"],
  "i32",
  (b, base, lin) => {
    const slot = jumpSlot(b, base, lin);
    const key = b.xor(lin, b.load("i64.load", base, at("jumpTag")));
    b.if(b.eq(b.load("i64.load", slot, JUMP_CACHE), key), () => {
      b.store("i64.store", base, b.and(lin, ~0xfffn), at("ripPage"));
      b.return(b.load("i32.load", slot, JUMP_CACHE + 8));
    });
    b.return(b.callUnchecked(enterAnew, base, lin));
  },
  { faults: true },
);
