// nido doctor: what this host offers, and what would make it better.
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { cpus } from "node:os";
import { EMBEDDED_GUEST } from "../../host/node/boot-files.ts";
import { hostMemory } from "../../host/node/host-memory.ts";
import { formatSize } from "../../support/quantity.ts";
import { EXIT } from "../exit-status.ts";
import type { Command } from "../command.ts";
import { write } from "../streams.ts";
import { wrap } from "../help.ts";

/** What one check found: `problem` keeps machines from running. */
export interface Finding {
  readonly check: string;
  readonly status: "ok" | "note" | "problem";
  readonly found: string;
  readonly advice?: string;
}

/** The facts that the checks judge, so that tests can make them up. */
export interface HostFacts {
  readonly node: string;
  readonly v8: string;
  readonly memory: { readonly total: number; readonly free: number };
  readonly cpus: number;
  readonly kvm: "absent" | "forbidden" | "usable";
  readonly terminal: {
    readonly input: boolean;
    readonly output: boolean;
    readonly rows?: number | undefined;
    readonly columns?: number | undefined;
  };
  readonly guest: boolean;
}

const MARKS = { ok: "ok", note: "note", problem: "PROBLEM" } as const;

/** Checks the host. */
export const doctor: Command = {
  name: "doctor",
  summary: "Checks what this host offers to machines.",
  usage: "[--json]",
  about: [
    "Looks at Node, memory, /dev/kvm, the terminal and the embedded guest, and says what would help. Changes nothing.",
    "Exits 0 when machines can run here, 65 when something keeps them from it.",
  ],
  flags: [{ name: "--json", describe: "Prints the findings as JSON." }],
  examples: [
    { line: "nido doctor", does: "A table to read." },
    { line: "nido doctor --json", does: "The same for programs: { ok, findings: [{ check, status, found, advice }] }." },
  ],
  run: async (args, host) => {
    const findings = examine(hostFacts());
    const ok = findings.every(({ status }) => status !== "problem");
    await write(host.stdout, args.has("--json") ? `${JSON.stringify({ ok, findings }, undefined, 2)}\n` : render(findings));
    return ok ? EXIT.success : EXIT.badInput;
  },
};

/** Judges a host. */
export function examine(facts: HostFacts): Finding[] {
  return [checkNode(facts), checkMemory(facts), checkProcessors(facts), checkKvm(facts), checkTerminal(facts), checkGuest(facts)];
}

function checkNode({ node, v8 }: HostFacts): Finding {
  const [major = 0, minor = 0] = node.split(".").map(Number);
  const found = `Node ${node}, V8 ${v8}`;
  if (major < 20 || (major === 20 && minor < 19))
    return { check: "node", status: "problem", found, advice: "Nido needs Node 20.19 or later." };
  if (major < 22)
    return {
      check: "node",
      status: "note",
      found,
      advice: "Node 22 or later runs guests about a quarter faster, and reaches full speed sooner.",
    };
  return { check: "node", status: "ok", found };
}

function checkMemory({ memory }: HostFacts): Finding {
  const mib = (bytes: number): string => formatSize(Math.floor(bytes / 2 ** 20) * 2 ** 20);
  const found = `${mib(memory.free)} free of ${mib(memory.total)}`;
  if (memory.free >= 640 * 2 ** 20) return { check: "memory", status: "ok", found };
  return {
    check: "memory",
    status: "note",
    found,
    advice: "A machine has 512M unless told otherwise; give less with --memory, at least 16M.",
  };
}

function checkProcessors({ cpus: count }: HostFacts): Finding {
  if (count > 1) return { check: "processors", status: "ok", found: String(count) };
  return {
    check: "processors",
    status: "note",
    found: String(count),
    advice: "With two processors or more, code is compiled while the guest runs.",
  };
}

function checkKvm({ kvm }: HostFacts): Finding {
  const advice = {
    absent: "Not needed: Nido runs without it.",
    forbidden: "Not needed: Nido runs without it. To allow it later, add yourself to the group that owns /dev/kvm.",
    usable: "Not used yet: this version runs guests without it.",
  };
  return { check: "/dev/kvm", status: "ok", found: kvm, advice: advice[kvm] };
}

function checkTerminal({ terminal: { input, output, rows, columns } }: HostFacts): Finding {
  if (input && output) return { check: "terminal", status: "ok", found: `${columns ?? 0} columns, ${rows ?? 0} rows` };
  const found = `${input ? "input" : output ? "output" : "neither input nor output"}${input || output ? " only" : ""}`;
  return { check: "terminal", status: "note", found, advice: "An interactive shell needs a terminal for both input and output." };
}

function checkGuest({ guest }: HostFacts): Finding {
  if (guest) return { check: "embedded guest", status: "ok", found: "present" };
  return { check: "embedded guest", status: "problem", found: "missing", advice: "Reinstall Nido, or start another kernel with --kernel." };
}

function hostFacts(): HostFacts {
  const { stdin, stdout } = process;
  return {
    node: process.versions.node,
    v8: process.versions.v8,
    memory: hostMemory(),
    cpus: cpus().length,
    kvm: kvmAccess("/dev/kvm"),
    terminal: { input: stdin.isTTY === true, output: stdout.isTTY === true, rows: stdout.rows, columns: stdout.columns },
    guest: Object.values(EMBEDDED_GUEST).every((path) => existsSync(path)),
  };
}

/** Whether a KVM device is there and may be opened. */
export function kvmAccess(path: string): HostFacts["kvm"] {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return "absent";
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return "usable";
  } catch {
    return "forbidden";
  }
}

function render(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ check, status, found, advice }) => {
    const head = `${MARKS[status].padEnd(8)} ${check.padEnd(15)} ${found}`;
    return advice === undefined ? [head] : [head, ...wrap(advice, 75).map((line) => `${" ".repeat(25)}${line}`)];
  });
  return `${lines.join("\n")}\n`;
}
