// The program as a whole, over scripted guests: what it prints where, and its exit status.
import { PassThrough, Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import type { EndingSignal } from "../host/node/termination.ts";
import { openMachine } from "../sdk/machine.ts";
import { VmError } from "../support/errors.ts";
import { ScriptedPlatform, type GuestScript } from "../testing/scripted-platform.ts";
import type { CliHost } from "./command.ts";
import { main } from "./main.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A stream that keeps what is written to it, or fails as a closed pipe does. */
class Sink extends Writable {
  text = "";
  fault: string | undefined;
  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    if (this.fault !== undefined) return done(Object.assign(new Error(`write ${this.fault}`), { code: this.fault }));
    this.text += new TextDecoder().decode(chunk);
    done();
  }
}

class World implements CliHost {
  readonly stdin = new PassThrough();
  readonly stdout = new Sink();
  readonly stderr = new Sink();
  readonly platform: ScriptedPlatform;
  terminal: "none" | "raw" | "restored" = "none";
  resized: ((rows: number, columns: number) => void) | undefined;
  signal: ((signal: EndingSignal) => void) | undefined;
  readonly #isTerminal: boolean;

  constructor(script: GuestScript, options: { readonly terminal?: boolean } = {}) {
    this.platform = new ScriptedPlatform(script, { kernel: bytes("K"), disk: new Uint8Array(512) });
    this.#isTerminal = options.terminal ?? false;
    this.stdout.on("error", () => {});
  }

  createMachine: CliHost["createMachine"] = (config, options) => openMachine(config, this.platform, options);

