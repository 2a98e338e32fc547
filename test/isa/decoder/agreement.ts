// When our decoder and another agree about a sequence of bytes.
//
// Within x86-64-v2 the lengths are equal. Beyond it (AVX, BMI…) an x86-64-v2 processor has no instruction, or one that ignores a
// prefix (F3 0F BC is BSF): then the lengths are equal as well.
import { describeCase, ourLength } from "./sweep.ts";

export interface Agreement {
  readonly cases: number;
  /** Cases that are instructions of x86-64-v2. */
  readonly instructions: number;
  readonly differences: readonly string[];
}

/** Holds our lengths against `theirs`: for each case a byte of length (0: none) and one that is 1 beyond x86-64-v2. */
export function agreement(cases: readonly Uint8Array[], theirs: Uint8Array): Agreement {
  const ours = ourLength();
  const differences: string[] = [];
  let instructions = 0;
  cases.forEach((bytes, i) => {
    const length = theirs[i * 2] ?? 0;
    const beyond = theirs[i * 2 + 1] === 1;
    const our = ours(bytes);
    if (length > 0 && !beyond) instructions++;
    const agree = beyond ? our === 0 || our === length : our === length;
    if (!agree) differences.push(`${describeCase(bytes)}: we say ${our}, they say ${length}${beyond ? " (beyond v2)" : ""}`);
  });
  return { cases: cases.length, instructions, differences };
}
