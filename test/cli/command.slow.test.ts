// Commands in the guest, with the program's real streams and signals.
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NidoRun, nidoRun } from "../boot/nido.ts";
import { Folder } from "./folder.ts";

const LAST = "root@nido:~# ";
let folder: Folder;
beforeAll(() => {
  folder = new Folder();
});
afterAll(() => folder[Symbol.dispose]());

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe("nido run with a command", () => {
  it("takes any bytes in, and tells where they end", async () => {
    const bytes = randomBytes(3_000_000);
    expect(await nidoRun(["--", "sha256sum"], bytes)).toEqual({ status: 0, stdout: `${sha256(bytes)}  -\n`, stderr: "" });
  });

  it("gives megabytes out, none too few", async () => {
    const { status, stdout } = await nidoRun(["--", "sh", "-c", "head -c 20000000 /dev/zero; echo end"]);
    expect([status, stdout.length, stdout.slice(-4)]).toEqual([0, 20_000_004, "end\n"]);
  });

  it("does not wait for input that a command does not read", async () => {
    const run = new NidoRun(["--", "echo", "done"]).type("nobody reads this\n");
    expect(await run.ended).toEqual({ status: 0, stdout: "done\n", stderr: "" });
  });

  it("passes words on as they are", async () => {
    const words = ["", "a b", "$HOME", "'\"\\", "*", "ñ\n", "--memory"];
    const { stdout } = await nidoRun(["--", "printf", "[%s]", ...words]);
    expect(Buffer.from(stdout, "latin1").toString()).toBe(words.map((word) => `[${word}]`).join(""));
  });

  it("tells a signal that ends the command as a shell does", async () => {
    expect(await nidoRun(["--", "sh", "-c", "kill -TERM $$"])).toMatchObject({ status: 143, stderr: "" });
  });

  it("ends when nobody reads its output any more", async () => {
    const run = new NidoRun(["--", "yes"]);
    await run.stdout.until("y\ny\n", 120_000);
    expect(await run.closeOutput().ended).toMatchObject({ status: 141, stderr: "" });
  });
});

describe("a signal to nido run", () => {
  const CASES = (["SIGTERM", "SIGINT", "SIGHUP"] as const).flatMap((signal) => [0, 150, 600, 4000].map((ms) => [signal, ms] as const));

  it.each(CASES)("%s after %d ms ends it at once, with 128 and its number", async (signal, ms) => {
    const run = new NidoRun(["--", "sleep", "1000"]);
    // Before the program listens, a signal ends it as it would any other.
    await sleep(ms);
    run.kill(signal);
    const status = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 }[signal];
    expect(await run.ended).toEqual({ status, stdout: "", stderr: "" });
  });
});

describe("the serial console", () => {
  it("goes to a file, and nowhere else", async () => {
    const log = folder.at("serial.log");
    const run = new NidoRun(["--serial", `file:${log}`]);
    const written = (): string => {
      try {
        return readFileSync(log, "latin1");
      } catch {
        return "";
      }
    };
    for (let tries = 0; !written().includes(LAST) && tries < 1200; tries++) await sleep(100);
    expect(written()).toContain(LAST);
    run.kill("SIGTERM");
    expect(await run.ended).toEqual({ status: 143, stdout: "", stderr: "" });
  });

  it("goes nowhere", async () => {
    const { status, stdout } = await nidoRun(["--serial", "null", "--timeout", "6s"]);
    expect([status, stdout]).toEqual([124, ""]);
  });

  it("ends the run when its file takes no more", async ({ skip }) => {
    if (process.platform !== "linux") return skip("needs /dev/full");
    const { status, stderr } = await nidoRun(["--serial", "file:/dev/full"]);
    expect(status).toBe(74);
    expect(stderr).toMatch(/^nido: Cannot write the serial console to "\/dev\/full": no space left on the file system\n {6}.+\n$/);
  });
});
