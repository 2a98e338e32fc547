// The memory type range registers as firmware leaves them (SDM 3A §12.11). Nothing here caches, but guests find fault with a PC whose registers are
// blank, and some then do without write-combining.
import type { RegisterAccess } from "../cpu/engine/engine.ts";
import { PHYSICAL_BITS } from "../cpu/mmu/control.ts";
import { FOUR_GIB, LOW_RAM_LIMIT } from "../memory/gpa.ts";

/** Memory types (SDM 3A table 12-2), in all eight ranges of a fixed register. */
const UNCACHEABLE = 0x0000_0000_0000_0000n;
const WRITE_PROTECTED = 0x0505_0505_0505_0505n;
const WRITE_BACK = 0x0606_0606_0606_0606n;

const DEFAULT_TYPE = 6n;
/** IA32_MTRR_DEF_TYPE: fixed and variable ranges are on. */
const FIXED_ENABLE = 1n << 10n;
const ENABLE = 1n << 11n;
/** IA32_MTRR_PHYSMASKn: the range counts. */
const VALID = 1n << 11n;

/** Fixed ranges by register number: 512 KiB from 0, 128 KiB from 80000h and from A0000h, and eight times 32 KiB of ROM from C0000h. */
const FIXED: readonly (readonly [number, bigint])[] = [
  [0x250, WRITE_BACK],
  [0x258, WRITE_BACK],
  [0x259, UNCACHEABLE],
  ...[0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f].map((register) => [register, WRITE_PROTECTED] as const),
];

/** Write-back everywhere but in the video memory, in the ROM area, and from 3 to 4 GiB, where devices are. */
export function setUpMemoryTypes(registers: RegisterAccess): void {
  for (const [register, value] of FIXED) registers.set(`IA32_MTRR_FIX_${register.toString(16)}h`, value);
  const physical = (1n << BigInt(PHYSICAL_BITS)) - 1n;
  registers.set("IA32_MTRR_PHYSBASE0", BigInt(LOW_RAM_LIMIT));
  registers.set("IA32_MTRR_PHYSMASK0", (physical & ~BigInt(FOUR_GIB - LOW_RAM_LIMIT - 1)) | VALID);
  registers.set("IA32_MTRR_DEF_TYPE", DEFAULT_TYPE | FIXED_ENABLE | ENABLE);
}
