import { describe, expect, it } from "vitest";
import { resolveConfig, type MachineConfig } from "./config.ts";
import { kernelCommandLine } from "./kernel-command-line.ts";

const lineOf = (config: MachineConfig): string => kernelCommandLine(resolveConfig(config));

describe("kernel command line", () => {
  it("gives other kernels a serial console, or what the user says instead", () => {
    expect(lineOf({ kernel: "vmlinuz" })).toBe("console=ttyS0");
    expect(lineOf({ kernel: "vmlinuz", append: "" })).toBe("");
    expect(lineOf({ kernel: "vmlinuz", append: "root=/dev/vda" })).toBe("root=/dev/vda");
  });

  it("keeps what the embedded guest needs whatever is appended", () => {
    expect(lineOf({}).split(" ")).toEqual(expect.arrayContaining(["console=ttyS0", "quiet", "cryptomgr.notests"]));
    expect(lineOf({ append: "" })).not.toMatch(/quiet|nido\.exec|  | $/);
    const words = lineOf({ append: "loglevel=7", command: ["true"] }).split(" ");
    expect(words).toEqual(expect.arrayContaining(["console=ttyS0", "loglevel=7", "nido.exec"]));
  });
});
