// npm start in a small checkout of its own: our scripts and compiler, around a command line that only says what it was given.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ROOT } from "../scripts/setup.mjs";

const MAIN =
  "/** Says its arguments. */\nexport function main(args: string[]): number {\n  console.log(JSON.stringify(args));\n  return 7;\n}\n";
let checkout: string;

function put(path: string, text: string): void {
  mkdirSync(dirname(join(checkout, path)), { recursive: true });
  writeFileSync(join(checkout, path), text);
}

function start(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/start.mjs", ...args], { cwd: checkout, encoding: "utf8" });
  return { status, stdout, stderr };
}

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), "nido-start-"));
  for (const path of [
    "scripts/setup.mjs",
    "scripts/start.mjs",
    "package.json",
    "package-lock.json",
    "tsconfig.base.json",
    "tsconfig.node.json",
  ]) {
    cpSync(join(ROOT, path), join(checkout, path));
  }
  symlinkSync(join(ROOT, "node_modules"), join(checkout, "node_modules"), "junction");
  put("tsconfig.json", JSON.stringify({ files: [], references: [{ path: "./src/cli" }] }));
  put("src/cli/tsconfig.json", JSON.stringify({ extends: "../../tsconfig.node.json" }));
  put("src/globals.d.ts", "");
  put("src/cli/main.ts", MAIN);
  put("bin/nido.mjs", 'import { main } from "../dist/cli/main.js";\nprocess.exitCode = main(process.argv.slice(2));\n');
});

afterEach(() => rmSync(checkout, { recursive: true, force: true }));

describe("npm start", () => {
  it("builds once, and passes arguments and status through", () => {
    const first = start();
    expect(first.stderr).toBe("nido: compiling ...\n");
    expect(JSON.parse(first.stdout)).toEqual(["run", "--", "sh", "-c", 'uname -a; grep -m1 "model name" /proc/cpuinfo']);
    expect(first.status).toBe(7);
    expect(start("--memory", "1G")).toEqual({ status: 7, stdout: '["run","--memory","1G"]\n', stderr: "" });
  });

  it("builds again when a source, a test excepted, has changed", () => {
    start();
    put("src/cli/main.test.ts", "nothing that compiles");
    expect(start().stderr).toBe("");
    put("src/cli/main.ts", MAIN.replace("7", "8"));
    expect(start()).toMatchObject({ status: 8, stderr: "nido: compiling ...\n" });
  });

  it("compiles everything again when a global declaration goes", () => {
    put("src/globals.d.ts", "declare const SEVEN: number;\n");
    put("src/cli/main.ts", MAIN.replace("return 7", "return typeof SEVEN === 'number' ? SEVEN : 7"));
    expect(start().status).toBe(7);
    put("src/globals.d.ts", "");
    expect(start().stderr).toContain("Cannot find name 'SEVEN'");
  });

  it("runs the engine's generator when there is one", () => {
    put("scripts/build-engine.mjs", 'import { writeFileSync } from "node:fs";\nwriteFileSync("dist/engine.txt", "here");\n');
    expect(start().stderr).toBe("nido: compiling ...\nnido: generating the engine ...\n");
    put("scripts/build-engine.mjs", "process.exit(3); // in vain\n");
    expect(start()).toMatchObject({ status: 1, stdout: "" });
  });

  it("shows the compiler's errors and starts nothing", () => {
    put("src/cli/main.ts", "export const main: number = 'seven';\n");
    const { status, stdout, stderr } = start();
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/main\.ts\(1,14\): error TS2322.*\n.*do not compile/s);
  });

  it("says so when there is no command line", () => {
    rmSync(join(checkout, "bin"), { recursive: true });
    expect(start()).toMatchObject({ status: 1, stdout: "", stderr: expect.stringContaining("nido.mjs is missing") as string });
  });
});
