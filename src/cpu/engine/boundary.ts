// Between two instructions: where execution stands, which exception or interrupt comes next, single-step.
import { countUp } from "../counters.ts";
import { routine } from "../ir/builder.ts";
import type { Builder } from "../ir/builder.ts";
import type { Callee, Expr, Routine } from "../ir/types.ts";
import { betweenInstructions, deliverFault } from "../host-calls.ts";
import { VECTOR } from "../mmu/control.ts";
import { ACCESS } from "../mmu/walk.ts";
import { at, FAULT } from "../state.ts";
import { deliverLongFault } from "./long-transfer.ts";
import { enter } from "./lookup.ts";
import { RECORD } from "./layout.ts";
import { deliverProtectedEvent } from "./protected-transfer.ts";

/** IP of a record's instruction. */
function ipOf(b: Builder, base: Expr, record: Expr): Expr {
  const linear = b.add(b.load("i64.load", base, at("ripPage")), b.load("i64.load16_u", record, RECORD.offset));
  return b.and(b.sub(linear, b.load("i64.load", base, at("csBase"))), b.load("i64.load", base, at("ipMask")));
}

/** Delivers the pending exception, the short way when there is one; returns 0 from the routine when the processor shut down. */
function deliver(b: Builder, base: Expr): void {
  countUp(b, base, "exceptions");
  b.if(b.eq(b.and(b.load("i32.load", base, at("fault")), 0xff), VECTOR.PF), () => countUp(b, base, "pageFaults"));
  const unless = (way: Callee, next: () => void): void => b.if(b.not(b.call(way, base)), next);
  unless(deliverLongFault, () => unless(deliverProtectedEvent, () => unless(deliverFault, () => b.return(b.i32(0)))));
}

/** Stores a record's address in `rip`: (base, record). */
export const settle: Routine = routine("boundary.settle", ["i32", "i32"], undefined, (b, base, record) => {
  b.store("i64.store", base, ipOf(b, base, record), at("rip"));
});

/** Record at `rip`, after delivering whatever faults come up on the way; 0 when `exit` is set: (base). */
export const resume: Routine = routine("boundary.resume", ["i32"], "i32", (b, base) => {
  b.loop(() => {
    b.if(b.load("i32.load", base, at("fault")), () => {
      deliver(b, base);
    });
    b.if(b.load("i32.load", base, at("exit")), () => b.return(b.i32(0)));
    const linear = b.add(b.load("i64.load", base, at("rip")), b.load("i64.load", base, at("csBase")));
    const long = b.and(b.load("i32.load", base, at("mode")), 1);
    const record = b.callUnchecked(enter, base, b.select(long, b.load("i64.load", base, at("rip")), b.and(linear, 0xffff_ffffn)));
    b.if(record, () => b.return(record));
  });
  b.return(b.i32(0));
});

/**
 * 1 for a page fault at a branch's target while something wants attention: the branch is complete, and its traps come before the
 * fault, which comes again when the target is fetched again (SDM 3A table 6-2). Forgets the fault then.
 */
function isFetchAfterBranch(b: Builder, base: Expr, pending: Expr): Expr {
  const kind = b.eq(b.and(pending, 0xff | FAULT.ripValid), VECTOR.PF | FAULT.ripValid);
  const fetch = b.ne(b.and(b.load("i32.load", base, at("faultCode")), ACCESS.fetch), 0);
  const deferred = b.and(b.and(kind, fetch), b.ne(b.load("i32.load", base, at("attention")), 0));
  b.if(deferred, () => b.store("i32.store", base, b.i32(0), at("fault")));
  return deferred;
}

/**
 * After `record` gave `next` (0: look at fault, exit and rip): works out rip, delivers, and returns the record to go on with, or
 * 0 when `exit` is set: (base, record, next).
 */
export const attend: Routine = routine("boundary.attend", ["i32", "i32", "i32"], "i32", (b, base, record, next) => {
  const completed = b.variable(b.i32(1));
  const lookedUp = b.load("i32.load", base, at("lookedUp"));
  b.store("i32.store", base, b.i32(0), at("lookedUp"));
  b.if(b.and(lookedUp, b.ne(next, 0)), () => b.return(next));
  b.if(
    next,
    () => b.call(settle, base, next),
    () => {
      const pending = b.load("i32.load", base, at("fault"));
      b.if(b.and(b.ne(pending, 0), b.not(isFetchAfterBranch(b, base, pending))), () => {
        b.set(completed, b.i32(0));
        // INT n and its kin return to the next instruction: delivery needs the length.
        b.store("i32.store", base, record, at("currentRecord"));
        b.if(b.not(b.and(pending, FAULT.ripValid)), () => b.call(settle, base, record));
        deliver(b, base);
      });
    },
  );
  b.if(b.load("i32.load", base, at("attention")), () => {
    b.if(b.not(b.call(betweenInstructions, base, b.get(completed))), () => b.return(b.i32(0)));
  });
  b.return(b.call(resume, base));
});
