// The embedded guest in QEMU: what guest/PROTOCOL.md promises, with no part of Nido's own machine involved.
import { afterEach, expect, it } from "vitest";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describeWithPeers } from "../peers.ts";
import { QEMU, QemuGuest } from "./qemu.ts";

const image = (name: string): string => fileURLToPath(new URL(`../../guest/images/${name}`, import.meta.url));
const QUIET = "console=ttyS0 quiet cryptomgr.notests panic=-1";
const LIMIT_MS = 60_000;

let guest: QemuGuest;
afterEach(() => guest.stop());

function start(append: string, ports = true): QemuGuest {
  guest = QemuGuest.start({ kernel: image("vmlinuz"), initrd: image("initramfs.img"), append: `${QUIET} ${append}`, ports });
  return guest;
}

/** Sends a command and waits until it has ended. QEMU may still hold output: it takes the ports' queues in any order. */
async function run(number: number, words: string, whenStarted: () => void = () => {}): Promise<void> {
  guest.send("control", `run ${words}\n`);
  await guest.received.control.until(`started ${number}\n`);
  whenStarted();
  await guest.received.control.until(`exit ${number} `);
  await guest.received.control.until(`drained ${number}\n`);
}

describeWithPeers([QEMU], "the embedded guest in QEMU", () => {
  it("gives a shell with job control on the console and powers off when it ends", { timeout: LIMIT_MS }, async () => {
    start("nido.size=30x100 TERM=xterm", false);
    await guest.console.until("root@nido:~# ");
    guest.type("tty; stty size; echo $TERM; sleep 100\n");
    await guest.console.until("xterm\r\n");
    await setTimeout(200);
    guest.type("\x1a");
    await guest.console.until("Stopped");
    guest.type("exit\nexit\n");
    expect(await guest.ended).toBe(0);
    expect(guest.console.text).toMatch(/\/dev\/ttyS0\r\n30 100\r\nxterm\r\n/);
  });

  it("reports the shell's exit status on the control port", { timeout: LIMIT_MS }, async () => {
    start("");
    await guest.console.until("root@nido:~# ");
    guest.send("control", "size 50x132\n");
    guest.type("sleep 1; stty size; exit 5\n");
    expect(await guest.ended).toBe(0);
    expect(guest.console.text).toContain("50 132");
    expect(guest.received.control.text).toBe("started 1\nexit 1 5\ndrained 1\n");
  });

  it("runs commands with separate streams, end of input, signals and exit statuses", { timeout: LIMIT_MS }, async () => {
    start("nido.exec");
    const { control, stdout, stderr } = guest.received;
    await control.until("ready\n");

    await run(1, "sh -c $'uname\\040-r;\\040echo\\040oops\\040>/dev/stderr;\\040exit\\0407'", () => guest.close("stdin"));
    expect(control.text.split("\n").sort()).toEqual(["", "drained 1", "exit 1 7", "ready", "started 1"]);
    await stdout.until("\n");
    expect(stdout.text).toMatch(/^6\.1\.0-\d+-cloud-amd64\n$/);
    await stderr.until("oops\n");
    expect(stderr.text).toBe("oops\n");

    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
    const before = stdout.text.length;
    await run(2, "cat", () => {
      guest.send("stdin", bytes);
      guest.close("stdin");
    });
    await stdout.until(bytes.toString("latin1"));
    expect(stdout.text.slice(before)).toBe(bytes.toString("latin1"));

    await run(3, "sleep 100", () => guest.send("control", "signal INT\n"));
    expect(control.text).toContain("exit 3 130\n");
    await run(4, "no-such-command");
    expect(control.text).toContain("exit 4 127\n");
    await stderr.until("nido: no-such-command: command not found\n");

    guest.send("control", "poweroff\n");
    expect(await guest.ended).toBe(0);
    expect(guest.console.text).not.toMatch(/not found|error|panic/i);
  });

  it("does not let what a command leaves in the background delay its exit", { timeout: LIMIT_MS }, async () => {
    start("nido.exec");
    const { control } = guest.received;
    await control.until("ready\n");
    guest.send("control", "run sh -c $'sleep\\040100\\040&'\n");
    await control.until("exit 1 0\n");
    expect(control.text).not.toContain("drained");
    await run(2, "true");
    guest.send("control", "tty sh -c $'test\\040-t\\0400\\040&&\\040exit\\0403'\n");
    await control.until("exit 3 3\ndrained 3\n");
    guest.send("control", "dance\n");
    await control.until("error unknown line: dance\n");
    guest.close("control");
    expect(await guest.ended).toBe(0);
  });
});
