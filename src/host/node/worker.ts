// The entry of a machine's thread.
import { parentPort } from "node:worker_threads";
import { createMachine } from "../../machine/machine-runner.ts";
import type { ToMachine } from "../../machine/protocol.ts";
import { MachineThread } from "../../machine/thread.ts";
import { assert } from "../../support/assert.ts";
import { nodeThreadPlatform } from "./thread-platform.ts";

const port = parentPort;
assert(port !== null, "the machine's thread was started as a program");
const thread = new MachineThread((message) => port.postMessage(message), nodeThreadPlatform(), createMachine);
port.on("message", (message: ToMachine) => thread.receive(message));
