import { describe, expect, it } from "vitest";
import type { FromMachine } from "../../machine/protocol.ts";
import { openMachine } from "../../sdk/machine.ts";
import type { VmError } from "../../support/errors.ts";
import { nodePlatform, openThread } from "./platform.ts";

/** A thread whose program is given as text. */
const program = (text: string): URL => new URL(`data:text/javascript,${encodeURIComponent(text)}`);
const ECHO =
  "import { parentPort } from 'node:worker_threads'; parentPort.on('message', (message) => parentPort.postMessage(message.type === 'open' ? { type: 'opened' } : { type: 'started' }));";

describe("a machine's thread", () => {
  it("carries messages both ways, and ends when told to", async () => {
    const channel = openThread(program(ECHO));
    const answer = await new Promise<FromMachine>((resolve) => {
      channel.listen(resolve, () => {});
      channel.post({ type: "stop" });
    });
    expect(answer).toEqual({ type: "started" });
    await channel.terminate();
  });

  it.each([
    ["throws", "throw new Error('oh no')", "oh no"],
    ["exits", "process.exit(3)", "code 3"],
    ["does not load", "import 'nowhere:x'", "nowhere"],
  ])("that %s is reported as a bug, and does not take the program with it", async (_case, text, words) => {
    const channel = openThread(program(text));
    const error = await new Promise<VmError>((resolve) => channel.listen(() => {}, resolve));
    expect(error).toMatchObject({ code: "INTERNAL", message: expect.stringContaining(words) });
    await channel.terminate();
  });

  it("that dies while the machine runs ends the machine with an error", async () => {
    const dying = ECHO.replace("'started' }", "'started', die: setTimeout(() => process.exit(1), 5) && 0 }");
    const machine = await openMachine({}, { ...nodePlatform, openThread: () => openThread(program(dying)) });
    await machine.start();
    expect(await machine.wait()).toMatchObject({ kind: "error", error: { code: "INTERNAL" } });
  });
});
