import { describe, expect, it } from "vitest";
import type { Engine, RunExit } from "../../cpu/engine/engine.ts";
import { FakeMachineHost } from "../../testing/fake-machine-host.ts";
import { MachineClock } from "../clock.ts";
import type { MachineEnd } from "../machine.ts";
import { RunLoop } from "./run-loop.ts";

const NS_PER_INSTRUCTION = 10;

/** A processor that does as it is told, at 100 MIPS. */
class ScriptedEngine implements Engine {
  readonly kind = "interpreter";
  readonly translated = undefined;
  readonly counters = undefined;
  instructions = 0;
  readonly slices: number[] = [];
  kicked = false;
  /** Called at the start of every slice; what it gives is the exit, after the whole budget unless it is "halt" or "kick". */
  script: () => RunExit = () => "budget";
  readonly #host: FakeMachineHost;

  constructor(host: FakeMachineHost) {
    this.#host = host;
  }

  get registers(): never {
    throw new Error("not used");
  }

  run(budget: number): RunExit {
    this.kicked = false;
    const exit = this.script();
    if (exit === "halt") return exit;
    const ran = this.kicked ? 0 : budget;
    this.instructions += ran;
    this.slices.push(ran);
    this.#host.elapse(ran * NS_PER_INSTRUCTION);
    return this.kicked ? "kick" : exit;
  }

  async keep(): Promise<void> {}

  kick(): void {
    this.kicked = true;
  }

  setInterruptLine(): void {}
  nmi(): void {}
  reset(): void {}
}

function loop(): { host: FakeMachineHost; engine: ScriptedEngine; clock: MachineClock; loop: RunLoop; ends: MachineEnd[] } {
  const host = new FakeMachineHost({ kernel: new Uint8Array() });
  const engine = new ScriptedEngine(host);
  const clock = new MachineClock(host.clock);
  const ends: MachineEnd[] = [];
  const parts = { engine, clock, host, describeShutdown: () => "at 0", ended: (end: MachineEnd) => void ends.push(end) };
  return { host, engine, clock, ends, loop: new RunLoop(parts) };
}

describe("RunLoop", () => {
  it("runs slices of at most about a millisecond and fires timers between them, on time", async () => {
    const { host, engine, clock, loop: running } = loop();
    const late: number[] = [];
    expect(running.statistics).toEqual({ instructions: 0, busyMs: 0, firstAtMs: undefined });
    running.start();
    await host.until(() => clock.now() > 20e6);
    for (let index = 1; index <= 50; index++) clock.arm(20e6 + index * 777_000, () => late.push(clock.now() - (20e6 + index * 777_000)));
    await host.until(() => clock.now() > 80e6);
    expect(late).toHaveLength(50);
    expect(Math.max(...late)).toBeLessThan(60_000);
    expect(Math.max(...engine.slices) * NS_PER_INSTRUCTION).toBeLessThan(1.1e6);
    const { instructions, busyMs, firstAtMs } = running.statistics;
    expect(instructions).toBe(engine.instructions);
    expect(busyMs / ((instructions * NS_PER_INSTRUCTION) / 1e6)).toBeCloseTo(1, 1);
    expect(firstAtMs).toBeGreaterThan(0);
  });

  it("cuts a slice short for a timer that the guest arms in it", async () => {
    const { host, engine, clock, loop: running } = loop();
    let firedAt = 0;
    let armed = false;
    engine.script = () => {
      if (!armed && clock.now() > 10e6) {
        armed = true;
        clock.arm(clock.now() + 50_000, () => (firedAt = clock.now()));
        expect(engine.kicked).toBe(true);
      }
      return "budget";
    };
    running.start();
    await host.until(() => firedAt > 0);
    expect(firedAt).toBeLessThan(10e6 + 2.2e6);
  });

  it("sleeps while the guest is halted and wakes for timers and interrupts", async () => {
    const { host, engine, clock, loop: running } = loop();
    let halts = 0;
    engine.script = () => (halts++, "halt");
    clock.arm(500e6, () => {});
    running.start();
    await host.until(() => clock.now() > 500e6);
    expect(halts).toBeLessThan(20);
    expect(host.idleNs).toBeGreaterThan(498e6);
    const before = halts;
    clock.arm(10e9, () => {});
    await host.until(() => halts === before + 1);
    running.wake();
    await host.until(() => halts > before + 1);
    expect(clock.now()).toBeLessThan(1e9);
  });

  it("takes an earlier timer into account that is armed while it sleeps", async () => {
    const { host, engine, clock, loop: running } = loop();
    let halts = 0;
    engine.script = () => (halts++, "halt");
    clock.arm(3600e9, () => {});
    running.start();
    await host.until(() => halts === 1);
    let firedAt = 0;
    clock.arm(100e6, () => (firedAt = clock.now()));
    await host.until(() => firedAt > 0);
    expect(firedAt).toBeLessThan(101e6);
  });

  it("lets the guest's time stand still while nobody takes the output", async () => {
    const { host, clock, loop: running } = loop();
    let relieve = (): void => {};
    host.congestion = new Promise((resolve) => (relieve = resolve));
    running.start();
    await host.until(() => host.idleNs > 0 || clock.now() > 100e6).catch(() => {});
    const stood = clock.now();
    expect(stood).toBeLessThan(10e6);
    host.elapse(30e9);
    host.congestion = undefined;
    relieve();
    await host.until(() => clock.now() > stood + 5e6);
    expect(clock.now()).toBeLessThan(stood + 50e6);
  });

  it("ends once, for the first reason, within the slice", async () => {
    const { host, engine, loop: running, ends } = loop();
    engine.script = () => {
      running.end({ kind: "powerOff" });
      running.end({ kind: "reset" });
      return "shutdown";
    };
    running.start();
    await host.until(() => ends.length > 0);
    running.end({ kind: "stopped" });
    expect([ends, engine.slices]).toEqual([[{ kind: "powerOff" }], [0]]);
  });

  it("ends when it sleeps and when it has not begun", async () => {
    for (const begin of [true, false]) {
      const { host, engine, loop: running, ends } = loop();
      engine.script = () => "halt";
      if (begin) {
        running.start();
        await host.until(() => false).catch(() => {});
      }
      running.end({ kind: "stopped" });
      await host.until(() => ends.length === 1);
      expect(ends).toEqual([{ kind: "stopped" }]);
    }
  });

  it("reports a triple fault with its place, and a failure of ours with its error", async () => {
    const first = loop();
    first.engine.script = () => "shutdown";
    first.loop.start();
    await first.host.until(() => first.ends.length > 0);
    expect(first.ends).toEqual([{ kind: "tripleFault", detail: "at 0" }]);
    const second = loop();
    second.engine.script = () => {
      throw new Error("broken");
    };
    second.loop.start();
    await second.host.until(() => second.ends.length > 0);
    expect(second.ends).toMatchObject([{ kind: "error", error: { code: "INTERNAL", message: "broken" } }]);
  });
});
