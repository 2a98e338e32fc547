// The host's side of the embedded guest's ports (guest/PROTOCOL.md): one command, its streams, its exit status.
import type { ConsolePort, VirtioConsole } from "../devices/virtio/index.ts";
import type { Clock, Timer } from "../devices/device.ts";
import type { CommandOutput, MachineHost } from "./machine.ts";
import { PortWriter } from "./port-writer.ts";

const PREFIX = "org.nido.";

/** The ports in the order that the guest expects: control last. */
export const COMMAND_PORTS: readonly string[] = ["stdin", "stdout", "stderr", "control"].map((name) => PREFIX + name);

/** After its command has ended, how long a guest may be silent before we go on without what it left in the background. */
const SILENCE_NS = 300e6;
/** Longer lines are not the guest's session's. */
const LONGEST_LINE = 4096;

/** What the channel needs from its machine. */
export interface CommandChannelOwner {
  readonly clock: Clock;
  readonly host: Pick<MachineHost, "execOut" | "log">;
  /** The command has ended and all its output has been handed to the host. */
  finished(status: number): void;
}

/** The ports of one machine. */
export class CommandChannel {
  readonly #owner: CommandChannelOwner;
  readonly #command: readonly string[] | undefined;
  readonly #control: ConsolePort;
  readonly #stdin: PortWriter;
  #line = "";
  #size: string | undefined;
  #status: number | undefined;
  #drained = false;
  #silence: Timer | undefined;

  /** @param command what the guest is to run; undefined for the shell that it runs by itself */
  constructor(device: Pick<VirtioConsole, "port">, command: readonly string[] | undefined, owner: CommandChannelOwner) {
    this.#owner = owner;
    this.#command = command;
    this.#control = portOf(device, "control");
    this.#stdin = new PortWriter(portOf(device, "stdin"));
    for (const stream of ["stdout", "stderr"] as const) {
      portOf(device, stream).connect({ data: (bytes) => this.#output(stream, bytes) });
    }
    this.#control.connect({ data: (bytes) => this.#read(bytes), open: () => this.#sendSize() });
  }

  /** Bytes for the command's standard input; resolves when the guest's driver has room for more. */
  input(bytes: Uint8Array): Promise<void> {
    return this.#stdin.write(bytes);
  }

  /** The end of the command's standard input. */
  endInput(): void {
    this.#stdin.end();
  }

  /** The terminal's size in characters. */
  resize(rows: number, columns: number): void {
    this.#size = `size ${rows}x${columns}\n`;
    if (this.#control.guestOpen) this.#sendSize();
  }

  /** Asks the guest to write out what it holds and to power off. */
  powerOff(): void {
    this.#send("poweroff\n");
  }

  #sendSize(): void {
    if (this.#size !== undefined) this.#send(this.#size);
  }

  #send(line: string): void {
    this.#control.write(new TextEncoder().encode(line));
  }

  #output(stream: CommandOutput, bytes: Uint8Array): void {
    this.#owner.host.execOut(stream, bytes);
    if (this.#status !== undefined) this.#awaitSilence();
  }

  #read(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte !== 0x0a) this.#line = (this.#line + String.fromCharCode(byte)).slice(0, LONGEST_LINE);
      else {
        const line = this.#line;
        this.#line = "";
        this.#obey(line);
      }
    }
  }

  #obey(line: string): void {
    const [verb, , status] = line.split(" ");
    if (verb === "error") this.#owner.host.log.warnOnce(`command.${line}`, `The guest did not understand: ${line}`);
    else if (this.#command !== undefined) this.#follow(this.#command, verb, Number(status));
  }

  #follow(command: readonly string[], verb: string | undefined, status: number): void {
    if (verb === "ready") this.#send(`run ${command.map(quoted).join(" ")}\n`);
    else if (verb === "started") this.#stdin.open();
    else if (verb === "drained") this.#drained = true;
    else if (verb === "exit") this.#status = status & 0xff;
    if (this.#status === undefined) return;
    if (this.#drained) this.#owner.finished(this.#status);
    else this.#awaitSilence();
  }

  #awaitSilence(): void {
    const status = this.#status ?? 0;
    this.#silence?.cancel();
    const { clock } = this.#owner;
    this.#silence = clock.arm(clock.now() + SILENCE_NS, () => this.#owner.finished(status));
  }
}

function portOf(device: Pick<VirtioConsole, "port">, name: string): ConsolePort {
  const port = device.port(PREFIX + name);
  if (port === undefined) throw new Error(`Bug in Nido: the console device has no port ${name}`);
  return port;
}

/** An argument as a word of the guest's shell. */
function quoted(argument: string): string {
  const bytes = new TextEncoder().encode(argument);
  const octal = (byte: number): string => `\\${byte.toString(8).padStart(3, "0")}`;
  return `$'${Array.from(bytes, (byte) => (isPlain(byte) ? String.fromCharCode(byte) : octal(byte))).join("")}'`;
}

function isPlain(byte: number): boolean {
  return /[A-Za-z0-9_@%+=:,./-]/.test(String.fromCharCode(byte));
}
