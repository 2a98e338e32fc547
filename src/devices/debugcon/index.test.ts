import { describe, expect, it } from "vitest";
import { deviceContract } from "../../testing/device.contract.ts";
import { fakeWiring, inPort, outPort } from "../../testing/index.ts";
import { debugcon } from "./index.ts";

describe("debugcon", () => {
  it("hands characters on and shows that it is there", () => {
    const bytes: number[] = [];
    const device = debugcon.create({ sink: (byte) => void bytes.push(byte) }, fakeWiring());
    for (const char of "Hi") outPort(device, 0x402, char.charCodeAt(0));
    expect(String.fromCharCode(...bytes)).toBe("Hi");
    expect(inPort(device, 0x402)).toBe(0xe9);
  });

  it("sits at the port it is given", () => {
    const bytes: number[] = [];
    outPort(debugcon.create({ port: 0xe9, sink: (byte) => void bytes.push(byte) }, fakeWiring()), 0xe9, 0x41);
    expect(bytes).toEqual([0x41]);
  });
});

deviceContract(debugcon, { sink: () => {} }, (device) => outPort(device, 0x402, 0x41));
