// Every kernel of the boot matrix in Nido, and on microvm those made for such machines: unmodified, without a word on the command
// line that would help it.
import { describe, expect, it } from "vitest";
import { kernel, KERNELS, type KernelName, whyMissing } from "./kernels.ts";
import { nidoRun } from "./nido.ts";

const RUNS: readonly { readonly name: KernelName; readonly board: readonly string[] }[] = [
  ...(Object.keys(KERNELS) as KernelName[]).map((name) => ({ name, board: [] })),
  ...(["cloud-12", "cloud-13"] as const).map((name) => ({ name, board: ["--board", "microvm"] })),
];

describe("Debian's kernels in Nido", () => {
  for (const { name, board } of RUNS) {
    it(`boots ${[name, ...board].join(" ")} to its shell without complaint and powers off`, async (context) => {
      const files = await kernel(name);
      if (files === undefined) return context.skip(`${name}: ${whyMissing(name)}`);
      const options = ["--kernel", files.vmlinuz, "--initrd", files.initrd, "--append", "console=ttyS0 quiet shell", "--no-reboot"];
      const { status, stdout, stderr } = await nidoRun([...board, ...options], "echo in the $((40 + 2)) shell; exit\n");
      expect(stdout).toContain(`BOOTED Linux ${files.version.split("-")[0]?.split(".").slice(0, 2).join(".")}.`);
      expect(stdout).toMatch(/CHECKED [1-9]\d\d/);
      expect(stdout).toContain("matrix# ");
      expect(stdout).toContain("in the 42 shell");
      expect(stdout.split("\n").filter((line) => /^(COMPLAINT|ERROR) /.test(line))).toEqual([]);
      expect([status, stderr]).toEqual([0, ""]);
    });
  }
});
