// What V8 must not do to the engine's code.
import { setFlagsFromString } from "node:v8";

/** V8 11 (Node 20) has the defect below; V8 12 (Node 22) does not: its 32-bit moves ask for the width of both ends. */
const FIRST_SOUND_V8 = 12;

/**
 * Turns off the one pass of V8's optimizing compiler that breaks 64-bit values on Node 20, for the whole process. Call it before
 * anything is compiled.
 *
 * Where two ways meet, the pass merges equal moves of both into one. It takes moves from one stack slot for equal although one is of
 * 32 bits (of a value that is known to be zero-extended) and the other of 64, and a move of 32 bits may be what is left. An i64 local
 * then loses its upper half: a pointer of the guest's kernel in one boot of twenty. Without the pass code is 2 to 5 % larger and as
 * fast.
 */
export function avoidBrokenMoves(): void {
  if (Number.parseInt(process.versions.v8, 10) < FIRST_SOUND_V8) setFlagsFromString("--no-turbo-move-optimization");
}
