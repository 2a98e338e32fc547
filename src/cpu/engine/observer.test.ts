import { expect, it } from "vitest";
import { MODE } from "../state.ts";
import { VIEW } from "./layout.ts";
import { isUserCode } from "./observer.ts";

const BASE = 0x1_0000;

it.each([
  ["level 3 in its own view", VIEW.user, MODE.long, 0xffff_8000_0000_0000n, true],
  ["level 0 below the middle", VIEW.supervisor, MODE.long, 0x1000n, false],
  ["level 0 with AC", VIEW.supervisorAc, 0, 0x1000n, false],
  ["checked accesses of 64-bit code in the lower half", VIEW.none, MODE.long, 0x7fff_ffff_f000n, true],
  ["checked accesses of 64-bit code in the upper half", VIEW.none, MODE.long, 0xffff_ffff_8100_0000n, false],
  ["checked accesses of 32-bit code in a kernel's quarter", VIEW.none, MODE.code32, 0xc000_0000n, false],
])("tells whose code has run: %s", (_case, view, mode, linear, expected) => {
  expect(isUserCode(BASE + view, BASE, mode, linear)).toBe(expected);
});
