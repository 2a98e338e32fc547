import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MachineConfig } from "../machine/config.ts";
import type { MachineEnd } from "../machine/machine.ts";
import { OUTPUT_WINDOW } from "../machine/protocol.ts";
import { VmError } from "../support/errors.ts";
import { ScriptedPlatform, type GuestScript } from "../testing/scripted-platform.ts";
import { openMachine, STOP_GRACE_MS, type Machine } from "./machine.ts";
import { OutputStream, UNREAD_LIMIT } from "./output-stream.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (line: string): Uint8Array => new TextEncoder().encode(line);

async function run(script: GuestScript, config: MachineConfig = {}): Promise<{ machine: Machine; platform: ScriptedPlatform }> {
  const platform = new ScriptedPlatform(script, { kernel: bytes("K"), disk: new Uint8Array(512) });
  return { machine: await openMachine(config, platform), platform };
}

async function read(stream: AsyncIterable<Uint8Array>): Promise<string> {
  let all = "";
  for await (const chunk of stream) all += text(chunk);
  return all;
}

/** Lets everything that is ready happen. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

describe("a machine", () => {
  it("carries the console both ways until the guest powers off", async () => {
    const { machine, platform } = await run(async ({ print, until, received, host }) => {
      print("login: ");
      await until(() => received.console === "root\r");
      print("welcome");
      host.ended({ kind: "powerOff" });
    });
    await machine.start();
    await machine.console.write("root\r");
    expect(await read(machine.console.output)).toBe("login: welcome");
    expect(await machine.wait()).toEqual({ kind: "powerOff" });
    expect(platform.threads).toBe(0);
  });

  it("keeps input that comes before the guest, and takes none after it", async () => {
    const { machine } = await run(async ({ until, received, host }) => {
      await until(() => received.console === "early" && received.size?.[1] === 80);
      host.ended({ kind: "powerOff" });
    });
    const writing = machine.console.write("early");
    machine.console.resize(25, 80);
    await machine.start();
    await writing;
    expect((await machine.wait()).kind).toBe("powerOff");
    await machine.console.write("late");
  });

  it("runs a command and gives its outputs and status", async () => {
    const { machine } = await run(async ({ config, until, received, host }) => {
      await until(() => received.commandEnded);
      host.execOut("stdout", bytes(`${config.command?.join(" ")}: ${received.command}`));
      host.execOut("stderr", bytes("oops"));
      host.ended({ kind: "exit", status: 7 });
    });
    const { status, stdout, stderr } = await machine.exec(["cat", "-"], { stdin: "hello" });
    expect([status, text(stdout), text(stderr)]).toEqual([7, "cat -: hello", "oops"]);
  });

  it.each<[MachineEnd, string]>([
    [{ kind: "panic", detail: "not syncing" }, "GUEST_PANIC"],
    [{ kind: "tripleFault", detail: "at 0x7c00" }, "GUEST_SHUTDOWN"],
    [{ kind: "powerOff" }, "GUEST_SHUTDOWN"],
    [{ kind: "error", error: new VmError("DISK_IO", "No space left") }, "DISK_IO"],
  ])("reports %o of a guest with a command as %s", async (end, code) => {
    const { machine } = await run(({ host }) => host.ended(end));
    await expect(machine.exec(["true"])).rejects.toMatchObject({ code });
  });

  it("is stopped when its time runs out, and by force when it does not obey", async () => {
    const { machine, platform } = await run(() => {}, { timeout: "10s" });
    await machine.start();
    platform.elapse(9_999);
    await settle();
    platform.elapse(1);
    expect(await machine.wait()).toEqual({ kind: "timeout" });
    const deaf = await run(({ host }) => {
      (host as { ended: unknown }).ended = () => {};
    });
    await deaf.machine.start();
    const stopped = deaf.machine.stop();
    await settle();
    deaf.platform.elapse(STOP_GRACE_MS);
    expect(await stopped).toEqual({ kind: "stopped" });
    expect(deaf.platform.threads).toBe(0);
  });

  it("stops when it is disposed of, whether it ran or not", async () => {
    const started = await run(() => {});
    await started.machine.start();
    await started.machine[Symbol.asyncDispose]();
    const fresh = await run(() => {});
    await fresh.machine[Symbol.asyncDispose]();
    expect([started.platform.threads, fresh.platform.threads]).toEqual([0, 0]);
    await expect(fresh.machine.start()).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });

  it("says at once what it cannot open, and leaves no thread behind", async () => {
    const platform = new ScriptedPlatform(() => {});
    await expect(openMachine({ kernel: "nowhere" }, platform)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await expect(openMachine({ disks: ["nowhere,format=raw"] }, platform)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    expect(platform.threads).toBe(0);
  });

  it("sends a serial console that goes to a file there and nowhere else", async () => {
    const { machine, platform } = await run(
      ({ print, host }) => {
        print("to the file");
        host.ended({ kind: "powerOff" });
      },
      { serial: "file:log" },
    );
    await machine.start();
    expect(await read(machine.console.output)).toBe("");
    expect(text(platform.files.get("log") ?? new Uint8Array())).toBe("to the file");
  });

  it("makes the guest wait for a slow reader, and loses nothing", async () => {
    let most = 0;
    const block = new Uint8Array(0x1_0000).fill(0x61);
    const total = 64;
    const { machine } = await run(async ({ host }) => {
      for (let sent = 1; sent <= total; sent++) {
        host.serialOut(block);
        await settle();
        most = Math.max(most, sent);
        if (host.congestion !== undefined) await host.congestion;
      }
      host.ended({ kind: "powerOff" });
    });
    await machine.start();
    const reader = machine.console.output[Symbol.asyncIterator]();
    let length = (await reader.next()).value?.length ?? 0;
    for (let round = 0; round < 200; round++) await settle();
    expect(most * block.length).toBeLessThanOrEqual(OUTPUT_WINDOW + 4 * block.length);
    for (let next = await reader.next(); next.done !== true; next = await reader.next()) length += next.value.length;
    expect(length).toBe(total * block.length);
  });
});

describe("an output stream that nobody reads", () => {
  it("keeps the end, within its limit, and gives every byte's room back once", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: UNREAD_LIMIT }), { maxLength: 8 }), async (sizes) => {
        let room = 0;
        const stream = new OutputStream((n) => {
          room += n;
        });
        sizes.forEach((size, index) => stream.push(new Uint8Array(size).fill(index)));
        stream.end();
        const all = sizes.reduce((sum, size) => sum + size, 0);
        expect(room).toBe(all);
        let kept = 0;
        let last: number | undefined;
        for await (const chunk of stream) {
          kept += chunk.length;
          last = chunk.at(-1);
        }
        expect(room).toBe(all);
        expect(kept).toBeLessThanOrEqual(UNREAD_LIMIT);
        if (all <= UNREAD_LIMIT) expect(kept).toBe(all);
        if (kept > 0) expect(last).toBe(sizes.length - 1);
      }),
    );
  });
});
