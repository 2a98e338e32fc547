// Machines that are profiled, over a scripted profiler: files, limits, failures.
import { describe, expect, it } from "vitest";
import type { CallFrame, CpuProfile } from "../machine/profile/cpu-profile.ts";
import { VmError } from "../support/errors.ts";
import { profileFaults, timeBelow } from "../testing/profile-check.ts";
import { ScriptedPlatform, type GuestScript } from "../testing/scripted-platform.ts";
import { openMachine } from "./machine.ts";

const frame = (functionName: string, url: string): CallFrame => ({ functionName, scriptId: "1", url, lineNumber: 0, columnNumber: 0 });
/** A millisecond of the region that every guest here has, and one of idleness. */
const HOST: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame("(root)", ""), children: [2, 4] },
    { id: 2, callFrame: frame("run", "wasm://wasm/1"), children: [3] },
    { id: 3, callFrame: frame("region x", "wasm://wasm/2") },
    { id: 4, callFrame: frame("(idle)", "") },
  ],
  startTime: 0,
  endTime: 3000,
  samples: [3, 4],
  timeDeltas: [1000, 1000],
};
const MAP = new TextEncoder().encode("1000 T start\n");

const guest: GuestScript = ({ host }) => {
  host.observer?.regionTaken({ name: "region x", linear: 0x1000n, isUser: false, parts: [] });
  host.ended({ kind: "powerOff" });
};

function platform(script: GuestScript = guest, hostProfile: CpuProfile | undefined = HOST): ScriptedPlatform {
  return Object.assign(new ScriptedPlatform(script, { map: MAP }), { hostProfile });
}

describe("a machine's profile", () => {
  it("is in its file when the machine has ended", async () => {
    const host = platform();
    const machine = await openMachine({ profile: "out.cpuprofile", symbols: ["map"] }, host);
    await machine.start();
    expect(await machine.wait()).toEqual({ kind: "powerOff" });
    const profile = JSON.parse(new TextDecoder().decode(host.files.get("out.cpuprofile"))) as CpuProfile;
    expect(profileFaults(profile)).toEqual([]);
    expect([timeBelow(profile, "guest kernel", "translated", "start"), timeBelow(profile, "(idle)")]).toEqual([1000, 1000]);
  });

  it("is written when the machine is stopped", async () => {
    const host = platform(() => {});
    const machine = await openMachine({ profile: "out.cpuprofile" }, host);
    await machine.start();
    expect(await machine.stop()).toEqual({ kind: "stopped" });
    expect(host.files.get("out.cpuprofile")?.length).toBeGreaterThan(0);
  });

  it("grows part by part until it has all the samples that it may have, and says so", async () => {
    let end = (): void => {};
    const script: GuestScript = ({ host: machineHost }) => {
      end = () => machineHost.ended({ kind: "powerOff" });
    };
    const samples = 100_000;
    const part = { ...HOST, endTime: samples, samples: new Array<number>(samples).fill(4), timeDeltas: new Array<number>(samples).fill(1) };
    const host = platform(script, part);
    const warnings: string[] = [];
    const machine = await openMachine({ profile: "out.cpuprofile" }, host, { onWarning: (message) => warnings.push(message) });
    await machine.start();
    for (let parts = 0; parts < 12; parts++) {
      host.elapse(4000);
      await new Promise((resolve) => setTimeout(resolve));
    }
    expect(warnings).toEqual([expect.stringMatching(/^The profile is full with \d+ samples/)]);
    end();
    await machine.wait();
    const profile = JSON.parse(new TextDecoder().decode(host.files.get("out.cpuprofile"))) as CpuProfile;
    expect(profile.samples.length).toBeGreaterThan(900_000);
    expect(profile.samples.length).toBeLessThan(1_200_000);
  });

  it("that cannot be written ends the machine with an error", async () => {
    const host = platform();
    const machine = await openMachine({ profile: "out.cpuprofile" }, host);
    host.files.set = () => {
      throw new VmError("DISK_IO", "Cannot write the profile: no space left");
    };
    await machine.start();
    expect(await machine.wait()).toMatchObject({ kind: "error", error: { code: "DISK_IO" } });
  });

  it.each([
    ["on a host without a profiler", { profile: "p" }, undefined, "CONFIG_INVALID"],
    ["with symbols that are not there", { profile: "p", symbols: ["none"] }, HOST, "FILE_NOT_FOUND"],
    ["with symbols that are none", { profile: "p", symbols: [{ file: new Uint8Array(9), bias: undefined }] }, HOST, "SYMBOLS_INVALID"],
    ["that nobody asked for, with symbols", { symbols: ["map"] }, HOST, "CONFIG_INVALID"],
  ] as const)("%s is refused before anything starts", async (_case, config, hostProfile, code) => {
    const host = Object.assign(platform(), { hostProfile });
    await expect(openMachine(config, host)).rejects.toMatchObject({ code });
    expect(host.threads).toBe(0);
  });
});
