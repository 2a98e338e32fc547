// The program on a real terminal: a pseudo-terminal whose modes are looked at before, during and after. Python opens it, because
// Node cannot.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const python = spawnSync("python3", ["-c", "import pty, termios"]).status === 0;

/** Runs a program on a terminal, waits for a word of it, acts on it, and reports modes, status and output as JSON. */
const DRIVER = `
import fcntl, json, os, pty, select, signal, struct, sys, termios, time
plan = json.loads(sys.argv[1])
main, side = pty.openpty()
fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
before = termios.tcgetattr(side)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(side, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2): os.dup2(side, fd)
    os.closerange(3, 64)
    os.execvp(plan["argv"][0], plan["argv"])
output = b""
status = None
raw = None
steps = list(plan["steps"])
deadline = time.time() + 15
while status is None and time.time() < deadline:
    if select.select([main], [], [], 0.02)[0]: output += os.read(main, 65536)
    if steps and steps[0]["after"].encode() in output:
        raw = not (termios.tcgetattr(side)[3] & (termios.ICANON | termios.ECHO | termios.ISIG))
        step = steps.pop(0)
        if "type" in step: os.write(main, step["type"].encode())
        if "signal" in step: os.kill(child, getattr(signal, step["signal"]))
        if "size" in step:
            fcntl.ioctl(main, termios.TIOCSWINSZ, struct.pack("HHHH", step["size"][0], step["size"][1], 0, 0))
            os.kill(child, signal.SIGWINCH)
    done, code = os.waitpid(child, os.WNOHANG)
    if done: status = os.waitstatus_to_exitcode(code)
if status is None: os.kill(child, signal.SIGKILL)
while select.select([main], [], [], 0.05)[0]: output += os.read(main, 65536)
print(json.dumps({"status": status, "raw": raw, "restored": termios.tcgetattr(side) == before, "output": output.decode(errors="replace")}))
`;

interface Step {
  readonly after: string;
  readonly type?: string;
  readonly signal?: string;
  readonly size?: readonly [number, number];
}
interface Result {
  readonly status: number;
  readonly raw: boolean;
  readonly restored: boolean;
  readonly output: string;
}

/** The program with this guest, on a terminal. */
function onTerminal(script: string, steps: readonly Step[]): Result {
  const source = (path: string): string => JSON.stringify(fileURLToPath(new URL(path, import.meta.url)));
  const program = `
    import { main } from ${source("./main.ts")};
    import { nodeHost } from ${source("./node-host.ts")};
    import { openMachine } from ${source("../sdk/machine.ts")};
    import { ScriptedPlatform } from ${source("../testing/scripted-platform.ts")};
    const platform = new ScriptedPlatform(async ({ print, until, received, host }) => { ${script} });
    const host = { ...nodeHost(), createMachine: (config, options) => openMachine(config, platform, options) };
    process.exit(await main(["run"], host));`;
  const plan = { argv: [process.execPath, "--import", "tsx", "--input-type=module", "-e", program], steps };
  const { stdout, stderr } = spawnSync("python3", ["-c", DRIVER, JSON.stringify(plan)], { encoding: "utf8" });
  return JSON.parse(stdout || JSON.stringify({ output: stderr })) as Result;
}

describe.skipIf(!python)("nido run on a terminal (needs python3)", () => {
  it("gives the guest every key, and the terminal back when it powers off", () => {
    const result = onTerminal(
      `print("ready"); await until(() => received.console === "a\\u0003\\u001a\\r"); host.ended({ kind: "powerOff" });`,
      [{ after: "ready", type: "a\u0003\u001a\r" }],
    );
    expect(result).toMatchObject({ status: 0, raw: true, restored: true });
    expect(result.output).toContain("Escape: Ctrl-] then q");
  });

  it("leaves by the escape key", () => {
    expect(onTerminal(`print("ready");`, [{ after: "ready", type: "\u001dq" }])).toMatchObject({ status: 0, raw: true, restored: true });
  });

  it("follows the terminal's size", () => {
    const result = onTerminal(
      `await until(() => received.size); print("first " + received.size); await until(() => received.size[1] === 50); host.ended({ kind: "powerOff" });`,
      [{ after: "first 30,100", size: [40, 50] }],
    );
    expect(result).toMatchObject({ status: 0, restored: true });
  });

  it.each([
    ["SIGTERM", 143],
    ["SIGHUP", 129],
    ["SIGINT", 130],
  ])("restores the terminal on %s", (signal, status) => {
    expect(onTerminal(`print("ready");`, [{ after: "ready", signal }])).toMatchObject({ status, raw: true, restored: true });
  });

  it("restores the terminal when the program crashes", () => {
    const result = onTerminal(
      `print("ready"); await until(() => received.console === "x"); setTimeout(() => { throw new Error("crash"); });`,
      [{ after: "ready", type: "x" }],
    );
    expect(result).toMatchObject({ status: 1, raw: true, restored: true });
  });
});
