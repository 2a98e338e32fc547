// Logical → linear addresses: base, limit and type checks (SDM 3A chapter 5).
import type { Builder } from "../ir/builder.ts";
import { routine } from "../ir/builder.ts";
import type { Expr, Routine } from "../ir/types.ts";
import { RECORD, RECORD_FLAGS } from "../engine/layout.ts";
import { at, MODE, SEG_BASE } from "../state.ts";
import { isCanonical } from "./access.ts";
import { EFLAGS, CR0, VECTOR } from "./control.ts";
import { fault } from "./fault.ts";

/** Access-rights bits (descriptor bits 40–47; SDM 3A §3.4.5.1). */
const RIGHTS = { present: 0x80, code: 8, expandDown: 4, writable: 2, readable: 2, big: 0x4000 } as const;

/** Base + index × scale + displacement of a record, cut to its address size. */
function effective(b: Builder, base: Expr, record: Expr): Expr {
  const slot = (field: number): Expr => b.load("i64.load", b.add(base, b.load("i32.load8_u", record, field)));
  const scaled = b.shl(slot(RECORD.index), b.extU(b.load("i32.load8_u", record, RECORD.scale)));
  const sum = b.add(b.add(slot(RECORD.base), scaled), b.load("i64.load32_s", record, RECORD.disp));
  const flags = b.load("i32.load8_u", record, RECORD.flags);
  const narrow = b.select(b.and(flags, RECORD_FLAGS.address16), b.i64(0xffff), b.i64(0xffff_ffff));
  return b.and(sum, b.select(b.and(flags, RECORD_FLAGS.address16 | RECORD_FLAGS.address32), narrow, b.i64(-1)));
}

const segmentOf = (b: Builder, record: Expr): Expr => b.and(b.shrU(b.load("i32.load8_u", record, RECORD.flags), RECORD_FLAGS.segShift), 7);

/** #SS(0) unless the first and the last of `bytes` (i32) at `linear` are canonical. */
function requireCanonicalStack(b: Builder, base: Expr, linear: Expr, bytes: Expr): void {
  const last = b.add(linear, b.extU(b.sub(bytes, 1)));
  b.if(b.not(b.and(isCanonical(b, linear), isCanonical(b, last))), () => fault(b, base, VECTOR.SS, b.i32(0)));
}

/** Linear address of a record's memory operand in 64-bit code: #SS(0) when SS-relative and not canonical, after #GP(0) when not aligned. */
function linearOf(b: Builder, base: Expr, record: Expr, bytes: Expr, alignment: number): void {
  const segment = b.load("i64.load", b.add(base, b.load("i32.load8_u", record, RECORD.seg)));
  const linear = b.add(effective(b, base, record), segment);
  if (alignment > 1) b.if(b.wrap(b.and(linear, BigInt(alignment - 1))), () => fault(b, base, VECTOR.GP, b.i32(0)));
  b.if(b.eq(segmentOf(b, record), 2), () => requireCanonicalStack(b, base, linear, bytes));
  b.return(linear);
}

/** Linear address of a record's memory operand in 64-bit code: (base, record, bytes). */
export const linearAddress: Routine = routine(
  "seg.linear",
  ["i32", "i32", "i32"],
  "i64",
  (b, base, record, bytes) => linearOf(b, base, record, bytes, 1),
  { faults: true },
);
/** The same for an operand of 16 bytes that must be a multiple of 16: (base, record). */
export const linearAddress16: Routine = routine(
  "seg.linear16",
  ["i32", "i32"],
  "i64",
  (b, base, record) => linearOf(b, base, record, b.i32(16), 16),
  { faults: true },
);

/** Linear address of `offset` in segment number `segment`: (base, segment, offset, bytes | write << 8). Checks limit and type outside 64-bit code. */
export const segmentAddress: Routine = routine(
  "seg.address",
  ["i32", "i32", "i64", "i32"],
  "i64",
  (b, base, segment, offset, sizeAndWrite) => {
    const segmentBase = b.load("i64.load", b.add(base, b.shl(segment, 3)), SEG_BASE);
    b.if(b.and(b.load("i32.load", base, at("mode")), MODE.long), () => {
      const linear = b.select(b.geU(segment, 4), b.add(offset, segmentBase), offset);
      b.if(b.eq(segment, 2), () => requireCanonicalStack(b, base, linear, b.and(sizeAndWrite, 0xff)));
      b.return(linear);
    });
    const table = b.add(base, b.shl(segment, 2));
    const rights = b.load("i32.load", table, at("esAccess"));
    const limit = b.extU(b.load("i32.load", table, at("esLimit")));
    const last = b.add(offset, b.extU(b.sub(b.and(sizeAndWrite, 0xff), 1)));
    const write = b.and(sizeAndWrite, 0x100);
    b.if(b.not(allowed(b, base, rights, write)), () => segmentFault(b, base, segment));
    const expandDown = b.eq(b.and(rights, RIGHTS.code | RIGHTS.expandDown), RIGHTS.expandDown);
    const top = b.select(b.and(rights, RIGHTS.big), b.i64(0xffff_ffff), b.i64(0xffff));
    // A segment of 4 GiB has no outside: accesses wrap (SDM 3A §5.3 leaves it open, silicon does this).
    const beyond = b.and(b.gtU(last, limit), b.ne(limit, 0xffff_ffffn));
    const outside = b.select(expandDown, b.or(b.leU(offset, limit), b.gtU(last, top)), beyond);
    b.if(outside, () => segmentFault(b, base, segment));
    b.return(b.and(b.add(offset, segmentBase), 0xffff_ffffn));
  },
  { faults: true },
);

/** Type check: present; writable data for writes; data or readable code for reads. Real and virtual-8086 mode have no types. */
function allowed(b: Builder, base: Expr, rights: Expr, write: Expr): Expr {
  const real = b.or(
    b.not(b.and(b.load("i32.load", base, at("cr0")), CR0.PE)),
    b.ne(b.and(b.load("i32.load", base, at("eflags")), EFLAGS.VM), 0),
  );
  const code = b.ne(b.and(rights, RIGHTS.code), 0);
  const bit1 = b.ne(b.and(rights, RIGHTS.writable), 0);
  const typed = b.select(write, b.and(b.not(code), bit1), b.or(b.not(code), bit1));
  return b.or(real, b.and(b.ne(b.and(rights, RIGHTS.present), 0), typed));
}

function segmentFault(b: Builder, base: Expr, segment: Expr): void {
  b.if(b.eq(segment, 2), () => fault(b, base, VECTOR.SS, b.i32(0)));
  fault(b, base, VECTOR.GP, b.i32(0));
}

/** Linear address of a record's memory operand in legacy code: (base, record, bytes | write << 8). */
export const legacyAddress: Routine = routine(
  "seg.legacy",
  ["i32", "i32", "i32"],
  "i64",
  (b, base, record, sizeAndWrite) => {
    b.return(b.call(segmentAddress, base, segmentOf(b, record), effective(b, base, record), sizeAndWrite));
  },
  { faults: true },
);
