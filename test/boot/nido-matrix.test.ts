// Every kernel of the boot matrix in Nido: unmodified, without a word on its command line that would help it.
import { describe, expect, it } from "vitest";
import { kernel, KERNELS, type KernelName, whyMissing } from "./kernels.ts";
import { nidoRun } from "./nido.ts";

describe("Debian's kernels in Nido", () => {
  for (const name of Object.keys(KERNELS) as KernelName[]) {
    it(`boots ${name} to its shell without complaint and powers off`, async (context) => {
      const files = await kernel(name);
      if (files === undefined) return context.skip(`${name}: ${whyMissing(name)}`);
      const options = ["--kernel", files.vmlinuz, "--initrd", files.initrd, "--append", "console=ttyS0 quiet shell", "--no-reboot"];
      const { status, stdout } = await nidoRun(options, "echo in the $((40 + 2)) shell; exit\n");
      expect(stdout).toContain(`BOOTED Linux ${files.version.split("-")[0]?.split(".").slice(0, 2).join(".")}.`);
      expect(stdout).toMatch(/CHECKED [1-9]\d\d/);
      expect(stdout).toContain("in the 42 shell");
      expect(stdout.split("\n").filter((line) => /^(COMPLAINT|ERROR) /.test(line))).toEqual([]);
      expect(status).toBe(0);
    });
  }
});
