// The embedded guest in the program as it is built: what a person who types `nido run` gets.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NidoRun, nidoRun } from "./nido.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nido-boot-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("nido run with a command", () => {
  it("prints the command's output and nothing else, and exits as it does", async () => {
    const { status, stdout, stderr } = await nidoRun(["--", "sh", "-c", "uname -a; exit 7"]);
    expect(stdout).toMatch(/^Linux nido 6\.1\.0-\d+-cloud-amd64 [^\n]* x86_64 GNU\/Linux\n$/);
    expect([status, stderr]).toEqual([7, ""]);
  });

  it("keeps the streams apart and carries any bytes", async () => {
    const bytes = Buffer.from(Array.from({ length: 400_000 }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
    const outcome = await nidoRun(["--", "sh", "-c", "cat; echo done >&2"], bytes);
    expect(outcome.stdout === bytes.toString("latin1")).toBe(true);
    expect([outcome.status, outcome.stderr]).toEqual([0, "done\n"]);
  });

  it("says that there is no such command, as a shell does", async () => {
    expect(await nidoRun(["--", "no-such-command"])).toEqual({
      status: 127,
      stdout: "",
      stderr: "nido: no-such-command: command not found\n",
    });
  });

  it("does not wait for what the command leaves in the background", async () => {
    expect(await nidoRun(["--", "sh", "-c", "sleep 1000 & echo started"])).toMatchObject({ status: 0, stdout: "started\n" });
  });

  it("shows the guest's boot messages with --verbose", async () => {
    const { status, stdout, stderr } = await nidoRun(["--verbose", "--", "true"]);
    expect([status, stdout]).toEqual([0, ""]);
    expect(stderr).toContain("Run /init as init process");
  });
});

describe("nido run with a console", () => {
  it("is a shell whose input may come before it listens; the end of the input does not stop it", async () => {
    const { status, stdout } = await nidoRun([], "echo result $((6 * 7)); sleep 1; exit 3\n");
    expect(status).toBe(0);
    expect(stdout).toContain("result 42\r\n");
  });

  it("costs next to nothing while the guest has nothing to do", async ({ skip }) => {
    if (process.platform !== "linux") return skip("reads /proc");
    const run = new NidoRun([]);
    await run.stdout.until("root@nido:~# ", 120_000);
    await sleep(2000);
    const ticks = (): number => {
      const fields = readFileSync(`/proc/${run.pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
      return Number(fields[11]) + Number(fields[12]);
    };
    const [before, start] = [ticks(), performance.now()];
    await sleep(5000);
    const share = ((ticks() - before) * 10) / (performance.now() - start);
    run.kill();
    await run.ended;
    // What it costs is for the bench to measure (0.2 % of a core); this tells a thread that waits from one that spins, on a busy host too.
    expect(share).toBeLessThan(0.25);
  });
});

describe("the guest's kernel", () => {
  it.each(["pc", "microvm"])("finds nothing to warn about on the board %s, and all its devices", async (board) => {
    const disk = join(folder, `${board}.img`);
    writeFileSync(disk, Buffer.alloc(1 << 20));
    const script = "dmesg -r | grep '^<[0-4]>'; ls /dev/vda; cat /sys/class/misc/hw_random/rng_current";
    const { stdout } = await nidoRun(["--board", board, "--disk", `${disk},format=raw`, "--", "sh", "-c", script]);
    expect(stdout.replace(/\.\d+/, "")).toBe("/dev/vda\nvirtio_rng\n");
  });

  it("has all of a large memory, also above 4 GiB", async () => {
    const { stdout } = await nidoRun(["--memory", "3584M", "--", "sh", "-c", "read -r _ total _ </proc/meminfo; echo $total"]);
    expect(Number(stdout)).toBeGreaterThan(3_400_000);
  });

  it("keeps time with the host", async () => {
    const run = new NidoRun(["--", "sh", "-c", "while read -r _; do cat /proc/uptime; done"]);
    /** The guest's clock, in seconds, and the moments of the host's between which it was read. */
    const uptime = async (lines: number): Promise<{ readonly guest: number; readonly from: number; readonly to: number }> => {
      const from = performance.now() / 1000;
      run.type("\n");
      while (run.stdout.text.split("\n").length <= lines) await sleep(5);
      return { guest: Number(run.stdout.text.split("\n")[lines - 1]?.split(" ")[0]), from, to: performance.now() / 1000 };
    };
    // What the host kept from the guest while it booted is made up for in the time after: the longer the busier the host was.
    let line = 1;
    await uptime(line);
    let start = await uptime(++line);
    for (let inStep = 0; inStep < 3 && line < 60;) {
      await sleep(2000);
      const next = await uptime(++line);
      inStep = next.guest - start.guest > next.to - start.from + 0.05 ? 0 : inStep + 1;
      start = next;
    }
    await sleep(20_000);
    const end = await uptime(line + 1);
    run.end();
    await run.ended;
    const elapsed = end.guest - start.guest;
    expect(elapsed).toBeGreaterThan(end.from - start.to - 0.1);
    expect(elapsed).toBeLessThan(end.to - start.from + 0.1);
  });
});

describe("disks", () => {
  it("hold what the command wrote, and are not written to when they are readonly", async () => {
    const path = join(folder, "disk.img");
    writeFileSync(path, Buffer.alloc(4 << 20));
    expect((await nidoRun(["--disk", `${path},format=raw`, "--", "sh", "-c", "echo kept >/dev/vda"])).status).toBe(0);
    expect(readFileSync(path).subarray(0, 5).toString()).toBe("kept\n");
    const second = await nidoRun(["--disk", `${path},format=raw,readonly`, "--", "sh", "-c", "head -n1 /dev/vda; echo lost >/dev/vda"]);
    expect([second.stdout, second.status]).toEqual(["kept\n", 1]);
    expect(readFileSync(path).subarray(0, 5).toString()).toBe("kept\n");
  });
});

describe("guests that do not end well", () => {
  it.each([
    ["a panic", ["--", "sh", "-c", "echo c >/proc/sysrq-trigger"], 121, "The guest's kernel panicked: sysrq triggered crash"],
    ["a reset", ["--", "reboot", "-f"], 122, "The guest reset its board."],
    ["a timeout", ["--timeout", "3s", "--", "sleep", "1000"], 124, "its time ran out"],
  ])("%s is told apart, in words and in status", async (_, args, expected, words) => {
    const { status, stderr } = await nidoRun(args);
    expect(stderr).toContain(words);
    expect(status).toBe(expected);
  });
});
