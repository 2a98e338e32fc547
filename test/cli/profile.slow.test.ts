// Profiles of guests that do what a test knows, as files that viewers open.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CpuProfile } from "../../src/machine/profile/cpu-profile.ts";
import { BareGuest } from "../../src/testing/bare-guest.ts";
import { profileFaults, timeBelow } from "../../src/testing/profile-check.ts";
import { nidoRun } from "../boot/nido.ts";
import { Folder } from "./folder.ts";

let folder: Folder;
beforeAll(() => {
  folder = new Folder();
});
afterAll(() => folder[Symbol.dispose]());

/** Runs with a profile and gives it, once it is sound. */
async function profiled(
  args: readonly string[],
): Promise<{ readonly profile: CpuProfile; readonly stdout: string; readonly stderr: string }> {
  const path = folder.at("out.cpuprofile");
  const { status, stdout, stderr } = await nidoRun(["--profile", path, ...args]);
  expect(status).toBe(0);
  const profile = JSON.parse(readFileSync(path, "utf8")) as CpuProfile;
  expect(profileFaults(profile)).toEqual([]);
  return { profile, stdout, stderr };
}

/** Where a bare guest's code begins, and where in it its two loops are: too far apart for one region, and led to indirectly. */
const CODE = 0x10_0020;
const BUSY = 5;
const LIGHT = 0x1000;

const word = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
/** `mov ecx, count`, then DEC ECX and JNZ until it is 0. */
const loop = (count: number): number[] => [0xb9, ...word(count), 0x49, 0x75, 0xfd];
/** `mov eax, address` · `jmp eax` */
const jump = (offset: number): number[] => [0xb8, ...word(CODE + offset), 0xff, 0xe0];

/** Goes round the first loop `count` times, then round the second a quarter as often; both `rounds` times. */
function loops(rounds: number, count: number): Uint8Array {
  const guest = new BareGuest().raw(0xba, ...word(rounds)).raw(...loop(count), ...jump(LIGHT));
  const length = BUSY + loop(0).length + jump(0).length;
  guest.raw(...Array.from({ length: LIGHT - length }, () => 0x90)).raw(...loop(count / 4));
  // `dec edx` · `jz` to the end
  return guest
    .raw(0x4a)
    .jumpIf(4, "end")
    .raw(...jump(BUSY))
    .label("end")
    .powerOff()
    .kernel();
}

describe("nido run --profile", () => {
  it.each([
    ["translated", "wasm", 300],
    ["interpreted", "interpreter", 100],
  ] as const)("finds a loop of a bare guest that is %s, and one that takes a quarter of its time", async (tier, engine, rounds) => {
    const kernel = folder.put("loops.elf", loops(rounds, 4_000_000));
    const symbols = folder.put("map", `${(CODE + BUSY).toString(16)} T busy\n${(CODE + LIGHT).toString(16)} T light\n`);
    const { profile } = await profiled(["--engine", engine, "--symbols", symbols, kernel]);
    const [busy, light] = ["busy", "light"].map((name) => timeBelow(profile, "guest kernel", "*", name)) as [number, number];
    expect(busy + light).toBeGreaterThan(0.6 * timeBelow(profile, "guest*"));
    expect(busy / (busy + light)).toBeGreaterThan(0.7);
    expect(busy / (busy + light)).toBeLessThan(0.9);
    expect(timeBelow(profile, "guest kernel", tier, "busy")).toBeGreaterThan(0);
  });

  it("finds a program's work in the guest's user half, the kernel's functions by their names, and idleness", async () => {
    const kallsyms = await nidoRun(["--", "cat", "/proc/kallsyms"]);
    const symbols = folder.put("kallsyms", kallsyms.stdout);
    const program = "awk 'BEGIN { for (i = 0; i < 1500000; i++) s += i * i % 7; print s }'; sleep 2";
    const { profile, stdout, stderr } = await profiled(["--symbols", symbols, "--", "sh", "-c", program]);
    expect([stdout, stderr]).toEqual(["2999999\n", ""]);
    const all = timeBelow(profile);
    expect(timeBelow(profile, "guest user")).toBeGreaterThan(0.25 * all);
    const kernel = timeBelow(profile, "guest kernel");
    // The boot's first part runs at other addresses; another kernel's symbols would fit nothing.
    expect(timeBelow(profile, "guest kernel", "*", "page*")).toBeLessThan(0.35 * kernel);
    expect(timeBelow(profile, "(idle)")).toBeGreaterThan(0);
  });
});
