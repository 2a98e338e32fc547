// When our decoder and another agree about a sequence of bytes.
//
// Within x86-64-v2 the lengths are equal. Beyond it (AVX, BMI…) an x86-64-v2 processor has no instruction, or one that ignores a
// prefix (F3 0F BC is BSF): then the lengths are equal as well.
import { LEGACY_PREFIX_BYTES, describeCase, ourLength } from "./sweep.ts";

export interface Agreement {
  readonly cases: number;
  /** Cases that are instructions of x86-64-v2. */
  readonly instructions: number;
  readonly differences: readonly string[];
}

/** Where the two cannot agree, with the manual's reason. `opcode` is the bytes after the prefixes in hexadecimal. */
function excused(mode: number, opcode: string): boolean {
  // SYSCALL and SYSRET exist outside 64-bit mode on other makers' processors only (SDM 2B, SYSCALL).
  if (mode !== 64 && /^0f0[57]/.test(opcode)) return true;
  // RSM outside system-management mode is #UD (SDM 2B, RSM).
  if (opcode.startsWith("0faa")) return true;
  // Without MPX, 0F 1A and 0F 1B are hints in all their forms (SDM 2B, NOP).
  if (/^0f1[ab]/.test(opcode)) return true;
  // Registers that do not exist (CR1, CR5…, DR8…, segment 6 and 7) and MOV to CS raise #UD when they are executed.
  return /^(0f2[0-3]|8c|8e)/.test(opcode);
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
    if (agree || excused(bytes[0] ?? 0, opcodeOf(bytes))) return;
    differences.push(`${describeCase(bytes)}: we say ${our}, they say ${length}${beyond ? " (beyond v2)" : ""}`);
  });
  return { cases: cases.length, instructions, differences };
}

function opcodeOf(bytes: Uint8Array): string {
  let at = 1;
  while (LEGACY_PREFIX_BYTES.has(bytes[at]!) || (bytes[0] === 64 && (bytes[at]! & 0xf0) === 0x40)) at++;
  return Buffer.from(bytes.subarray(at, at + 4)).toString("hex");
}