  enterRawMode(): ReturnType<CliHost["enterRawMode"]> {
    if (!this.#isTerminal) return undefined;
    this.terminal = "raw";
    return {
      [Symbol.dispose]: () => {
        this.terminal = "restored";
      },
    };
  }

  watchSize(resized: (rows: number, columns: number) => void): () => void {
    this.resized = resized;
    resized(24, 80);
    return () => {
      this.resized = undefined;
    };
  }

  onTermination(asked: (signal: EndingSignal) => void): () => void {
    this.signal = asked;
    return () => {
      this.signal = undefined;
    };
  }
}

async function nido(
  script: GuestScript,
  argv: readonly string[],
  prepare: (world: World) => void = () => {},
): Promise<World & { status: number }> {
  const world = new World(script);
  prepare(world);
  return Object.assign(world, { status: await main(argv, world) });
}

const ends =
  (end: Parameters<Parameters<GuestScript>[0]["host"]["ended"]>[0]): GuestScript =>
  ({ host }) =>
    host.ended(end);

describe("nido run with a command", () => {
  it("prints the command's outputs and nothing else, and exits with its status", async () => {
    const world = await nido(
      ({ config, host, print }) => {
        print("Linux version 6.1\r\n");
        host.execOut("stdout", bytes(`${JSON.stringify(config.command)}\n`));
        host.execOut("stderr", bytes("complaint\n"));
        host.ended({ kind: "exit", status: 7 });
      },
      ["run", "--", "sh", "-c", "exit 7", "--memory"],
    );
    expect(world).toMatchObject({ status: 7, stdout: { text: '["sh","-c","exit 7","--memory"]\n' }, stderr: { text: "complaint\n" } });
  });

  it("shows the boot with --verbose, on the error output", async () => {
    const world = await nido(
      ({ host, print }) => {
        print("Linux version 6.1\r\n");
        host.log.warnOnce("x", "odd");
        host.ended({ kind: "exit", status: 0 });
      },
      ["run", "--verbose", "--", "true"],
    );
    expect(world.stdout.text).toBe("");
    expect(world.stderr.text).toContain("Linux version 6.1");
    expect(world.stderr.text).toContain("nido: odd");
    expect(world.stderr.text).toMatch(/\nnido: 2500000 instructions in 10 ms \(250 MIPS\), the first -?\d+ ms after the start\.\n$/);
  });

  it("passes its input on, to the end", async () => {
    const world = await nido(
      async ({ host, until, received }) => {
        await until(() => received.commandEnded);
        host.execOut("stdout", bytes(received.command.toUpperCase()));
        host.ended({ kind: "exit", status: 0 });
      },
      ["run", "--", "tr", "a-z", "A-Z"],
      ({ stdin }) => {
        stdin.write("hello ");
        stdin.end("world");
      },
    );
    expect([world.status, world.stdout.text]).toEqual([0, "HELLO WORLD"]);
  });

  it.each<[Parameters<typeof ends>[0], number, string]>([
    [{ kind: "powerOff" }, 0, ""],
    [{ kind: "tripleFault", detail: "at 7c00h" }, 120, "triple fault: at 7c00h"],
    [{ kind: "panic", detail: "Attempted to kill init" }, 121, "panicked: Attempted to kill init"],
    [{ kind: "reset" }, 122, "reset its board"],
    [{ kind: "timeout" }, 124, "time ran out"],
    [{ kind: "debugExit", status: 33 }, 33, ""],
    [{ kind: "error", error: new VmError("DISK_IO", "Cannot write disk") }, 74, "Cannot write disk"],
    [{ kind: "error", error: new VmError("INTERNAL", "oh") }, 70, "bug in Nido"],
  ])("tells the end %o apart", async (end, status, words) => {
    const world = await nido(ends(end), ["run", "--", "true"]);
    expect(world.status).toBe(status);
    expect(world.stderr.text).toContain(words);
    expect(world.stderr.text === "").toBe(words === "");
    expect(world.stdout.text).toBe("");
    expect(world.stderr.text).not.toContain("    at ");
  });

  it("shows the guest's last words when it dies", async () => {
    const world = await nido(
      ({ print, host }) => {
        print("\u001b[31mOops: 0002\u001b[0m\r\n");
        host.ended({ kind: "panic", detail: "" });
      },
      ["run", "--", "true"],
    );
    expect(world.stderr.text).toContain("nido: guest: Oops: 0002\n");
  });

  it.each([
    [0, 74],
    [3, 3],
  ])("says at once that a disk failed, and does not take the command's status %d for success", async (status, expected) => {
    const world = await nido(
      ({ host }) => {
        host.diskFailed(new VmError("DISK_IO", 'Cannot write disk "d": no space left on the file system'));
        host.ended({ kind: "exit", status });
      },
      ["run", "--", "sync"],
    );
    expect(world.status).toBe(expected);
    expect(world.stderr.text).toMatch(/^nido: Cannot write disk "d": no space left.*\n {6}Check the file system.*\n$/);
  });

  it.each([
    ["EPIPE", 141, ""],
    ["ENOSPC", 74, "no space left"],
  ])("ends when its output fails with %s", async (fault, status, words) => {
    const script: GuestScript = ({ host }) => host.execOut("stdout", bytes("y\n"));
    const world = await nido(script, ["run", "--", "yes"], ({ stdout }) => {
      stdout.fault = fault;
    });
    expect([world.status, world.platform.threads]).toEqual([status, 0]);
    expect(world.stderr.text).toContain(words);
    expect(world.stderr.text === "").toBe(words === "");
  });
});

describe("nido run with the console", () => {
  it("connects it to the streams, and outlives the input's end", async () => {
    const world = await nido(
      async ({ print, until, received, host }) => {
        await until(() => received.console === "poweroff\n" && received.size?.[0] === 24);
        print("bye\r\n");
        host.ended({ kind: "powerOff" });
      },
      ["run"],
      ({ stdin }) => stdin.end("poweroff\n"),
    );
    expect(world).toMatchObject({ status: 0, stdout: { text: "bye\r\n" }, stderr: { text: "" } });
  });

  it("gives the guest a terminal's keys, and the terminal back", async () => {
    const world = new World(
      async ({ print, until, received }) => {
        await until(() => received.console === "ls\r\u0003");
        print("interrupted");
        world.stdin.write("\u001dq");
      },
      { terminal: true },
    );
    world.stdin.write("ls\r\u0003");
    expect(await main(["run"], world)).toBe(0);
    expect(world).toMatchObject({ terminal: "restored", stdout: { text: "interrupted" } });
    expect(world.stderr.text.split("\n")[0]).toBe("nido: Escape: Ctrl-] then q stops the machine, Ctrl-] twice sends Ctrl-].");
  });

  it("starts again when the guest resets, unless told not to", async () => {
    let starts = 0;
    const script: GuestScript = ({ print, host }) => {
      print(`boot ${++starts}\n`);
      host.ended({ kind: starts < 3 ? "reset" : "powerOff" });
    };
    const world = await nido(script, ["run"]);
    expect(world).toMatchObject({ status: 0, stdout: { text: "boot 1\nboot 2\nboot 3\n" } });
    starts = 0;
    expect(await nido(script, ["run", "--no-reboot"])).toMatchObject({ status: 122, stdout: { text: "boot 1\n" } });
  });

  it("gives a guest that resets itself for ever the time of one machine, not more", async () => {
    const limits: (number | undefined)[] = [];
    const world = await nido(
      async ({ config, host }) => {
        limits.push(config.timeoutMs);
        await new Promise((resolve) => setTimeout(resolve, 5));
        host.ended({ kind: limits.length < 3 ? "reset" : "timeout" });
      },
      ["run", "--timeout", "10s"],
    );
    expect(world.status).toBe(124);
    expect(limits[0]).toBe(10_000);
    expect(limits[1]).toBeLessThan(10_000);
    expect(limits[2]).toBeLessThan(limits[1] ?? 0);
  });

  it.each<[EndingSignal, number]>([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ])("ends by %s with status %d, the terminal given back", async (signal, status) => {
    const world = new World(
      ({ print }) => {
        print("up");
        world.signal?.(signal);
      },
      { terminal: true },
    );
    expect(await main(["run"], world)).toBe(status);
    expect(world).toMatchObject({ terminal: "restored", platform: { threads: 0 } });
  });

  it("shows the debug console on the error output", async () => {
    const world = await nido(
      ({ host }) => {
        host.debugOut(bytes("SeaBIOS"));
        host.ended({ kind: "powerOff" });
      },
      ["run", "--device", "debugcon"],
    );
    expect(world.stderr.text).toBe("SeaBIOS");
  });
});

describe("the command line", () => {
  it.each<[string[], number, string]>([
    [["run", "--memroy", "1G"], 64, "Unknown option --memroy. Did you mean --memory?"],
    [["run", "--memory", "8G"], 64, 'Bad value "8G" for memory (--memory): expected 16M to 3584M'],
    [["run", "--disk", "disk"], 64, "format is never guessed"],
    [["run", "kernel", "ls"], 64, 'Unexpected argument "ls": a command for the guest follows --'],
    [["run", "kernel", "--kernel", "kernel"], 64, "give one of them"],
    [["run", "--"], 64, "Nothing follows --"],
    [["run", "--kernel", "nowhere"], 65, 'Cannot read kernel "nowhere": no such file'],
    [["run", "--disk", "nowhere,format=raw"], 65, "nowhere"],
    [["rnu"], 64, 'Unknown command "rnu". Did you mean run?'],
    [["help", "doctro"], 64, "Did you mean doctor?"],
  ])("%j exits %d and says why", async (argv, status, words) => {
    const world = await nido(ends({ kind: "powerOff" }), argv);
    expect(world.status).toBe(status);
    expect(world.stdout.text).toBe("");
    expect(world.stderr.text).toContain(words);
    expect(world.stderr.text).toMatch(/^nido: .+\n {6}.+\n$/);
  });

  it("makes the machine that was asked for", async () => {
    const world = await nido(
      ({ config, host }) => {
        expect(config).toMatchObject({
          kernel: "kernel",
          memoryBytes: 2 ** 30,
          append: "quiet",
          devices: ["isa-debug-exit"],
          timeoutMs: 60_000,
          board: "pc",
          disks: [
            { path: "disk", format: "raw", readOnly: false },
            { path: "disk", format: "raw", readOnly: true },
          ],
        });
        host.ended({ kind: "powerOff" });
      },
      [
        "run",
        "kernel",
        "--memory=1G",
        "--append",
        "quiet",
        "--device",
        "isa-debug-exit",
        "--timeout",
        "60s",
        "--board",
        "pc",
        "--disk",
        "disk,format=raw",
        "--disk",
        "disk,format=raw,readonly",
      ],
    );
    expect([world.status, world.stderr.text]).toEqual([0, ""]);
  });

  it("writes a profile, and says what is wrong with it without being asked", async () => {
    const symbols = "ffffffff81c00000 T entry_SYSCALL_64\n";
    const world = await nido(
      ({ config, host }) => {
        expect(config).toMatchObject({ profile: "out", symbols: [{ file: "map" }, { file: "map", bias: 0x1000n }] });
        host.log.warnOnce("odd", "odd");
        host.ended({ kind: "powerOff" });
      },
      ["run", "--profile", "out", "--symbols", "map", "--symbols", "map@0x1000"],
      ({ platform }) => {
        platform.files.set("map", bytes(symbols));
        platform.hostProfile = {
          nodes: [{ id: 1, callFrame: { functionName: "(root)", scriptId: "0", url: "", lineNumber: -1, columnNumber: -1 } }],
          startTime: 0,
          endTime: 9,
          samples: [1],
          timeDeltas: [5],
        };
      },
    );
    expect([world.status, world.stderr.text]).toEqual([0, "nido: odd\n"]);
    expect(JSON.parse(new TextDecoder().decode(world.platform.files.get("out")))).toMatchObject({ endTime: 9, timeDeltas: [5] });
  });

  it("says that a machine could not be built, once the terminal is sane again", async () => {
    const world = new World(
      () => {
        throw new VmError("KERNEL_INVALID", "Not a kernel");
      },
      { terminal: true },
    );
    expect(await main(["run"], world)).toBe(65);
    expect(world).toMatchObject({ terminal: "restored", platform: { threads: 0 } });
    expect(world.stderr.text).toContain("nido: Not a kernel\n");
  });

  it("has help for everything", async () => {
    for (const argv of [[], ["help"], ["--help"], ["run", "--help"], ["help", "run"], ["doctor", "-h"], ["--version"]]) {
      const world = await nido(ends({ kind: "powerOff" }), argv);
      expect([world.status, world.stderr.text]).toEqual([0, ""]);
      expect(world.stdout.text.split("\n").every((line) => line.length <= 100)).toBe(true);
      expect(world.stdout.text).toMatch(/Usage: nido|^nido \d/);
    }
  });
});
