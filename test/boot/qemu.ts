// A guest in QEMU without hardware help: the peer that says whether a kernel, an initramfs or the guest's protocol is at fault,
// rather than Nido. CMPXCHG16B is kept from the guest, because QEMU 7.2 gets it wrong.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The peer that these tests need. */
export const QEMU = "qemu-system-x86_64";

/** The guest's ports by what follows `org.nido.` in their names; the control port has the highest number (guest/PROTOCOL.md). */
export const PORTS = ["stdin", "stdout", "stderr", "control"] as const;
export type PortName = (typeof PORTS)[number];

export interface QemuOptions {
  readonly kernel: string;
  readonly initrd: string;
  readonly append: string;
  /** Attach a virtio console with the four ports of guest/PROTOCOL.md. */
  readonly ports?: boolean;
  readonly arguments?: readonly string[];
}

/** Bytes as they arrive, with the means to wait for some. */
export class Received {
  #text = "";
  #wake: () => void = () => {};

  get text(): string {
    return this.#text;
  }

  add(chunk: Buffer): void {
    this.#text += chunk.toString("latin1");
    this.#wake();
  }

  /** Resolves with everything received once it contains `wanted`; fails, saying what did come, after `limitMs`. */
  async until(wanted: string, limitMs = 30_000): Promise<string> {
    const late = Date.now() + limitMs;
    while (!this.#text.includes(wanted)) {
      if (Date.now() >= late)
        throw new Error(`no ${JSON.stringify(wanted)} after ${limitMs} ms in ${JSON.stringify(this.#text.slice(-2000))}`);
      await this.#more(late - Date.now());
    }
    return this.#text;
  }

  #more(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** A running QEMU with its console on pipes and, if asked for, the guest's ports on sockets. */
export class QemuGuest {
  readonly console = new Received();
  readonly received: Readonly<Record<PortName, Received>> = {
    stdin: new Received(),
    stdout: new Received(),
    stderr: new Received(),
    control: new Received(),
  };
  readonly ended: Promise<number | null>;
  readonly #folder = mkdtempSync(join(tmpdir(), "nido-qemu-"));
  readonly #servers: Server[] = [];
  readonly #sockets = new Map<PortName, Socket>();
  readonly #process: ChildProcess;

  private constructor(options: QemuOptions) {
    const devices = options.ports === true ? this.#portArguments() : [];
    this.#process = spawn(QEMU, [...machineArguments(options), ...devices, ...(options.arguments ?? [])], { stdio: "pipe" });
    this.#process.stdout?.on("data", (chunk: Buffer) => this.console.add(chunk));
    this.#process.stderr?.on("data", (chunk: Buffer) => this.console.add(chunk));
    this.ended = new Promise((resolve) => this.#process.once("exit", resolve));
  }

  static start(options: QemuOptions): QemuGuest {
    return new QemuGuest(options);
  }

  /** Types on the guest's console. */
  type(text: string): void {
    this.#process.stdin?.write(text);
  }

  send(port: PortName, data: string | Uint8Array): void {
    this.#sockets.get(port)?.write(data);
  }

  /** Closes the host's end of a port; QEMU opens it again after a second, as a host does for the next command. */
  close(port: PortName): void {
    this.#sockets.get(port)?.end();
  }

  async stop(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.ended;
    for (const server of this.#servers) server.close();
    rmSync(this.#folder, { recursive: true });
  }

  #portArguments(): string[] {
    const ports = PORTS.flatMap((port) => {
      const path = join(this.#folder, port);
      this.#servers.push(createServer((socket) => this.#attach(port, socket)).listen(path));
      return ["-chardev", `socket,id=${port},path=${path},reconnect=1`, "-device", `virtserialport,chardev=${port},name=org.nido.${port}`];
    });
    return ["-device", "virtio-serial-pci", ...ports];
  }

  #attach(port: PortName, socket: Socket): void {
    this.#sockets.set(port, socket);
    socket.on("data", (chunk: Buffer) => this.received[port].add(chunk));
    socket.on("error", () => socket.destroy());
  }
}

function machineArguments({ kernel, initrd, append }: QemuOptions): string[] {
  const machine = [
    "-accel",
    "tcg",
    "-cpu",
    "qemu64,-cx16",
    "-m",
    "512",
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-no-reboot",
  ];
  return [...machine, "-serial", "stdio", "-kernel", kernel, "-initrd", initrd, "-append", append];
}
