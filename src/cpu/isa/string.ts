// String instructions (SDM 1 §5.1.8) with their repeat prefixes.
//
// A repetition commits rCX, rSI and rDI after every element, so that a fault in the middle, or an interrupt between two
// elements, leaves a state from which the same instruction goes on (SDM 2B, REP). It hands control back after SLICE elements
// by returning its own record. MOVS and STOS forwards run page by page where both pages are RAM.
import { TLB, VIEW } from "../engine/layout.ts";
import { portRead, portWrite } from "../host-calls.ts";
import { routine } from "../ir/builder.ts";
import type { Expr, Label, Routine, Type, Variable } from "../ir/types.ts";
import { onHit, translate } from "../mmu/access.ts";
import { EFLAGS } from "../mmu/control.ts";
import { ACCESS } from "../mmu/walk.ts";
import { at } from "../state.ts";
import { type Instruction, instruction } from "./instruction.ts";
import { requirePort } from "./io.ts";
import { REG, SEG, type Sem } from "./sem.ts";

/** Elements between two looks at interrupts, and what a page-wise step counts for. */
const SLICE = 2048;
const SPAN_COST = 32;
/** Upper bound of elements in one page-wise step. */
const SPAN_ELEMENTS = 4096n;

/** Where a string instruction stands: offsets of the next elements. */
interface Cursor {
  readonly bytes: number;
  readonly width: number;
  readonly mask: Expr;
  /** What a write to rSI, rDI or rCX keeps of the register: a 32-bit one clears the upper half, a 16-bit one nothing. */
  readonly keep: Expr;
  readonly source: Variable;
  readonly destination: Variable;
}

/** How one kind of string instruction treats an element; it may fault before it has written anything. */
interface Operation {
  readonly name: string;
  readonly opcode: string;
  readonly usesSource: boolean;
  readonly usesDestination: boolean;
  /** Before the first element: privilege. */
  prepare?(o: Sem, bytes: number): void;
  /** Compares give their two values, the others nothing. */
  element(o: Sem, c: Cursor): Compared | undefined;
  span?: Span;
}

/** A page-wise step over at most `elements` (i64) → bytes done (i64), 0 when it cannot. */
type Span = (o: Sem, c: Cursor, elements: Expr) => Expr;

interface Compared {
  readonly a: Expr;
  readonly b: Expr;
}

const comparesValues = (op: Operation): boolean => op.name === "CMPS" || op.name === "SCAS";

// ── registers ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

function cursor(o: Sem, width: number): Cursor {
  const mask = o.addressMask();
  const keep = o.select(o.eq(mask, 0xffffn), o.i64(~0xffffn), o.i64(0));
  const pointer = (n: number): Variable => o.variable(o.and(o.reg(n, 64), mask));
  return { bytes: width >> 3, width, mask, keep, source: pointer(REG.rsi), destination: pointer(REG.rdi) };
}

function setPointer(o: Sem, c: Cursor, n: number, e: Expr): void {
  o.setReg(n, 64, o.or(o.and(o.reg(n, 64), c.keep), e));
}

/** Moves the pointers that the operation uses by `delta` (i64), in registers and cursor. */
function advance(o: Sem, c: Cursor, op: Operation, delta: Expr): void {
  const move = (n: number, v: Variable): void => {
    o.set(v, o.and(o.add(o.get(v), delta), c.mask));
    setPointer(o, c, n, o.get(v));
  };
  if (op.usesSource) move(REG.rsi, c.source);
  if (op.usesDestination) move(REG.rdi, c.destination);
}

const sourceLinear = (o: Sem, c: Cursor): Expr => o.segmentLinear(o.segmentNumber(), o.get(c.source), c.bytes, false);
const destinationLinear = (o: Sem, c: Cursor, write: boolean): Expr => o.segmentLinear(o.i32(SEG.es), o.get(c.destination), c.bytes, write);

// ── repetition ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function once(o: Sem, c: Cursor, op: Operation): void {
  op.prepare?.(o, c.bytes);
  const compared = op.element(o, c);
  advance(o, c, op, o.direction(c.bytes));
  if (compared) setFlags(o, c, compared);
}

