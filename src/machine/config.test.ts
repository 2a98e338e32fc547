import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VmError } from "../support/errors.ts";
import { flagOf, MACHINE_OPTIONS, resolveConfig, type MachineConfig } from "./config.ts";

const MIB = 2 ** 20;

/** The error that a configuration gives. */
function refusal(config: unknown): VmError {
  try {
    resolveConfig(config as MachineConfig);
  } catch (error) {
    if (VmError.is(error, "CONFIG_INVALID")) return error;
    throw error;
  }
  throw new Error(`accepted ${JSON.stringify(config)}`);
}

describe("machine configuration", () => {
  it("has a default for everything", () => {
    expect(resolveConfig({})).toEqual({
      memoryBytes: 512 * MIB,
      engine: "auto",
      board: "pc",
      kernel: undefined,
      initrd: undefined,
      append: undefined,
      entry: "auto",
      disks: [],
      devices: [],
      serial: { kind: "stdio" },
      timeoutMs: undefined,
      profile: undefined,
      symbols: [],
      command: undefined,
    });
  });

  it("takes the same values typed and as text", () => {
    const typed = resolveConfig({
      memory: 64 * MIB,
      timeout: 60_000,
      disks: [{ path: "a.img", format: "raw", readOnly: true }],
      serial: { kind: "file", path: "x" },
    });
    const text = resolveConfig({ memory: "64M", timeout: "60s", disks: ["a.img,format=raw,readonly"], serial: "file:x" });
    expect(text).toEqual(typed);
  });

  it("accepts exactly the memory sizes of its range", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5000 * MIB }), (bytes) => {
        const valid = bytes >= 16 * MIB && bytes <= 3584 * MIB && bytes % MIB === 0;
        if (valid) expect(resolveConfig({ memory: bytes }).memoryBytes).toBe(bytes);
        else expect(refusal({ memory: bytes }).data).toMatchObject({ option: "memory", range: "16M to 3584M, in steps of 1M" });
      }),
    );
    fc.assert(fc.property(fc.integer({ min: 16, max: 3584 }), (mib) => resolveConfig({ memory: `${mib}M` }).memoryBytes === mib * MIB));
  });

  it("names the option, the value and the range of whatever it refuses", () => {
    const message = (config: unknown): string => refusal(config).message;
    expect(message({ memory: "5M" })).toBe('Bad value "5M" for memory (--memory): expected 16M to 3584M, in steps of 1M');
    expect(message({ engine: "jit" })).toContain('"jit" for engine (--engine): expected auto or wasm or interpreter');
    expect(message({ devices: ["isa-debug-exit", "floppy"] })).toContain('"floppy" for devices (--device)');
    expect(message({ timeout: "soon" })).toContain("--timeout");
    expect(message({ command: [] })).toContain("a program and its arguments");
    expect(message({ serial: "tcp:80" })).toContain("stdio, null or file:PATH");
    expect(message({ append: "x".repeat(2048) })).toContain("at most 2047 bytes");
    expect(message({ append: "ä".repeat(1024) })).toContain("at most 2047 bytes");
    expect(message({ memroy: 1 })).toBe('Unknown option "memroy". Did you mean memory?');
  });

  it("never guesses the format of a disk", () => {
    for (const disk of [
      "a.img",
      "a.img,readonly",
      "a.img,format=qcow2",
      "a.img,format=raw,writethrough",
      ",format=raw",
      "a.img,format=raw,path=b",
      { path: "a" },
    ]) {
      expect(refusal({ disks: [disk] }).message).toContain("format is never guessed");
    }
    expect(resolveConfig({ disks: ["a,,b.img,format=raw"] }).disks).toEqual([{ path: "a,b.img", format: "raw", readOnly: false }]);
  });

  it("takes symbols with the address that they lie at, for a profile only", () => {
    const symbols = ["System.map", "prog@0x555555554000", "odd@name", "a@0x1@0x0", { file: Uint8Array.of(1), bias: 2n }];
    expect(resolveConfig({ profile: "out", symbols }).symbols).toEqual([
      { file: "System.map", bias: undefined },
      { file: "prog", bias: 0x5555_5555_4000n },
      { file: "odd@name", bias: undefined },
      { file: "a@0x1", bias: 0n },
      { file: Uint8Array.of(1), bias: 2n },
    ]);
    for (const symbol of ["", "@0x10", { file: "a", bias: -1n }, { file: "a", bias: 1n << 64n }, { file: "a", base: 1n }, 7])
      expect(refusal({ profile: "out", symbols: [symbol] }).message).toContain("for symbols (--symbols): expected up to 64 of: FILE");
    expect(refusal({ symbols: ["System.map"] }).message).toContain("a profile (--profile) that they are for");
  });

  it("answers any input at all with a configuration or CONFIG_INVALID", () => {
    const names = Object.keys(MACHINE_OPTIONS);
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), fc.anything({ withBigInt: true })), (config) => {
        try {
          const resolved = resolveConfig(config as MachineConfig);
          expect(resolved.memoryBytes % MIB).toBe(0);
        } catch (error) {
          expect(VmError.is(error, "CONFIG_INVALID")).toBe(true);
        }
      }),
    );
  });

  it("gives every option a flag, in the singular where it repeats", () => {
    const names = Object.keys(MACHINE_OPTIONS) as (keyof typeof MACHINE_OPTIONS)[];
    expect(names.map(flagOf)).toEqual([
      "--memory",
      "--engine",
      "--board",
      "--kernel",
      "--initrd",
      "--append",
      "--entry",
      "--disk",
      "--device",
      "--serial",
      "--timeout",
      "--cache",
      "--profile",
      "--symbols",
      undefined,
    ]);
  });
});
