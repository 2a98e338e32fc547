import { describe, expect, it } from "vitest";
import { deviceContract } from "../../testing/device.contract.ts";
import { fakeWiring, outPort } from "../../testing/index.ts";
import { exitStatus, isaDebugExit } from "./index.ts";

describe("isa-debug-exit", () => {
  it("hands the value on, whatever its width", () => {
    const values: number[] = [];
    const device = isaDebugExit.create({ exit: (value) => void values.push(value) }, fakeWiring());
    outPort(device, 0xf4, 0x10);
    outPort(device, 0xf4, 0x1234_5678, 4);
    expect(values).toEqual([0x10, 0x1234_5678]);
  });

  it("gives (value << 1) | 1 as exit status", () => {
    expect([0, 1, 0x10, 0x7f, 0xff, 0xffff_ffff].map(exitStatus)).toEqual([1, 3, 0x21, 0xff, 0xff, 0xff]);
  });
});

deviceContract(isaDebugExit, { port: 0x501, exit: () => {} }, (device) => outPort(device, 0x501, 1));
