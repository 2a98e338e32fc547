// Loading ES, SS, DS, FS and GS (SDM 2B MOV, SDM 3A §5.6, §5.7). Kernels do this at every context switch.
import type { Builder } from "../ir/builder.ts";
import { routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { VIEW } from "../engine/layout.ts";
import { at, MODE, SEG_BASE } from "../state.ts";
import { LOADS, STORES } from "./access.ts";
import { CR0, EFER, EFLAGS, VECTOR } from "./control.ts";
import { fault } from "./fault.ts";
import { refreshHotView } from "./mode.ts";

/** Descriptor bits 40–47, and D/B and G, of access rights. */
const RIGHTS = { accessed: 1, writable: 2, conformingCode: 0xc, code: 8, segment: 0x10, present: 0x80 } as const;
const SS = 2;

const get = (b: Builder, base: Expr, name: Parameters<typeof at>[0]): Expr => b.load("i32.load", base, at(name));
const errorCode = (b: Builder, selector: Expr): Expr => b.and(selector, 0xfffc);
const flag = (b: Builder, e: Expr, mask: number): Expr => b.ne(b.and(e, mask), 0);

function gpIf(b: Builder, base: Expr, c: Expr, code: Expr): void {
  b.if(c, () => fault(b, base, VECTOR.GP, code));
}

/** Linear address of the descriptor of a selector that is not null; #GP(selector) outside its table: (base, selector). */
const descriptorAddress: Routine = routine(
  "seg.descriptor",
  ["i32", "i32"],
  "i64",
  (b, base, selector) => {
    const inLdt = flag(b, selector, 4);
    const limit = b.select(inLdt, get(b, base, "ldtrLimit"), get(b, base, "gdtrLimit"));
    const noLdt = b.and(inLdt, b.not(b.and(get(b, base, "ldtrAccess"), RIGHTS.present)));
    gpIf(b, base, b.or(noLdt, b.gtU(b.or(selector, 7), limit)), errorCode(b, selector));
    const table = b.select(inLdt, b.load("i64.load", base, at("ldtrBase")), b.load("i64.load", base, at("gdtrBase")));
    const linear = b.add(table, b.extU(b.and(selector, 0xfff8)));
    b.return(b.select(b.and(get(b, base, "efer"), EFER.LMA), linear, b.and(linear, 0xffff_ffffn)));
  },
  { faults: true },
);

/** Hidden part of a segment register. Rights keep the descriptor's bits 40–55 without the limit. */
function store(b: Builder, base: Expr, n: Expr, parts: { selector: Expr; base: Expr; rights: Expr; limit?: Expr }): void {
  const slot = b.add(base, b.shl(n, 2));
  b.store("i32.store", slot, parts.selector, at("esSelector"));
  b.store("i32.store", slot, parts.rights, at("esAccess"));
  if (parts.limit) b.store("i32.store", slot, parts.limit, at("esLimit"));
  b.store("i64.store", b.add(base, b.shl(n, 3)), parts.base, SEG_BASE);
  b.call(refreshHotView, base);
}

/** Real-address and virtual-8086 mode: limit, size and granularity stay, so that 4 GiB segments survive a visit to protected mode. */
function loadParagraph(b: Builder, base: Expr, n: Expr, selector: Expr, virtual: Expr): void {
  const old = b.load("i32.load", b.add(base, b.shl(n, 2)), at("esAccess"));
  const rights = b.or(b.and(old, ~0xff), b.select(virtual, b.i32(0xf3), b.i32(0x93)));
  store(b, base, n, { selector, base: b.shl(b.extU(selector), 4), rights });
}

/** A null selector is for data segments; SS may have it in 64-bit mode below level 3 only (SDM 3A §5.4.1.1). */
function loadNull(b: Builder, base: Expr, n: Expr, selector: Expr): void {
  b.if(b.eq(n, SS), () => {
    const cpl = get(b, base, "cpl");
    const long = flag(b, get(b, base, "mode"), MODE.long);
    const allowed = b.and(long, b.and(b.ne(cpl, 3), b.eq(b.and(selector, 3), cpl)));
    gpIf(b, base, b.not(allowed), b.i32(0));
  });
  store(b, base, n, { selector, base: b.i64(0), rights: b.shl(b.and(selector, 3), 5) });
}

/** Type and privilege: #GP(selector). */
function check(b: Builder, base: Expr, n: Expr, selector: Expr, rights: Expr): void {
  const dpl = b.and(b.shrU(rights, 5), 3);
  const rpl = b.and(selector, 3);
  const cpl = get(b, base, "cpl");
  const code = errorCode(b, selector);
  const isCode = flag(b, rights, RIGHTS.code);
  const segment = flag(b, rights, RIGHTS.segment);
  const bit1 = flag(b, rights, RIGHTS.writable);
  b.if(
    b.eq(n, SS),
    () => {
      const writable = b.and(b.and(segment, b.not(isCode)), bit1);
      const same = b.and(b.eq(rpl, cpl), b.eq(dpl, cpl));
      gpIf(b, base, b.not(b.and(writable, same)), code);
      b.if(b.not(b.and(rights, RIGHTS.present)), () => fault(b, base, VECTOR.SS, code));
    },
    () => {
      const readable = b.and(segment, b.or(b.not(isCode), bit1));
      const conforming = b.eq(b.and(rights, RIGHTS.conformingCode), RIGHTS.conformingCode);
      const visible = b.and(b.geU(dpl, rpl), b.geU(dpl, cpl));
      gpIf(b, base, b.not(b.and(readable, b.or(conforming, visible))), code);
      b.if(b.not(b.and(rights, RIGHTS.present)), () => fault(b, base, VECTOR.NP, code));
    },
  );
}

/** Limit in bytes of a descriptor. */
function limitOf(b: Builder, raw: Expr): Expr {
  const low = b.wrap(b.and(raw, 0xffffn));
  const limit = b.or(low, b.and(b.wrap(b.shrU(raw, 32)), 0xf_0000));
  return b.select(b.wrap(b.and(b.shrU(raw, 55), 1n)), b.or(b.shl(limit, 12), 0xfff), limit);
}

function baseOf(b: Builder, raw: Expr): Expr {
  return b.or(b.and(b.shrU(raw, 16), 0xff_ffffn), b.and(b.shrU(raw, 32), 0xff00_0000n));
}

/** Loads a data segment register: (base, number, selector). After SS the caller looks at `mode` and the interrupt shadow. */
export const loadSegment: Routine = routine(
  "seg.load",
  ["i32", "i32", "i32"],
  undefined,
  (b, base, n, selector) => {
    const virtual = flag(b, get(b, base, "eflags"), EFLAGS.VM);
    b.if(b.or(virtual, b.not(b.and(get(b, base, "cr0"), CR0.PE))), () => {
      loadParagraph(b, base, n, selector, virtual);
      b.return();
    });
    b.if(b.not(b.and(selector, 0xfffc)), () => {
      loadNull(b, base, n, selector);
      b.return();
    });
    const system = b.add(base, VIEW.supervisor);
    const address = b.call(descriptorAddress, base, selector);
    const raw = b.call(LOADS[8]!, base, system, address);
    const rights = b.and(b.wrap(b.shrU(raw, 40)), 0xf0ff);
    check(b, base, n, selector, rights);
    b.if(b.not(b.and(rights, RIGHTS.accessed)), () => {
      b.call(STORES[1]!, base, system, b.add(address, 5n), b.extU(b.or(b.and(rights, 0xff), RIGHTS.accessed)));
    });
    store(b, base, n, { selector, base: baseOf(b, raw), rights: b.or(rights, RIGHTS.accessed), limit: limitOf(b, raw) });
  },
  { faults: true },
);
