// Handlers that are not instructions: what the decoder plants at the ends of blocks and where nothing can be decoded.
import type { Body, Routine } from "../ir/types.ts";
import { Sem } from "../isa/sem.ts";
import { codeWritten } from "../host-calls.ts";
import { VECTOR } from "../mmu/control.ts";
import { RECORD } from "./layout.ts";
import { codeHost, enter, enterAnew } from "./lookup.ts";

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

/** The internal handlers in order of their ids (INTERNAL in layout.ts). */
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
    build("region", (o) => {
      noteLookUp(o);
      o.return(o.load("i32.load", o.record(), RECORD.target));
    }),
  ];
}
