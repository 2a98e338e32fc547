import { describe, expect, it } from "vitest";
import { runGuest, type Outcome, type Watch } from "./run-guest.ts";

const LIMIT_MS = 20_000;

/** Runs a shell script as if it were a guest. */
function run(script: string, watch: Partial<Watch> = {}): Promise<Outcome> {
  return runGuest({ words: ["sh", "-c", script], environment: { NAME: "loop" } }, { limitMs: LIMIT_MS, ...watch });
}

describe.skipIf(process.platform === "win32")("runGuest", () => {
  it("gives the story of a guest that powers off", async () => {
    const outcome = await run("echo BOOTED uptime=1; echo MARK $NAME-start; echo MARK $NAME-end ck=7; echo MARK poweroff; sleep 0.05");
    expect(outcome.failure).toBeUndefined();
    expect(outcome.story).toMatchObject({ done: [{ name: "loop", checksum: "7" }], complete: true });
    expect(outcome.seconds).toBeGreaterThan(0);
    expect(outcome.peakBytes).toBeGreaterThan(0);
  });

  it("takes the end of a program that is no guest for the end of the work", async () => {
    expect(await run("echo MARK x-start; echo MARK x-end")).toMatchObject({ failure: undefined, story: { complete: false } });
  });

  it("waits for a text, says goodbye and lets the program end", async () => {
    const outcome = await run('printf "~# "; read word; test "$word" = exit', { until: "~#", farewell: "exit\n" });
    expect(outcome).toMatchObject({ failure: undefined });
    expect(outcome.seconds).toBeGreaterThan(0);
  });

  it.each([
    ["ends with a status", "echo oops >&2; exit 3", {}, 'ended with 3; last: "oops"'],
    ["ends in the middle", "echo MARK x-start", {}, "stopped in x"],
    ["ends before the text", "echo hello", { until: "~#" }, 'ended early; last: "hello"'],
    ["takes too long", "echo MARK x-start; exec sleep 10", { limitMs: 30 }, "not done after 0.03 s"],
    ["makes no sense", "echo MARK x-end; exec sleep 10", {}, "the guest ended x, which it had not begun"],
  ])("says what is wrong when the guest %s", async (_, script, watch, failure) => {
    expect((await run(script, watch)).failure).toContain(failure);
  });

  it("says when there is no such program", async () => {
    const { failure } = await runGuest({ words: ["nido-no-such-program"] }, { limitMs: LIMIT_MS });
    expect(failure).toContain("ENOENT");
  });
});
