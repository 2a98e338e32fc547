import { describe, expect, it } from "vitest";
import { CODE_HASH, CODE_HASH_ENTRIES } from "../engine/layout.ts";
import { MODE } from "../state.ts";
import { HotPlaces, MemorySource } from "./memory-source.ts";

const PAGE = 0x20_0000;

describe("the code around a requested entry", () => {
  it("stays as it was first seen, while the guest writes there", () => {
    const buffer = new ArrayBuffer(CODE_HASH + CODE_HASH_ENTRIES * 8 + 0x1000 + PAGE);
    const request = { host: PAGE + 8, mode: MODE.long, linearPage: 0x40_0000n, view: 0, isWide: false };
    const source = new MemorySource(buffer, 0, request, new HotPlaces([]));
    const bytes = new Uint8Array(buffer);
    bytes[PAGE + 8] = 0x90;
    expect(source.page(PAGE)[8]).toBe(0x90);
    bytes[PAGE + 8] = 0xcc;
    expect(source.page(PAGE)[8]).toBe(0x90);
  });

  it("knows hot places by page and mode", () => {
    const places = new HotPlaces([0x1008 * 8 + 1, 0x1100 * 8 + 1, 0x1200 * 8 + 6, 0x2000 * 8 + 1]);
    expect([places.has(0x1008, 1), places.has(0x1008, 6), places.inPage(0x1000, 1), places.inPage(0x1000, 6)]).toEqual([
      true,
      false,
      [0x1008, 0x1100],
      [0x1200],
    ]);
  });
});
