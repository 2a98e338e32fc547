// @table
// The handlers of the fast loop, hottest first, with the shape of address or branch (hot.ts). Measured over kernel boots.
import type { HotShape } from "./hot.ts";

/** Handler keys (isa/handlers.ts) with their shapes. */
export const HOT_KEYS: readonly (readonly [key: string, shape: HotShape])[] = [
  ["JNE:i64/long", 0],
  ["JE:i64/long", 0],
  ["ADD.64:r64,i64/long", 0],
  ["ADD.32:r32,r32/long", 0],
  ["DEC.32:r32/long", 0],
  ["ADD.64:r64,m64/long", 0],
  ["RET:/long", 0],
];
