// npm start on a terminal: what somebody sees who has just cloned the repository.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";
import { describeWithPeers } from "../peers.ts";
import { Folder } from "./folder.ts";
import { Terminal, TMUX } from "./terminal.ts";

const START = `${process.execPath} ${join(ROOT, "scripts", "start.mjs")}`;
const PROMPT = /root@nido:~# ?$/;
const BOOT_MS = 300_000;

let terminal: Terminal;
let folder: Folder;
beforeEach(() => {
  terminal = new Terminal(100, 30);
  folder = new Folder();
});
afterEach(() => {
  terminal[Symbol.dispose]();
  folder[Symbol.dispose]();
});

/** Starts the program and waits for the guest's prompt → the program's process. */
async function start(): Promise<number> {
  await terminal.until(/^host>/);
  const pid = folder.at("pid");
  const program = `sh -c 'echo $$ > ${pid}; exec ${START}'`;
  terminal.type(`before=$(stty -g); clear; ${program}; echo "status $?"; test "$before" = "$(stty -g)" && echo restored`);
  await terminal.until(PROMPT, BOOT_MS);
  return Number(readFileSync(pid, "latin1"));
}

describeWithPeers([TMUX], "npm start on a terminal", () => {
  it("says how to leave, and nothing of the boot", async () => {
    await start();
    const [hint, ...rest] = terminal.screen.split("\n").filter((line) => line !== "");
    expect(hint).toBe("nido: Escape: Ctrl-] then q stops the machine, Ctrl-] twice sends Ctrl-].");
    expect(rest.join("\n")).not.toMatch(/^\[ +\d+\.\d+\]/m);
    terminal.type("exit");
    expect(await terminal.until(/restored/)).toContain("status 0\n");
  });

  it("knows the terminal's size, and follows it", async () => {
    await start();
    terminal.type("clear; stty size; echo $TERM");
    await terminal.until(/^30 100\n/);
    terminal.resize(72, 20);
    // The size reaches the guest on a way of its own.
    for (let tries = 0; tries < 20 && !terminal.screen.includes("20 72"); tries++) {
      terminal.type("stty size");
      await terminal.until(/(\d+ \d+\n.*){2}# *$/s);
    }
    expect(terminal.screen).toContain("20 72");
  });

  it("completes names, interrupts, suspends and goes on", async () => {
    await start();
    terminal.press("cat /proc/vers", "Tab");
    await terminal.until(/cat \/proc\/version/);
    terminal.press("Enter");
    await terminal.until(/Linux version 6\./);
    terminal.type("clear; cat");
    await terminal.until(/^$/);
    terminal.type("echoed");
    await terminal.until(/^echoed\nechoed$/);
    terminal.press("C-c");
    terminal.type('echo "then $?"');
    await terminal.until(/then 130/);
    terminal.type("clear; cat");
    await terminal.until(/^$/);
    terminal.type("again");
    await terminal.until(/^again\nagain$/);
    terminal.press("C-z");
    await terminal.until(/Stopped/);
    terminal.type("kill %1; wait; echo done");
    expect(await terminal.until(/^done/m)).toContain("Stopped");
  });

  it("runs an editor", async () => {
    await start();
    terminal.type("clear; vi /tmp/text");
    await terminal.until(/\/tmp\/text.* 1\/1 /);
    terminal.press("i", "Hello, ", "w", "orld", "Escape");
    await terminal.until(/^Hello, world\n~\n/);
    terminal.press(":wq", "Enter");
    await terminal.until(PROMPT);
    terminal.type("clear; wc -c /tmp/text");
    expect(await terminal.until(/^13 \/tmp\/text/m)).not.toContain("~\n");
  });

  it("leaves by the escape key", async () => {
    await start();
    terminal.press("C-]", "q");
    const screen = await terminal.until(/restored/);
    expect(screen).toContain("nido: Stopping the machine.\nstatus 0\n");
  });

  it.each([
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("gives the terminal back when %s ends it", async (signal, status) => {
    process.kill(await start(), signal);
    expect(await terminal.until(/restored/)).toContain(`status ${status}\n`);
  });
});
