// Jumps through a table, once or from each of its targets again, as switches and interpreters do.
import type { Address } from "./program.ts";
import { jump, type Writer } from "./writer.ts";

const [RAX, RDX] = [0, 2];

/** A table of addresses that is filled, and gone through by an index. */
export function dispatch(w: Writer): void {
  const p = w.prng;
  const targets = Array.from({ length: p.pick([2, 4]) }, () => w.label());
  const end = w.label();
  const size = w.wishes.mode === 64 ? 8 : 4;
  const table = p.below(0x1e00) & ~7;
  targets.forEach((target, i) => {
    w.takeAddress(RAX, target);
    w.emitAt([...w.long(), 0x89], RAX, { area: "data", offset: table + i * size });
  });
  const go = (): void => {
    w.emit([0x83, 0xe0, targets.length - 1]);
    goThrough(w, { area: "data", offset: table });
  };
  if (p.chance(40)) w.load(RAX, p.below(4));
  go();
  const isThreaded = p.chance(50);
  for (const target of targets) {
    w.mark(target);
    w.body(p.between(1, 3), 3);
    if (isThreaded && p.chance(70)) {
      w.spend();
      go();
    } else if (p.chance(70)) w.push(jump(end));
  }
  w.mark(end);
}

/** JMP, sometimes CALL, to the entry of number RAX. */
function goThrough(w: Writer, table: Address["to"]): void {
  const digit = w.prng.chance(90) ? 4 : 2;
  if (w.wishes.mode === 32) return w.emit([0xff, (digit << 3) | 4, 0x85, 0, 0, 0, 0], { at: 3, to: table, absolute: true });
  w.address(RDX, table);
  w.emit([0xff, (digit << 3) | 4, 0xc0 | (RAX << 3) | RDX]);
}
