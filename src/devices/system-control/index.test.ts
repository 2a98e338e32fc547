import { beforeEach, describe, expect, it } from "vitest";
import { deviceContract } from "../../testing/device.contract.ts";
import { fakeWiring, inPort, outPort, type FakeWiring } from "../../testing/index.ts";
import { systemControl, type SystemControl } from "./index.ts";

let wiring: FakeWiring;
let control: SystemControl;
let out2: boolean;

beforeEach(() => {
  out2 = false;
  wiring = fakeWiring();
  control = systemControl.create({ out2: () => out2 }, wiring);
});

describe("port 61h", () => {
  it("drives gate 2 and the speaker, and reads back its low four bits", () => {
    outPort(control, 0x61, 0xfd);
    expect([wiring.line("gate2").level, wiring.line("speaker").level]).toEqual([true, false]);
    expect(inPort(control, 0x61)).toBe(0x0d);
    outPort(control, 0x61, 0x02);
    expect([wiring.line("gate2").level, wiring.line("speaker").level]).toEqual([false, true]);
  });

  it("shows OUT 2 in bit 5", () => {
    out2 = true;
    expect(inPort(control, 0x61)).toBe(0x20);
  });

  it("toggles the refresh bit every 15.085 us", () => {
    const levels = Array.from({ length: 1000 }, () => {
      wiring.clock.advance(1000);
      return inPort(control, 0x61) & 0x10;
    });
    const changes = levels.filter((level, index) => index > 0 && level !== levels[index - 1]).length;
    expect(changes).toBe(66);
  });
});

describe("port 92h", () => {
  it("drives A20 with bit 1 and pulses reset when bit 0 rises", () => {
    outPort(control, 0x92, 0x02);
    expect([wiring.line("a20").level, wiring.line("reset").rises, inPort(control, 0x92)]).toEqual([true, 0, 0x02]);
    outPort(control, 0x92, 0x03);
    outPort(control, 0x92, 0x03);
    expect([wiring.line("reset").rises, wiring.line("reset").level]).toEqual([1, false]);
    outPort(control, 0x92, 0x00);
    expect(wiring.line("a20").level).toBe(false);
  });
});

deviceContract(systemControl, { out2: () => false }, (device) => {
  outPort(device, 0x61, 0x03);
  outPort(device, 0x92, 0x02);
});