function setFlags(o: Sem, c: Cursor, { a, b }: Compared): void {
  o.flagsSub(c.width, a, b, o.zext(o.sub(a, b), c.width));
}

function repeated(o: Sem, c: Cursor, op: Operation): void {
  op.prepare?.(o, c.bytes);
  const count = o.variable(o.and(o.reg(REG.rcx, 64), c.mask));
  setPointer(o, c, REG.rcx, o.get(count));
  // With 32-bit addresses silicon clears upper halves before the first element, of pointers in MOVS and STOS only.
  if (op.span) advance(o, c, op, o.i64(0));
  o.if(o.not(o.get(count)), () => o.next());
  const left = o.variable(o.i32(SLICE));
  const last = { a: o.variable(o.i64(0)), b: o.variable(o.i64(0)) };
  const done = (elements: Expr): void => {
    o.set(count, o.sub(o.get(count), elements));
    setPointer(o, c, REG.rcx, o.get(count));
  };
  const { span } = op;
  o.loop((leave) => {
    o.block((afterSpan) => {
      if (!span) return;
      const bytes = spanWhenAllowed(o, c, span, o.get(count), o.get(left), afterSpan);
      o.br(afterSpan, o.not(bytes));
      advance(o, c, op, bytes);
      done(o.divU(bytes, BigInt(c.bytes)));
      o.br(leave, o.not(o.get(count)));
      slice(o, left, SPAN_COST);
    });
    const compared = op.element(o, c);
    advance(o, c, op, o.direction(c.bytes));
    done(o.i64(1));
    if (compared) endComparison(o, compared, last, leave);
    o.br(leave, o.not(o.get(count)));
    slice(o, left, 1);
  });
  // Flags change only now: a fault in the middle reports them as they were (SDM 2B, REP).
  if (comparesValues(op)) setFlags(o, c, { a: o.get(last.a), b: o.get(last.b) });
}

/** Leaves the repetition when the prefix says so: REPE at a difference, REPNE at equality. */
function endComparison(o: Sem, { a, b }: Compared, last: { a: Variable; b: Variable }, leave: Label): void {
  o.set(last.a, a);
  o.set(last.b, b);
  o.br(leave, o.repeat === "repe" ? o.ne(a, b) : o.eq(a, b));
}

/** Hands control back at the end of a slice, or at once when something wants attention (single-step does after each element). */
function slice(o: Sem, left: Variable, cost: number): void {
  o.set(left, o.sub(o.get(left), cost));
  o.if(o.or(o.leS(o.get(left), 0), o.state("attention")), () => o.return(o.record()));
}

// ── page-wise steps ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** Host address of the byte at `lin` where the TLB knows it for this kind of access, 0 where it must not: devices, code pages. */
function hostOf(name: string, tag: number, access: number): Routine {
  return routine(
    name,
    ["i32", "i64"],
    "i32",
    (b, base, lin) => {
      const view = b.load("i32.load", base, at("tlbView"));
      onHit(b, view, lin, 1, tag, (host) => b.return(host));
      b.call(translate, base, view, lin, b.i32(access));
      onHit(b, view, lin, 1, tag, (host) => b.return(host));
      b.return(b.i32(0));
    },
    { faults: true },
  );
}

const hostForRead = hostOf("string.source", TLB.read, 0);
const hostForWrite = hostOf("string.destination", TLB.write, ACCESS.write);

/** Calls the operation's span unless DF is set, accesses are checked one by one, or legacy rights are not known yet. */
function spanWhenAllowed(o: Sem, c: Cursor, span: Span, count: Expr, left: Expr, skip: Label): Expr {
  o.br(skip, o.and(o.state("eflags"), EFLAGS.DF));
  o.br(skip, o.eq(o.view(), o.add(o.base(), VIEW.none)));
  // The first element goes the long way, which checks the segments' types; they cannot change meanwhile.
  if (!o.long) o.br(skip, o.eq(left, SLICE));
  return span(o, c, least(o, count, o.i64(SPAN_ELEMENTS)));
}

