// The entry of a machine's thread.
import { parentPort } from "node:worker_threads";
import type { ToMachine } from "../../machine/protocol.ts";
import { MachineThread } from "../../machine/thread.ts";
import { assert } from "../../support/assert.ts";
import { nodeThreadPlatform } from "./thread-platform.ts";

const port = parentPort;
assert(port !== null, "the machine's thread was started as a program");
// It has the interpreter compiled while the rest of the machine is loaded.
const platform = nodeThreadPlatform();
const { createMachine } = await import("../../machine/machine-runner.ts");
const thread = new MachineThread((message) => port.postMessage(message), platform, createMachine);
port.on("message", (message: ToMachine) => thread.receive(message));
