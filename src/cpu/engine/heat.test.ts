import { expect, test } from "vitest";
import { Heat } from "./heat.ts";

test("a place grows hotter with each sample, and what is forgotten begins anew", () => {
  const heat = new Heat();
  expect([heat.note(1), heat.note(1), heat.note(2)]).toEqual([1, 2, 1]);
  heat.forget(1);
  expect(heat.note(1)).toBe(1);
  expect([...heat.places()].toSorted((a, b) => a - b)).toEqual([1, 2]);
  expect(heat.samples).toBe(4);
});

test("what runs now is more urgent than what was hotter once, which is not urgent at all in the end", () => {
  const heat = new Heat();
  for (let n = 0; n < 3000; n++) heat.note(1);
  for (let n = 0; n < 1000; n++) heat.note(2);
  expect(heat.urgencyOf(2)).toBeGreaterThan(heat.urgencyOf(1));
  expect(heat.urgencyOf(1)).toBeGreaterThan(0);
  for (let n = 0; n < 1024; n++) heat.note(2);
  expect([heat.urgencyOf(1), heat.urgencyOf(4)]).toEqual([0, 0]);
});

test("places that are not met any more become cold and are forgotten", () => {
  const heat = new Heat();
  for (let n = 0; n < 100; n++) heat.note(1);
  for (let n = 0; n < 0x4000 * 8; n++) heat.note(2);
  expect([...heat.places()]).toEqual([2]);
  expect(heat.urgencyOf(1)).toBe(0);
});
