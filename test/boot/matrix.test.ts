// Every kernel of the boot matrix in QEMU: what fails here is not Nido's fault.
import { afterEach, expect, it } from "vitest";
import { describeWithPeers } from "../peers.ts";
import { kernel, KERNELS, type KernelName, whyMissing } from "./kernels.ts";
import { QEMU, QemuGuest } from "./qemu.ts";

let guest: QemuGuest | undefined;
afterEach(() => guest?.stop());

describeWithPeers([QEMU], "Debian's kernels in QEMU", () => {
  for (const name of Object.keys(KERNELS) as KernelName[]) {
    it(`boots ${name} to its shell without complaint and powers off`, async (context) => {
      const files = await kernel(name);
      if (files === undefined) return context.skip(`${name}: ${whyMissing(name)}`);
      guest = QemuGuest.start({ kernel: files.vmlinuz, initrd: files.initrd, append: "console=ttyS0 quiet shell" });
      await guest.console.until("matrix# ", 120_000);
      guest.type("exit\n");
      expect(await guest.ended).toBe(0);
      expect(guest.console.text).toContain(`BOOTED Linux ${files.version.split("-")[0]?.split(".").slice(0, 2).join(".")}.`);
      expect(guest.console.text).toMatch(/CHECKED [1-9]\d\d/);
      expect(guest.console.text.split("\n").filter((line) => /^(COMPLAINT|ERROR) /.test(line))).toEqual([]);
    });
  }
});
