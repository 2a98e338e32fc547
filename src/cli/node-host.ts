// The world as it is: this process's streams, terminal and signals.
import { ReadStream, WriteStream } from "node:tty";
import { optimizeInBackground } from "../host/node/background.ts";
import { RawTerminal, watchSize } from "../host/node/terminal.ts";
import { onTermination } from "../host/node/termination.ts";
import { spareInlining } from "../host/node/v8.ts";
import { Machine } from "../node.ts";
import type { CliHost } from "./command.ts";

/** This process as a command's host. */
export function nodeHost(): CliHost {
  const { stdin, stdout, stderr } = process;
  // Failed writes are reported to whoever wrote; without a listener they would end the program as well.
  for (const stream of [stdout, stderr]) stream.on("error", () => {});
  const terminal = stdout instanceof WriteStream ? stdout : undefined;
  return {
    stdin,
    stdout,
    stderr,
    createMachine: (config, options) => {
      optimizeInBackground();
      spareInlining();
      return Machine.create(config, options);
    },
    enterRawMode: () => (stdin instanceof ReadStream && stdin.isTTY ? new RawTerminal(stdin, terminal) : undefined),
    watchSize: (resized) => (terminal === undefined ? () => {} : watchSize(terminal, resized)),
    onTermination,
  };
}
