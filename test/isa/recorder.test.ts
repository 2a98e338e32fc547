import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CODE_BASE, DATA_BASE, USER_CODE, USER_DATA, type Mode, type TestCase, type TestResult } from "./case.ts";
import { Recorder, whyNoRecorder } from "./recorder.ts";
import { CpuState, FX_OFFSET } from "./state.ts";

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RSP = 4;
const reason = whyNoRecorder();

function freshState(mode: Mode): CpuState {
  const state = new CpuState();
  state.rip = BigInt(CODE_BASE + 0x800);
  state.rflags = 0x202n;
  state.mxcsr = 0x1f80;
  state.fcw = 0x37f;
  [USER_DATA, USER_CODE[mode], USER_DATA, USER_DATA].forEach((selector, i) => state.setSegment(i, selector));
  return state;
}

function build(mode: Mode, code: readonly number[], init: (s: CpuState) => void, rest: Partial<TestCase> = {}): TestCase {
  const state = freshState(mode);
  init(state);
  return { mode, stop: "landing", code: Uint8Array.from(code), state, memory: [], ...rest };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe.skipIf(reason !== undefined)(`recorder on silicon${reason ? ` [${reason}]` : ""}`, () => {
  let recorder: Recorder;
  beforeAll(async () => {
    recorder = await Recorder.start();
  });
  afterAll(() => recorder.close());
  const one = async (test: TestCase): Promise<TestResult> => (await recorder.record([test]))[0]!;

  it("adds in both modes and sets the flags", async () => {
    const init = (s: CpuState): void => {
      s.setGpr(RAX, 0xffff_ffffn);
      s.setGpr(RCX, 1n);
    };
    for (const mode of [64, 32] as const) {
      const { outcome, state } = await one(build(mode, [0x01, 0xc8], init));
      expect(outcome).toEqual({ kind: "ok" });
      expect(state.gpr(RAX)).toBe(0n);
      expect(state.rflags & 0x8d5n).toBe(0x55n);
      expect(state.rip).toBe(BigInt(CODE_BASE + 0x802));
      expect(state.segment(1)).toBe(USER_CODE[mode]);
    }
  });

  it("reports divide error with the registers untouched", async () => {
    const { outcome, state } = await one(build(64, [0xf7, 0xf1], (s) => s.setGpr(RDX, 5n)));
    expect(outcome).toEqual({ kind: "exception", vector: 0, error: 0, cr2: 0n });
    expect(state.gpr(RDX)).toBe(5n);
    expect(state.rip).toBe(BigInt(CODE_BASE + 0x800));
  });

  it("runs SSE and x87 with the case's control words", async () => {
    const addps = await one(
      build(64, [0x0f, 0x58, 0xc1], (s) => {
        s.xmm(0).set([0, 0, 0x80, 0x3f]);
        s.xmm(1).set([0, 0, 0, 0x33]);
        s.mxcsr = 0x5f80; // round up
      }),
    );
    expect(hex(addps.state.xmm(0).subarray(0, 4))).toBe("0100803f");
    expect(addps.state.mxcsr).toBe(0x5fa0);
    const fadd = await one(
      build(32, [0xd8, 0xc1], (s) => {
        s.ftw = 3;
        s.st(0).set([0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f]);
        s.st(1).set([0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0x3f]);
      }),
    );
    expect(hex(fadd.state.st(0))).toBe("00000000000000a00040");
    expect(fadd.state.view.getUint8(176 + FX_OFFSET.ftw)).toBe(3);
  });

  it("reports page faults with address and error code, and memory that changed before", async () => {
    const at =
      (offset: number) =>
      (s: CpuState): void => {
        s.setGpr(RCX, BigInt(DATA_BASE + offset));
        s.setGpr(RAX, 0x1122_3344n);
      };
    const store = await one(build(64, [0x01, 0x01], at(0x1000), { memory: [{ offset: 0x1000, bytes: Uint8Array.of(1, 0, 0, 0) }] }));
    expect(store.memory).toEqual([{ offset: 0x1000, bytes: Uint8Array.of(0x45, 0x33, 0x22, 0x11, 0, 0, 0, 0) }]);
    const readOnly = await one(build(32, [0x01, 0x01], at(0x1ffe)));
    expect(readOnly.outcome).toEqual({ kind: "exception", vector: 14, error: 7, cr2: BigInt(DATA_BASE + 0x2000) });
    expect(readOnly.memory).toEqual([]);
    const beyond = await one(build(32, [0x03, 0x01], at(0x2ffe)));
    expect(beyond.outcome).toEqual({ kind: "exception", vector: 14, error: 4, cr2: BigInt(DATA_BASE + 0x3000) });
  });

  it("steps one control transfer, wherever it leads", async () => {
    const loop = await one(build(64, [0xeb, 0xfe], () => {}, { stop: "step" }));
    expect(loop.state.rip).toBe(BigInt(CODE_BASE + 0x800));
    const wild = await one(build(64, [0xff, 0xe0], (s) => s.setGpr(RAX, 0x1234_5678_9abcn), { stop: "step" }));
    expect([wild.outcome.kind, wild.state.rip]).toEqual(["ok", 0x1234_5678_9abcn]);
    const call = await one(build(32, [0xe8, 0x10, 0, 0, 0], (s) => s.setGpr(RSP, BigInt(DATA_BASE + 0x1008)), { stop: "step" }));
    expect(call.state.rip).toBe(BigInt(CODE_BASE + 0x815));
    expect(call.memory.map((m) => m.offset)).toEqual([0x1000]);
  });

  it("ends endless cases and refuses system calls", async () => {
    expect((await one(build(64, [0xeb, 0xfe], () => {}))).outcome).toEqual({ kind: "timeout" });
    expect((await one(build(64, [0x0f, 0x05], (s) => s.setGpr(RAX, 39n)))).outcome).toEqual({ kind: "syscall" });
    expect((await one(build(32, [0xcd, 0x80], (s) => s.setGpr(RAX, 20n)))).outcome).toEqual({ kind: "syscall" });
    expect((await one(build(64, [0x90], () => {}))).outcome).toEqual({ kind: "ok" });
  });

  it("answers many batches in order", async () => {
    const test = build(64, [0x01, 0xc8], () => {}, { memory: [{ offset: 0xf80, bytes: new Uint8Array(256).fill(7) }] });
    const results = await recorder.record(Array.from({ length: 20_000 }, () => test));
    expect(results).toHaveLength(20_000);
    expect(results.every(({ outcome }) => outcome.kind === "ok")).toBe(true);
  });
});
