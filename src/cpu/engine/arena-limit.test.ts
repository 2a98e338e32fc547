import { describe, expect, it } from "vitest";
import { ArenaLimit } from "./arena-limit.ts";
import { ARENA_SIZE } from "./layout.ts";

const BLOCKS = 5000;
const PER_BLOCK = 10;

/** Fills the arena with blocks from `from` on, then drops it; every decoded instruction ran `times`. */
function fill(limit: ArenaLimit, from: number, times: number): number {
  for (let i = 0; i < BLOCKS; i++) limit.note(0x1000_0000 + (from + i) * 48);
  limit.dropped({ blocks: BLOCKS, decoded: BLOCKS * PER_BLOCK, executed: BLOCKS * PER_BLOCK * times });
  return limit.bytes;
}

describe("the limit of the arena", () => {
  it("stays for a guest that runs through new code, however fast", () => {
    const limit = new ArenaLimit();
    const first = limit.bytes;
    for (let i = 0; i < 20; i++) expect(fill(limit, i * BLOCKS, 8)).toBe(first);
  });

  it("stays for a guest that comes back, but stays long", () => {
    const limit = new ArenaLimit();
    const first = limit.bytes;
    for (let i = 0; i < 20; i++) expect(fill(limit, 0, 10_000)).toBe(first);
  });

  it("doubles each time that a guest is back soon twice in a row, up to all there is", () => {
    const limit = new ArenaLimit();
    const first = limit.bytes;
    expect(Array.from({ length: 4 }, () => fill(limit, 0, 10))).toEqual([first, first, first * 2, first * 4]);
    for (let i = 0; i < 10; i++) fill(limit, 0, 10);
    expect(limit.bytes).toBe(ARENA_SIZE);
  });

  it("doubles at once where regions are dropped with the records", () => {
    const limit = new ArenaLimit(true);
    const first = limit.bytes;
    expect(Array.from({ length: 3 }, () => fill(limit, 0, 10))).toEqual([first, ARENA_SIZE, ARENA_SIZE]);
    expect(first * 2).toBe(ARENA_SIZE);
  });

  it("forgets a phase that passes", () => {
    const limit = new ArenaLimit();
    const first = limit.bytes;
    for (const times of [10, 10, 10_000, 10, 10_000, 10, 10_000]) fill(limit, 0, times);
    expect(limit.bytes).toBe(first);
  });
});
