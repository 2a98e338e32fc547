// The program: finds the command and runs it. What the commands do is theirs.
import { readFileSync } from "node:fs";
import { didYouMean } from "../support/suggest.ts";
import { parseArguments, usageError } from "./arguments.ts";
import type { CliHost, Command } from "./command.ts";
import { EXIT, statusOfError } from "./exit-status.ts";
import { commandHelp, HELP_FLAG, programHelp } from "./help.ts";
import { nodeHost } from "./node-host.ts";
import { reportError } from "./report.ts";
import { write } from "./streams.ts";

/** Every command, in the order of the help; each is loaded when it is wanted, so that a machine's process holds no other. */
export const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ["run", async () => (await import("./commands/run.ts")).run],
  ["disasm", async () => (await import("./commands/disasm.ts")).disasmCommand((await import("../cpu/decode/disassemble.ts")).disassemble)],
  ["doctor", async () => (await import("./commands/doctor.ts")).doctor],
]);

/** Runs the program; the result is its exit status. Errors are reported, never thrown. */
export async function main(argv: readonly string[], host: CliHost = nodeHost()): Promise<number> {
  try {
    return await dispatch(argv, host);
  } catch (error) {
    await reportError(host.stderr, error, { verbose: argv.includes("--verbose") });
    return statusOfError(error);
  }
}

async function dispatch(argv: readonly string[], host: CliHost): Promise<number> {
  const [word, ...rest] = argv;
  if (word === undefined || word === "--help" || word === "-h") return show(host, await overview());
  if (word === "--version" || word === "-V") return show(host, `${version()}\n`);
  if (word === "help") return show(host, rest[0] === undefined ? await overview() : commandHelp(await find(rest[0])));
  const command = await find(word);
  const args = parseArguments(rest, [...command.flags, HELP_FLAG]);
  return args.has(HELP_FLAG.name) ? show(host, commandHelp(command)) : command.run(args, host);
}

async function overview(): Promise<string> {
  return programHelp(await Promise.all(Array.from(COMMANDS.values(), (load) => load())));
}

async function find(name: string): Promise<Command> {
  const load = COMMANDS.get(name);
  if (load !== undefined) return load();
  const words = [...COMMANDS.keys(), "help"];
  throw usageError(`Unknown command ${JSON.stringify(name)}.${didYouMean(name, words) || " `nido help` lists the commands."}`);
}

async function show(host: CliHost, text: string): Promise<number> {
  // A reader that has seen enough (`nido help | head`) is no error.
  await write(host.stdout, text).catch(() => {});
  return EXIT.success;
}

/** The package's version; sources and builds lie equally deep below the package's root. */
function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return `nido ${(JSON.parse(text) as { version: string }).version}`;
}
