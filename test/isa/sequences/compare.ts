// Whether two engines came to the same.
import { type Ending, type Raised, STATE_BYTES, VISIBLE, VISIBLE_BITS } from "./ending.ts";
import { SLOT_PAGES } from "./space.ts";

/** Something in which two endings differ. */
export interface Difference {
  readonly what: string;
  readonly expected: string;
  readonly got: string;
}

type Check = (what: string, expected: string | number, got: string | number) => void;

/** Instructions; runs that get so far may be about to be ended. */
const LONG = 3000;
/** Differences in memory that are told. */
const MOST_SHOWN = 6;

const hex = (bytes: Uint8Array): string => (bytes.length > 16 ? Buffer.from(bytes) : Buffer.from(bytes).reverse()).toString("hex");

function raisedText({ vector, error, rip, rsp, rflags, cr2 }: Raised): string {
  const code = error === undefined ? "" : ` error ${error.toString(16)}`;
  return `#${vector}${code} rip ${rip.toString(16)} rsp ${rsp.toString(16)} rflags ${rflags.toString(16)} cr2 ${cr2.toString(16)}`;
}

function isSameRaised(a: Raised, b: Raised): boolean {
  return a.vector === b.vector && a.error === b.error && a.rip === b.rip && a.rsp === b.rsp && a.rflags === b.rflags && a.cr2 === b.cr2;
}

/** Two long runs of which one was ended prove nothing: budgets decide how far they get. */
function isUndecided(a: Ending, b: Ending): boolean {
  return (a.kind === "timeout" || b.kind === "timeout") && Math.min(a.retired, b.retired) > LONG;
}

const wordsOf = (state: Uint8Array): Int32Array => new Int32Array(state.buffer, state.byteOffset, STATE_BYTES >> 2);

function isSameState(a: Uint8Array, b: Uint8Array): boolean {
  const [x, y] = [wordsOf(a), wordsOf(b)];
  for (let i = 0; i < VISIBLE_BITS.length; i++) if (((x[i]! ^ y[i]!) & VISIBLE_BITS[i]!) !== 0) return false;
  return true;
}

/** What runs of the same start on two engines differ in. `before` are the slot's pages as both found them. */
export function compareEndings(expected: Ending, got: Ending, before: readonly Uint8Array[]): Difference[] {
  if (isUndecided(expected, got)) return [];
  const differences: Difference[] = [];
  const check: Check = (what, a, b) => {
    if (a !== b) differences.push({ what, expected: String(a), got: String(b) });
  };
  check("end", expected.kind, got.kind);
  compareRaised(expected.raised, got.raised, check);
  check("rflags", expected.rflags, got.rflags);
  check("devices", expected.devices, got.devices);
  if (!isSameState(expected.state, got.state)) compareState(expected.state, got.state, check);
  for (let page = 0; page < SLOT_PAGES; page++) {
    const [a, b] = [expected.pages[page], got.pages[page]];
    if (a !== undefined || b !== undefined) comparePage(page, a ?? before[page]!, b ?? before[page]!, check);
  }
  return differences;
}

function compareRaised(expected: readonly Raised[], got: readonly Raised[], check: Check): void {
  for (let i = 0; i < Math.max(expected.length, got.length); i++) {
    const [a, b] = [expected[i], got[i]];
    if (a && b && isSameRaised(a, b)) continue;
    check(`exception ${i}`, a ? raisedText(a) : "none", b ? raisedText(b) : "none");
  }
}

function compareState(expected: Uint8Array, got: Uint8Array, check: Check): void {
  for (const [name, at, length] of VISIBLE) {
    const [a, b] = [expected, got].map((state) => state.subarray(at, at + length)) as [Uint8Array, Uint8Array];
    if (Buffer.compare(a, b) !== 0) check(name, hex(a), hex(b));
  }
}

function comparePage(page: number, a: Uint8Array, b: Uint8Array, check: Check): void {
  if (Buffer.compare(a, b) === 0) return;
  let shown = 0;
  for (let at = 0; at < a.length && shown < MOST_SHOWN; at += 8) {
    const [x, y] = [a.subarray(at, at + 8), b.subarray(at, at + 8)];
    if (Buffer.compare(x, y) === 0) continue;
    check(`memory ${((page << 12) + at).toString(16)}`, hex(x), hex(y));
    shown++;
  }
}
