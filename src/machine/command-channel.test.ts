import { describe, expect, it } from "vitest";
import { ConsolePort } from "../devices/virtio/console/port.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { RecordedLog } from "../testing/fake-wiring.ts";
import { COMMAND_PORTS, CommandChannel } from "./command-channel.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A guest's driver with the session behind it: reads and writes the ports by hand. */
class Guest {
  readonly clock = new FakeClock();
  readonly log = new RecordedLog();
  readonly output: string[] = [];
  readonly finished: number[] = [];
  readonly channel: CommandChannel;
  readonly #ports: Map<string, ConsolePort>;

  constructor(command?: readonly string[]) {
    const owner = { hostChanged: () => {}, inputWaiting: () => {}, outputWanted: () => {} };
    this.#ports = new Map(COMMAND_PORTS.map((name) => [name, new ConsolePort(name, owner)]));
    this.channel = new CommandChannel({ port: (name) => this.#ports.get(name) }, command, {
      clock: this.clock,
      host: { log: this.log, execOut: (stream, bytes) => void this.output.push(`${stream}: ${new TextDecoder().decode(bytes)}`) },
      finished: (status) => void this.finished.push(status),
    });
  }

  port(name: string): ConsolePort {
    return this.#ports.get(`org.nido.${name}`)!;
  }

  /** The guest opens its ends, as its session does when it starts. */
  open(): this {
    for (const port of this.#ports.values()) port.setGuestOpen(true, false);
    return this;
  }

  say(text: string, port = "control"): void {
    this.port(port).output(encode(text));
  }

  /** What waits in a port, which it takes. */
  take(port: string, most = Number.POSITIVE_INFINITY): string {
    const bytes = this.port(port).input.subarray(0, most);
    const text = new TextDecoder().decode(bytes);
    this.port(port).taken(bytes.length);
    return text;
  }
}

describe("CommandChannel", () => {
  it("holds all ports open and sends the command, quoted, when the guest is ready", () => {
    const guest = new Guest(["sh", "-c", "echo 'a\tb' é", ""]).open();
    expect(COMMAND_PORTS.map((name) => guest.port(name.slice(9)).hostOpen)).toEqual([true, true, true, true]);
    expect(guest.take("control")).toBe("");
    guest.say("rea");
    guest.say("dy\n");
    expect(guest.take("control")).toBe(String.raw`run $'sh' $'-c' $'echo\040\047a\011b\047\040\303\251' $''` + "\n");
  });

  it("keeps input until the command has started, and ends it when the guest has had all of it", async () => {
    const guest = new Guest(["cat"]).open();
    const taken = guest.channel.input(encode("early "));
    guest.channel.endInput();
    expect(guest.take("stdin")).toBe("");
    guest.say("ready\nstarted 1\n");
    await taken;
    expect(guest.port("stdin").hostOpen).toBe(true);
    expect(guest.take("stdin", 3)).toBe("ear");
    expect(guest.port("stdin").hostOpen).toBe(true);
    expect(guest.take("stdin")).toBe("ly ");
    expect(guest.port("stdin").hostOpen).toBe(false);
  });

  it("passes back-pressure on to who writes", async () => {
    const guest = new Guest(["cat"]).open();
    guest.say("ready\nstarted 1\n");
    const done: number[] = [];
    const writes = [1, 2, 3].map((n) => guest.channel.input(new Uint8Array(0x1_0000).fill(n)).then(() => done.push(n)));
    await Promise.resolve();
    await Promise.resolve();
    expect(done).toEqual([1]);
    guest.take("stdin");
    await writes[1];
    guest.take("stdin");
    await Promise.all(writes);
    expect(done).toEqual([1, 2, 3]);
  });

  it("is finished when the command has ended and its output has come, in either order", () => {
    for (const lines of ["exit 1 7\ndrained 1\n", "drained 1\nexit 1 7\n"]) {
      const guest = new Guest(["true"]).open();
      guest.say("ready\nstarted 1\n");
      guest.say("out", "stdout");
      guest.say("err", "stderr");
      guest.say(lines);
      expect([guest.finished, guest.output]).toEqual([[7], ["stdout: out", "stderr: err"]]);
    }
  });

  it("does not wait for what the command left in the background once that is silent", () => {
    const guest = new Guest(["sh"]).open();
    guest.say("ready\nstarted 1\nexit 1 0\n");
    guest.clock.advance(200e6);
    guest.say("still here", "stdout");
    guest.clock.advance(200e6);
    expect(guest.finished).toEqual([]);
    guest.clock.advance(200e6);
    expect(guest.finished).toEqual([0]);
  });

  it("tells the guest the terminal's size as soon as it listens, and then every change", () => {
    const guest = new Guest();
    guest.channel.resize(24, 80);
    guest.channel.resize(30, 100);
    guest.open();
    expect(guest.take("control")).toBe("size 30x100\n");
    guest.channel.resize(40, 120);
    expect(guest.take("control")).toBe("size 40x120\n");
  });

  it("takes no command from a shell that ends, and reports what the guest did not understand", () => {
    const guest = new Guest().open();
    guest.say("started 1\nexit 1 3\ndrained 1\nerror unknown line: hm\n");
    expect([guest.finished, guest.log.messages.size, guest.take("control")]).toEqual([[], 1, ""]);
  });

  it("bears anything that comes from the guest", () => {
    const guest = new Guest(["true"]).open();
    guest.say(`${"x".repeat(100_000)}\n\n exit\nexit\nexit 1 abc\n\0\n`);
    guest.clock.advance(1e9);
    expect(guest.finished.every((status) => status >= 0 && status <= 255)).toBe(true);
  });
});
