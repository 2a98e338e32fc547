// Whether two engines came to the same.
import { type Ending, type Raised, VISIBLE } from "./runner.ts";
import { SLOT_BYTES } from "./space.ts";

/** Something in which two endings differ. */
export interface Difference {
  readonly what: string;
  readonly expected: string;
  readonly got: string;
}

/** Instructions; runs that get so far may be about to be ended. */
const LONG = 3000;

const hex = (bytes: Uint8Array): string => (bytes.length > 16 ? Buffer.from(bytes) : Buffer.from(bytes).reverse()).toString("hex");

function raisedText({ vector, error, rip, rsp, rflags, cr2 }: Raised): string {
  const code = error === undefined ? "" : ` error ${error.toString(16)}`;
  return `#${vector}${code} rip ${rip.toString(16)} rsp ${rsp.toString(16)} rflags ${rflags.toString(16)} cr2 ${cr2.toString(16)}`;
}

/** Two long runs of which one was ended prove nothing: budgets decide how far they get. */
function isUndecided(a: Ending, b: Ending): boolean {
  return (a.kind === "timeout" || b.kind === "timeout") && Math.min(a.retired, b.retired) > LONG;
}

/** All differences. */
export function compareEndings(expected: Ending, got: Ending): Difference[] {
  if (isUndecided(expected, got)) return [];
  const differences: Difference[] = [];
  const check = (what: string, a: string | number, b: string | number): void => {
    if (a !== b) differences.push({ what, expected: String(a), got: String(b) });
  };
  check("end", expected.kind, got.kind);
  for (let i = 0; i < Math.max(expected.raised.length, got.raised.length); i++) {
    const [a, b] = [expected.raised[i], got.raised[i]];
    check(`exception ${i}`, a ? raisedText(a) : "none", b ? raisedText(b) : "none");
  }
  check("rflags", expected.rflags.toString(16), got.rflags.toString(16));
  check("devices", expected.devices, got.devices);
  for (const [name, at, length] of VISIBLE) {
    const [a, b] = [expected, got].map(({ state }) => state.subarray(at, at + length)) as [Uint8Array, Uint8Array];
    if (Buffer.compare(a, b) !== 0) check(name, hex(a), hex(b));
  }
  if (Buffer.compare(expected.memory, got.memory) !== 0) compareMemory(expected.memory, got.memory, check);
  return differences;
}

function compareMemory(a: Uint8Array, b: Uint8Array, check: (what: string, a: string, b: string) => void): void {
  let shown = 0;
  for (let at = 0; at < SLOT_BYTES && shown < 6; at += 8) {
    const [x, y] = [a.subarray(at, at + 8), b.subarray(at, at + 8)];
    if (Buffer.compare(x, y) === 0) continue;
    check(`memory ${at.toString(16)}`, hex(x), hex(y));
    shown++;
  }
}
