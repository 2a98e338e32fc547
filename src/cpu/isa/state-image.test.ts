// XINUSE: what XSAVEOPT, XSAVEC and XGETBV take for initial (SDM 1 §13.6).
import { describe, expect, it } from "vitest";
import { Builder } from "../ir/builder.ts";
import { evaluate } from "../ir/evaluate.ts";
import type { Routine } from "../ir/types.ts";
import { at, X87, XMM } from "../state.ts";
import { COMPONENT, initializeX87, initializeXmm, inUse } from "./state-image.ts";

const BOTH = COMPONENT.x87 | COMPONENT.sse;

function processor(): { view: DataView; call: (r: Routine, ...args: number[]) => number } {
  const u8 = new Uint8Array(0x1000);
  const view = new DataView(u8.buffer);
  const call = (r: Routine, ...args: number[]): number =>
    Number(evaluate(Builder.build(r), [0, ...args], { view, u8, body: Builder.build, host: () => undefined }) ?? 0);
  return { view, call };
}

describe("state components in use", () => {
  it("are all in use until XRSTOR initialises them, whatever they hold", () => {
    const { call } = processor();
    expect(call(inUse)).toBe(BOTH);
    call(initializeX87);
    expect(call(inUse)).toBe(COMPONENT.sse);
    call(initializeXmm, 16);
    expect(call(inUse)).toBe(0);
  });

  it("are in use again once a register has changed", () => {
    const { call, view } = processor();
    call(initializeX87);
    call(initializeXmm, 16);
    view.setUint8(XMM + 255, 1);
    expect(call(inUse)).toBe(COMPONENT.sse);
    view.setUint8(X87 + 16, 1);
    expect(call(inUse)).toBe(BOTH);
    view.setUint8(X87 + 16, 0);
    view.setUint16(at("fcw"), 0x27f, true);
    expect(call(inUse)).toBe(BOTH);
  });

  it("keep XMM8 to XMM15 outside 64-bit mode (SDM 1 §13.5.2)", () => {
    const { call, view } = processor();
    view.setUint8(XMM + 8 * 16, 1);
    view.setUint8(XMM, 1);
    call(initializeXmm, 8);
    expect([view.getUint8(XMM), view.getUint8(XMM + 8 * 16)]).toEqual([0, 1]);
    expect(call(inUse)).toBe(BOTH);
  });
});
