// What a command of the program is, and what it gets from the world.
import type { Readable, Writable } from "node:stream";
import type { EndingSignal } from "../host/node/termination.ts";
import type { MachineConfig } from "../machine/config.ts";
import type { Machine, MachineOptions } from "../sdk/machine.ts";
import type { Arguments, Flag } from "./arguments.ts";

/** The world as a command sees it, so that tests can give it another one. */
export interface CliHost {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  createMachine(config: MachineConfig, options: MachineOptions): Promise<Machine>;
  /** Switches the terminal that is our input to raw mode; undefined when the input is none. */
  enterRawMode(): Disposable | undefined;
  /** Tells the size of the terminal that is our output, now and when it changes; never when it is none. Returns how to stop. */
  watchSize(resized: (rows: number, columns: number) => void): () => void;
  /** Hears the first signal that asks the program to end. Returns how to stop. */
  onTermination(asked: (signal: EndingSignal) => void): () => void;
}

/** A line that shows a command at work. */
export interface Example {
  readonly line: string;
  readonly does: string;
}

/** A command of the program. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What follows the command's name: `[IMAGE] [options]`. */
  readonly usage: string;
  /** Paragraphs for its own help. */
  readonly about: readonly string[];
  readonly flags: readonly Flag[];
  readonly examples: readonly Example[];
  /** Rows of further tables of its help, by their heading. */
  readonly tables?: Readonly<Record<string, readonly (readonly [string, string])[]>>;
  /** Does the work; the result is the exit status. Throws VmError. */
  run(args: Arguments, host: CliHost): Promise<number>;
}
