import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Device, DeviceType } from "../devices/device.ts";
import { codec, record, u8, type Codec } from "../support/schema.ts";
import { deviceCases, deviceContract } from "./device.contract.ts";
import { outPort } from "./access.ts";

// What the contract must notice it notices with most seeds, not with all.
fc.configureGlobal({ seed: 1 });

interface LatchState {
  value: number;
}

type Latch = Device<LatchState>;
type LatchType = DeviceType<Record<never, never>, LatchState>;

const STATE = codec("latch", 1, record<LatchState>({ value: u8 }));

/** One byte that reads back, with parts that a test may replace by faulty ones. */
function latch(faults: { make?: (device: Latch) => Latch; state?: Partial<Codec<LatchState>> } = {}): LatchType {
  const create = (_: object, wiring: { line(name: string): { set(level: boolean): void } }): Latch => {
    const state: LatchState = { value: 0 };
    const drive = (): void => wiring.line("top").set(state.value > 127);
    const device: Latch = {
      state,
      ports: [
        {
          name: "latch",
          base: 0,
          length: 1,
          read: () => state.value,
          write: (_offset, _width, value) => {
            state.value = value & 0xff;
            drive();
          },
        },
      ],
      reset: () => {
        state.value = 0;
        drive();
      },
      resync: drive,
    };
    return faults.make?.(device) ?? device;
  };
  return { kind: "latch", state: { ...STATE, ...faults.state }, create };
}

function broken(type: LatchType): string[] {
  return [...deviceCases(type, {}, (device) => outPort(device, 0, 0x99))]
    .filter(([, run]) => {
      try {
        run();
      } catch {
        return true;
      }
      return false;
    })
    .map(([name]) => name);
}

const withPorts = (device: Latch, read: (plain: number) => number, write: (value: number) => number = (value) => value): Latch => {
  const [port] = device.ports!;
  return {
    ...device,
    ports: [
      {
        ...port!,
        read: (offset, width) => read(port!.read(offset, width)),
        write: (offset, width, value) => port!.write(offset, width, write(value)),
      },
    ],
  };
};

describe("the device contract notices", () => {
  it("nothing about a sound device", () => {
    expect(broken(latch())).toEqual([]);
  });

  it("state that is kept elsewhere", () => {
    const make = (device: Latch): Latch => {
      let toggle = 0;
      return withPorts(
        device,
        (plain) => plain ^ toggle,
        (value) => ((toggle = value & 1), value),
      );
    };
    expect(broken(latch({ make }))).toEqual(["goes on after a restore as the original does"]);
  });

  it("outputs that are not driven after a restore", () => {
    const make = ({ state, ports, reset }: Latch): Latch => ({ state, ports: ports!, reset });
    expect(broken(latch({ make }))).toEqual(["restores what it saved, all of it"]);
  });

  it("a reset that forgets something", () => {
    expect(broken(latch({ make: (device) => ({ ...device, reset: () => {} }) }))).toEqual(["resets to power-on state, once or twice"]);
  });

  it("answers that do not fit, and handlers that throw", () => {
    const wide = latch({ make: (device) => withPorts(device, (plain) => plain + 0x100) });
    expect(broken(wide)).toContain("answers every access of every width with a value that fits, and keeps a state that can be saved");
    const touchy = latch({
      make: (device) =>
        withPorts(
          device,
          (plain) => plain,
          (value) => {
            if (value > 127) throw new Error("odd");
            return value;
          },
        ),
    });
    expect(broken(touchy)).toContain("answers every access of every width with a value that fits, and keeps a state that can be saved");
  });

  it("a codec that takes anything, or gives its state away", () => {
    expect(broken(latch({ state: { decode: (raw) => raw as LatchState } }))).toEqual(["refuses damaged state by naming the unit"]);
    expect(broken(latch({ state: { encode: (state) => state } }))).toContain("saves a copy that later changes do not reach");
  });

  it("a state that is named after something else", () => {
    expect(broken({ ...latch(), kind: "other" })).toContain("names its state after itself");
  });
});

deviceContract(latch(), {}, (device) => outPort(device, 0, 0x99));
