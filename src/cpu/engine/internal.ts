// Handlers that are not instructions: what the decoder plants at the ends of blocks and where nothing can be decoded.
import type { Body, Routine } from "../ir/types.ts";
import { Sem } from "../isa/sem.ts";
import { codeWritten } from "../host-calls.ts";
import { VECTOR } from "../mmu/control.ts";
import { assert } from "../../support/assert.ts";
import { INTERNAL_HANDLERS } from "../isa/handlers.ts";
import { RECORD } from "./layout.ts";
import { codeHost, enter, enterAnew } from "./lookup.ts";

/** Their ids; instructions' handlers follow. */
export const INTERNAL = {
  /** A record whose bytes have changed: decodes the code at its own address again. */
  stale: 0,
  undefined: 1,
  tooLong: 2,
  /** Checks that the second page of a page-crossing instruction is still the one it was decoded from. */
  crossing: 3,
  /** The end of a block: goes on with the code at its own address. */
  end: 4,
} as const;

assert(Object.keys(INTERNAL).length === INTERNAL_HANDLERS, "ids of internal handlers");

function build(name: string, meaning: (o: Sem) => void): Body {
  const o = new Sem(name, "long");
  meaning(o);
  o.returnZero();
  return o.finish();
}

/** Tells the loop that no instruction is completed by this record (boundary.ts). */
function noteLookUp(o: Sem): void {
  o.if(o.state("attention"), () => o.setState("lookedUp", o.i32(1)));
}

function goOn(o: Sem, by: Routine): void {
  noteLookUp(o);
  o.return(o.callUnchecked(by, o.base(), o.linear()));
}

/** The internal handlers in order of their ids. */
export function internalHandlers(): Body[] {
  return [
    build("stale", (o) => goOn(o, enterAnew)),
    build("undefined", (o) => o.fault(VECTOR.UD)),
    build("tooLong", (o) => o.fault(VECTOR.GP, o.i32(0))),
    build("crossing", (o) => {
      const host = o.call(codeHost, o.base(), o.add(o.state64("ripPage"), 0x1000n));
      o.if(o.eq(host, o.load("i32.load", o.record(), RECORD.imm)), () => {
        noteLookUp(o);
        o.next();
      });
      o.call(codeWritten, o.call(codeHost, o.base(), o.linear()), o.i32(1));
      goOn(o, enterAnew);
    }),
    build("end", (o) => goOn(o, enter)),
  ];
}
