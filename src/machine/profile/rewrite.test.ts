// Profiles of a host, as V8 writes them, and what becomes of them.
import { describe, expect, it } from "vitest";
import { profileFaults, timeBelow } from "../../testing/profile-check.ts";
import type { CallFrame, CpuProfile } from "./cpu-profile.ts";
import { GuestSymbols } from "./guest-symbols.ts";
import { RunRecorder } from "./recorder.ts";
import { GuestProfile } from "./rewrite.ts";

const FILE = "file:///opt/nido/dist";
const js = (functionName: string, path: string): CallFrame => ({
  functionName,
  scriptId: "7",
  url: `${FILE}/${path}`,
  lineNumber: 3,
  columnNumber: 4,
});
const wasm = (functionName: string): CallFrame => ({
  functionName,
  scriptId: "9",
  url: "wasm://wasm/0123",
  lineNumber: 0,
  columnNumber: 77,
});
const special = (functionName: string): CallFrame => ({ functionName, scriptId: "0", url: "", lineNumber: -1, columnNumber: -1 });

const TURN = js("#runTurn", "machine/lifecycle/run-loop.js");
const RUN = [TURN, js("run", "cpu/engine/processor.js"), js("run", "cpu/engine/executor.js"), wasm("run")];
const DEVICE = [special("wasm-to-js:ii:i"), js("portRead", "cpu/engine/processor.js"), js("read", "devices/rtc-cmos/index.js")];

/** A host's profile from the stack of each sample; they are a millisecond apart. */
function hostProfile(stacks: readonly (readonly CallFrame[])[], timeDeltas = stacks.map(() => 1000)): CpuProfile {
  const nodes = [{ id: 1, callFrame: special("(root)"), children: [] as number[] }];
  const samples = stacks.map((stack) =>
    stack.reduce((at, callFrame) => {
      const children = nodes[at - 1]!.children;
      const known = children.find((id) => nodes[id - 1]!.callFrame === callFrame);
      if (known !== undefined) return known;
      const id = nodes.push({ id: nodes.length + 1, callFrame, children: [] });
      children.push(id);
      return id;
    }, 1),
  );
  return { nodes, startTime: 0, endTime: 1000 * (stacks.length + 1), samples, timeDeltas };
}

const SYMBOLS = "ffffffff81000000 T schedule\nffffffff81000100 T memcpy\nffffffff81000200 T kfree\n401000 T main\n";
function symbols(): GuestSymbols {
  const guest = new GuestSymbols();
  guest.add("map", new TextEncoder().encode(SYMBOLS), undefined);
  return guest;
}

/** A run whose clock the test moves, and the guest's profile of it. */
class Run {
  nowUs = 0;
  readonly recorder = new RunRecorder(() => this.nowUs, 500, 1000);

  region(name: string, linear: bigint, isUser: boolean, length = 16): this {
    this.recorder.regionTaken({ name, linear, isUser, parts: [{ linear, length }] });
    return this;
  }

  slice(endUs: number, linear: bigint, isUser: boolean): this {
    this.nowUs = endUs;
    this.recorder.sampled(1, () => ({ linear, isUser }));
    return this;
  }

  profile(stacks: readonly (readonly CallFrame[])[], timeDeltas?: number[]): CpuProfile {
    return this.profileOf(hostProfile(stacks, timeDeltas));
  }

  profileOf(...parts: readonly CpuProfile[]): CpuProfile {
    const guest = new GuestProfile(this.recorder, symbols());
    for (const part of parts) guest.add(part);
    const profile = guest.finish();
    expect(profileFaults(profile)).toEqual([]);
    return profile;
  }
}