const least = (o: Sem, a: Expr, b: Expr): Expr => o.select(o.ltU(a, b), a, b);

/** How many of `bytes` lie in one page, before the offset wraps, and (legacy) inside an expand-up segment. */
function room(o: Sem, c: Cursor, segment: Expr, offset: Expr, linear: Expr, bytes: Expr): Expr {
  let n = least(o, bytes, o.sub(o.i64(0x1000), o.and(linear, 0xfffn)));
  const beforeWrap = o.sub(c.mask, offset);
  n = o.select(o.leU(o.sub(n, 1n), beforeWrap), n, o.i64(0));
  if (o.long) return n;
  const table = o.add(o.base(), o.shl(segment, 2));
  const limit = o.extU(o.load("i32.load", table, at("esLimit")));
  const expandsDown = o.eq(o.and(o.load("i32.load", table, at("esAccess")), 0xc), 4);
  const inside = o.leU(o.sub(o.add(offset, n), 1n), limit);
  return o.select(o.and(inside, o.not(expandsDown)), n, o.i64(0));
}

/** Linear address without checks: `room` makes up for the limit. */
function flatLinear(o: Sem, segment: Expr, offset: Expr): Expr {
  const base = o.load("i64.load", o.add(o.base(), o.shl(segment, 3)), at("esBase"));
  if (!o.long) return o.and(o.add(offset, base), 0xffff_ffffn);
  return o.add(offset, o.select(o.geU(segment, SEG.fs), base, o.i64(0)));
}

/** `bytes` in whole elements. */
const whole = (o: Sem, c: Cursor, bytes: Expr): Expr => o.and(bytes, BigInt(-c.bytes));

/** The destination's part of a span: linear address and bytes, the latter cut to what fits. */
function destinationSpan(o: Sem, c: Cursor, bytes: Expr): { linear: Expr; bytes: Expr } {
  const linear = flatLinear(o, o.i32(SEG.es), o.get(c.destination));
  return { linear, bytes: whole(o, c, room(o, c, o.i32(SEG.es), o.get(c.destination), linear, bytes)) };
}

/** A value computed in steps that may give up: 0 unless `body` sets it. */
function attempt(o: Sem, type: Type, body: (give: (e: Expr) => void, stop: Label) => void): Expr {
  const result = o.variable(type === "i64" ? o.i64(0) : o.i32(0));
  o.block((stop) => body((e) => o.set(result, e), stop));
  return o.get(result);
}

function copySpan(o: Sem, c: Cursor, elements: Expr): Expr {
  return attempt(o, "i64", (give, stop) => {
    const segment = o.segmentNumber();
    const from = flatLinear(o, segment, o.get(c.source));
    const wanted = room(o, c, segment, o.get(c.source), from, o.mul(elements, BigInt(c.bytes)));
    const { linear: to, bytes } = destinationSpan(o, c, wanted);
    o.br(stop, o.not(bytes));
    const source = o.call(hostForRead, o.base(), from);
    const destination = o.call(hostForWrite, o.base(), to);
    o.br(stop, o.or(o.not(source), o.not(destination)));
    // A destination just behind the source repeats a pattern: at most its length at a time.
    const distance = o.extU(o.sub(destination, source));
    const overlaps = o.and(o.ne(distance, 0n), o.ltU(distance, bytes));
    const n = o.select(overlaps, whole(o, c, distance), bytes);
    o.copy(destination, source, o.wrap(n));
    give(n);
  });
}

function fillSpan(o: Sem, c: Cursor, elements: Expr): Expr {
  return attempt(o, "i64", (give, stop) => {
    const { linear, bytes } = destinationSpan(o, c, o.mul(elements, BigInt(c.bytes)));
    o.br(stop, o.not(bytes));
    const host = o.call(hostForWrite, o.base(), linear);
    o.br(stop, o.not(host));
    const value = o.reg(REG.rax, c.width);
    const low = o.and(value, 0xffn);
    const uniform = o.eq(value, o.zext(o.mul(low, 0x0101_0101_0101_0101n), c.width));
    o.if(
      uniform,
      () => o.fill(host, o.wrap(low), o.wrap(bytes)),
      () => fillElements(o, c, host, value, o.wrap(bytes)),
    );
    give(bytes);
  });
}

