// What V8 must not do to the engine's code, by its version. Flags of V8 are the whole process's.
import { setFlagsFromString } from "node:v8";

const version = Number.parseInt(process.versions.v8, 10);

/** V8 11 (Node 20) has the defect of moves below; V8 12 (Node 22) does not: its 32-bit moves ask for the width of both ends. */
const FIRST_WITH_SOUND_MOVES = 12;
/**
 * Bytes of a function's code that V8 runs through before it optimizes the function (`--wasm-tiering-budget`): V8's own number, and that for
 * regions. Of the hundreds of regions that a guest touches V8 would optimize nearly all at once, so that the hot ones wait for the rest.
 */
export const TIERING_BUDGET: { readonly own: number; readonly regions: number } = {
  own: version < 12 ? 1_800_000 : 13_000_000,
  regions: 60_000_000,
};
/** V8 11 (Node 20) takes half as long to optimize JavaScript that it does not inline. */
const FIRST_WITH_CHEAP_INLINING = 12;
/** V8 13 (Node 24) inlines WebAssembly functions into one another. */
const FIRST_WITH_INLINING = 13;

/**
 * Makes V8 compile the engine's code as it must be. Call it before anything is compiled; doing so again does no harm.
 *
 * **Moves.** Where two ways meet, V8 11 merges equal moves of both into one. It takes moves from one stack slot for equal although one
 * is of 32 bits (of a value that is known to be zero-extended) and the other of 64, and a move of 32 bits may be what is left. An i64
 * local then loses its upper half: a pointer of the guest's kernel in one boot of twenty. Without that pass code is 2 to 5 % larger and
 * as fast.
 *
 * **Inlining** makes the interpreter a sixth slower. V8 14 also ends the process when code that Liftoff has not compiled is to be inlined.
 * Calls through tables have a flag of their own; code that notes their targets for an inliner that is off reads where nothing is.
 */
export function prepareV8(): void {
  if (version < FIRST_WITH_SOUND_MOVES) setFlagsFromString("--no-turbo-move-optimization");
  if (version < FIRST_WITH_INLINING) return;
  setFlagsFromString("--no-wasm-inlining-call-indirect");
  setFlagsFromString("--no-wasm-inlining");
}

/**
 * V8's threads have less to do for JavaScript, and more for guests. For programs that do nothing but run machines: a translator is new to V8,
 * whose optimizing of it takes more of the second processor than the translator does.
 */
export function spareInlining(): void {
  if (version < FIRST_WITH_CHEAP_INLINING) setFlagsFromString("--no-turbo-inlining");
}