describe("the guest's profile", () => {
  it("has the functions of regions as guest functions, with what they called", () => {
    const run = new Run().region("region a", 0xffff_ffff_8100_0010n, false).region("region b", 0x40_1000n, true);
    const walk = [...RUN, wasm("region a"), wasm("code.enter"), wasm("mmu.walk")];
    const profile = run.profile([[...RUN, wasm("region a")], walk, [...RUN, wasm("region b")]]);
    expect(timeBelow(profile, "guest kernel", "translated", "schedule")).toBe(2000);
    expect(timeBelow(profile, "guest kernel", "translated", "schedule", "region schedule+0x10", "code.enter", "mmu.walk")).toBe(1000);
    expect(timeBelow(profile, "guest user", "translated", "main", "region main")).toBe(1000);
  });

  it("says which other functions a region holds", () => {
    const run = new Run().region("region a", 0xffff_ffff_8100_0000n, false, 0x210);
    const profile = run.profile([[...RUN, wasm("region a")]]);
    expect(timeBelow(profile, "guest kernel", "translated", "schedule", "region schedule with memcpy, kfree")).toBe(1000);
  });

  it("takes a region for what it was at the time, when another had its name before", () => {
    const run = new Run().region("region a", 0x40_1000n, true);
    run.nowUs = 1500;
    run.region("region a", 0xffff_ffff_8100_0100n, false);
    const [early, late] = [wasm("region a"), { ...wasm("region a"), scriptId: "10" }];
    const profile = run.profile([
      [...RUN, early],
      [...RUN, late],
    ]);
    expect(timeBelow(profile, "guest user", "translated", "main")).toBe(1000);
    expect(timeBelow(profile, "guest kernel", "translated", "memcpy")).toBe(1000);
  });

  it("gives the interpreter's time to the places where it was", () => {
    const run = new Run().slice(1000, 0xffff_ffff_8100_0000n, false).slice(2000, 0x40_1004n, true).slice(3000, 0x7777n, true);
    const decode = [...RUN, special("wasm-to-js:ii:i"), js("decodeBlock", "cpu/engine/processor.js")];
    const profile = run.profile([RUN, decode, RUN]);
    expect(timeBelow(profile, "guest kernel", "interpreted", "schedule")).toBe(1000);
    expect(timeBelow(profile, "guest user", "interpreted", "main", "decodeBlock")).toBe(1000);
    expect(timeBelow(profile, "guest user", "interpreted", "page 0x7000")).toBe(1000);
  });

  it("knows the interpreter by whoever calls it, when the host did not hear of its code", () => {
    const run = new Run().slice(1000, 0x40_1000n, true);
    const profile = run.profile([RUN.slice(0, -1), [...RUN.slice(0, -1), wasm("CALL:i64/long")]]);
    expect(timeBelow(profile, "guest user", "interpreted", "main")).toBe(2000);
    expect(timeBelow(profile, "guest user", "interpreted", "main", "CALL:i64/long")).toBe(1000);
  });

  it("does not guess where the interpreter was when nothing was noted near", () => {
    const profile = new Run().slice(900_000, 0x40_1000n, true).profile([RUN]);
    expect(timeBelow(profile, "guest, place unknown", "interpreted")).toBe(1000);
  });

  it("sets devices apart, whether the guest or a timer asked them", () => {
    const run = new Run().slice(1000, 0x40_1000n, true).region("region a", 0x40_1000n, true);
    const timer = [TURN, js("fireDue", "machine/clock.js"), js("#expired", "devices/pit8254/index.js")];
    const profile = run.profile([[...RUN, ...DEVICE], [...RUN, wasm("region a"), ...DEVICE], timer]);
    expect(timeBelow(profile, "devices", "portRead", "read")).toBe(2000);
    expect(timeBelow(profile, "devices", "#expired")).toBe(1000);
    expect(timeBelow(profile, "guest user")).toBe(0);
  });

  it("keeps the host's own work, and idleness where viewers look for it", () => {
    const profile = new Run().profile([[TURN], [special("(idle)")], [special("(garbage collector)")], [special("(program)")]]);
    expect(timeBelow(profile, "host", "#runTurn")).toBe(1000);
    for (const name of ["(idle)", "(garbage collector)", "(program)"]) expect(timeBelow(profile, name)).toBe(1000);
  });

  it("lasts as long as the host's, though the host's clock seems to go back", () => {
    const profile = new Run().profile([[TURN], [TURN], [TURN], [TURN]], [1000, 2000, -500, 1500]);
    expect([profile.timeDeltas, timeBelow(profile)]).toEqual([[1000, 2000, 0, 1000], 4000]);
  });

  it("comes in parts, between which the host was busy with itself", () => {
    const run = new Run().region("region a", 0x40_1000n, true);
    const first = hostProfile([[...RUN, wasm("region a")], [TURN]]);
    const second = { ...hostProfile([[...RUN, wasm("region a")], [TURN]]), startTime: 9000, endTime: 11_500 };
    const profile = run.profileOf(first, second);
    expect([profile.startTime, profile.endTime]).toEqual([0, 11_500]);
    expect(timeBelow(profile, "guest user", "translated", "main")).toBe(2000);
    // The rest of the first part after its last sample, and the pause.
    expect(timeBelow(profile, "host", "profiler")).toBe(1000 + 6000);
    expect(timeBelow(profile)).toBe(11_000);
  });

  it("comes of an empty profile, and of one whose ids are wrong", () => {
    expect(new Run().profile([]).samples).toEqual([]);
    const cyclic: CpuProfile = {
      nodes: [
        { id: 1, callFrame: special("(root)"), children: [2] },
        { id: 2, callFrame: TURN, children: [2, 3, 1] },
      ],
      startTime: 0,
      endTime: 10,
      samples: [2, 99],
      timeDeltas: [5, 5],
    };
    const profile = new Run().profileOf(cyclic);
    expect([timeBelow(profile, "host", "#runTurn"), timeBelow(profile, "(program)")]).toEqual([5, 5]);
  });
});