function fillElements(o: Sem, c: Cursor, host: Expr, value: Expr, bytes: Expr): void {
  const end = o.add(host, bytes);
  const to = o.variable(host);
  o.while(
    () => o.ltU(o.get(to), end),
    () => {
      o.store(c.width === 64 ? "i64.store" : `i64.store${c.width}`, o.get(to), value);
      o.set(to, o.add(o.get(to), c.bytes));
    },
  );
}

// ── the instructions ──────────────────────────────────────────────────────────────────────────────────────────────────────

const both = { usesSource: true, usesDestination: true } as const;
const fromSource = { usesSource: true, usesDestination: false } as const;
const toDestination = { usesSource: false, usesDestination: true } as const;

const port = (o: Sem): Expr => o.wrap(o.reg(REG.rdx, 16));

const OPERATIONS: readonly Operation[] = [
  {
    name: "MOVS",
    opcode: "A4",
    ...both,
    span: copySpan,
    element: (o, c) => {
      const value = o.loadMemory(sourceLinear(o, c), c.width);
      o.storeMemory(destinationLinear(o, c, true), c.width, value);
      return undefined;
    },
  },
  {
    name: "CMPS",
    opcode: "A6",
    ...both,
    element: (o, c) => {
      // The destination first, as on silicon: it decides which of two faults is seen.
      const b = o.loadMemory(destinationLinear(o, c, false), c.width);
      return { a: o.loadMemory(sourceLinear(o, c), c.width), b };
    },
  },
  {
    name: "STOS",
    opcode: "AA",
    ...toDestination,
    span: fillSpan,
    element: (o, c) => {
      o.storeMemory(destinationLinear(o, c, true), c.width, o.reg(REG.rax, c.width));
      return undefined;
    },
  },
  {
    name: "LODS",
    opcode: "AC",
    ...fromSource,
    element: (o, c) => {
      o.setReg(REG.rax, c.width, o.loadMemory(sourceLinear(o, c), c.width));
      return undefined;
    },
  },
  {
    name: "SCAS",
    opcode: "AE",
    ...toDestination,
    element: (o, c) => ({ a: o.reg(REG.rax, c.width), b: o.loadMemory(destinationLinear(o, c, false), c.width) }),
  },
  {
    name: "INS",
    opcode: "6C",
    ...toDestination,
    prepare: (o, bytes) => requirePort(o, port(o), bytes),
    // The port is read once only, so the destination is checked before.
    element: (o, c) => {
      const linear = destinationLinear(o, c, true);
      o.probe(linear, c.width);
      o.storeMemory(linear, c.width, o.extU(o.call(portRead, port(o), o.i32(c.bytes))));
      return undefined;
    },
  },
  {
    name: "OUTS",
    opcode: "6E",
    ...fromSource,
    prepare: (o, bytes) => requirePort(o, port(o), bytes),
    element: (o, c) => {
      o.call(portWrite, port(o), o.i32(c.bytes), o.wrap(o.loadMemory(sourceLinear(o, c), c.width)));
      return undefined;
    },
  },
];

function define(op: Operation): Instruction {
  const byte = parseInt(op.opcode, 16);
  const second = (byte + 1).toString(16).toUpperCase();
  // INS and OUTS move 32 bits at most: REX.W does nothing to them.
  const widest = op.prepare ? 32 : 64;
  return instruction(op.name, {
    forms: [`${op.opcode} | | rep`, `${second} | | rep o16`, `${second} | | rep o32`, `REX.W + ${second} | | rep`],
    flags: comparesValues(op) ? "CF PF AF ZF SF OF" : "",
    sem: (o, _, form) => {
      const c = cursor(o, form.opsize === 0 ? 8 : Math.min(form.opsize, widest));
      if (o.repeat === "") once(o, c, op);
      else repeated(o, c, op);
    },
  });
}

/** String instructions. */
export const string: readonly Instruction[] = OPERATIONS.map(define);
