// nido run: a machine from here to its end.
import { errnoOf, ioError } from "../../host/node/io-error.ts";
import { statusOfSignal } from "../../host/node/termination.ts";
import { flagOf, MACHINE_OPTIONS, type MachineConfig } from "../../machine/config.ts";
import type { MachineStatistics } from "../../machine/machine.ts";
import { failureOf } from "../../sdk/failure.ts";
import { usageError, type Arguments, type Flag } from "../arguments.ts";
import type { CliHost, Command } from "../command.ts";
import { EXIT, EXIT_MEANINGS, statusOfEnd, statusOfError, type ExitName } from "../exit-status.ts";
import { note, reportError } from "../report.ts";
import { statisticsReport } from "../statistics-report.ts";
import { runSession, type Outcome, type SessionRequest } from "../session.ts";

type OptionName = keyof typeof MACHINE_OPTIONS;
const OPTION_NAMES = Object.keys(MACHINE_OPTIONS) as OptionName[];

/** Starts a machine and stays with it until it ends. */
export const run: Command = {
  name: "run",
  summary: "Starts a machine and stays with it until it ends.",
  usage: "[IMAGE | --kernel FILE] [options] [-- COMMAND...]",
  about: [
    "Without IMAGE and --kernel, starts the small Linux that comes with Nido. IMAGE is a kernel: Linux bzImage, ELF with a PVH note, or multiboot.",
    "Without COMMAND, the machine's serial console is this program's input and output; the end of the input does not stop it. On a terminal, Ctrl-] then q stops it.",
    "With COMMAND, runs it in the guest: input, outputs and exit status are the command's, and nothing else is printed.",
  ],
  flags: [
    ...OPTION_NAMES.flatMap(optionFlag),
    { name: "--no-reboot", describe: "Ends when the guest resets its board, instead of starting it again." },
    {
      name: "--stats",
      describe:
        "Tells on the error output what the processor did: instructions by tier, regions, compile time, exits by cause, TLB, events.",
    },
    { name: "--verbose", describe: "Tells on the error output what happens; with COMMAND, also the guest's boot messages." },
  ],
  examples: [
    { line: "nido run", does: "A shell in a small Linux." },
    { line: "nido run -- uname -a", does: "One command; its output and exit status." },
    { line: "echo hello | nido run -- tr a-z A-Z", does: "A command in a pipe." },
    { line: "nido run --kernel vmlinuz --initrd initrd.img --append console=ttyS0 --memory 1G", does: "A kernel of your own." },
    { line: "nido run --disk data.img,format=raw --disk tools.img,format=raw,readonly", does: "Disks, as /dev/vda and /dev/vdb." },
    {
      line: "nido run --kernel test.elf --device isa-debug-exit --timeout 10s",
      does: "A test kernel that reports through port F4h: the exit status is (value << 1) | 1.",
    },
  ],
  tables: {
    "Exit status": [
      ["the command's", "with COMMAND (127: the guest has no such command)"],
      ["(value << 1) | 1", "when the guest writes value to isa-debug-exit"],
      ["130, 143, 129", "ended by SIGINT, SIGTERM, SIGHUP"],
      ...(Object.keys(EXIT) as ExitName[]).map((name) => [String(EXIT[name]), EXIT_MEANINGS[name]] as const),
    ],
  },
  run: async (args, host) => {
    const request = {
      config: configOf(args),
      verbose: args.has("--verbose"),
      stats: args.has("--stats"),
      reboot: !args.has("--no-reboot"),
    };
    const outcome = await runSession(request, host);
    return conclude(request, outcome, host);
  },
};

function optionFlag(name: OptionName): Flag[] {
  const flag = flagOf(name);
  if (flag === undefined) return [];
  const { describe, placeholder, accepts, otherwise, repeated } = MACHINE_OPTIONS[name];
  const range = placeholder === "FILE" ? "" : ` Takes ${accepts}.`;
  return [{ name: flag, placeholder, repeated, describe: `${describe}${range} Default: ${otherwise}.` }];
}

/** The machine's configuration, as far as the command line says something of it. */
function configOf(args: Arguments): MachineConfig {
  const config: Record<string, unknown> = {};
  for (const name of OPTION_NAMES) {
    const flag = flagOf(name);
    if (flag === undefined || !args.has(flag)) continue;
    config[name] = MACHINE_OPTIONS[name].repeated ? args.values(flag) : args.value(flag);
  }
  const [image, extra] = args.positionals;
  if (extra !== undefined)
    throw usageError(`Unexpected argument ${JSON.stringify(extra)}: a command for the guest follows -- (nido run -- ${extra})`);
  if (image !== undefined && args.has("--kernel"))
    throw usageError(`Both an image (${JSON.stringify(image)}) and --kernel are given; give one of them`);
  if (image !== undefined) config["kernel"] = image;
  if (args.rest?.length === 0) throw usageError("Nothing follows --; give the command to run in the guest, or leave -- out");
  if (args.rest !== undefined) config["command"] = args.rest;
  // The embedded guest's kernel is quiet as long as nothing is appended.
  if (args.has("--verbose") && config["kernel"] === undefined) config["append"] ??= "";
  return config;
}

/** Says what there is to say about the end, and turns it into an exit status. */
async function conclude(request: SessionRequest, outcome: Outcome, host: CliHost): Promise<number> {
  const { end, signal, broken } = outcome;
  if (signal !== undefined) return statusOfSignal(signal);
  if (broken !== undefined) return outputFailed(request, broken, host);
  const failure = failureOf(end);
  if (failure !== undefined || end.kind === "reset") {
    for (const line of outcome.lastWords) await note(host.stderr, `guest: ${line}`);
  }
  if (failure !== undefined) await reportError(host.stderr, failure, { verbose: request.verbose });
  else if (end.kind === "reset") await note(host.stderr, "The guest reset its board.");
  else if (request.verbose) await note(host.stderr, `The machine has ended: ${end.kind}.`);
  if ((request.verbose || request.stats) && outcome.statistics !== undefined) {
    await note(host.stderr, summary(outcome.statistics));
    if (request.stats) for (const line of statisticsReport(outcome.statistics)) await note(host.stderr, line);
  }
  const status = statusOfEnd(end);
  return outcome.diskFailed && status === EXIT.success ? EXIT.hostIo : status;
}

/** A line of figures; `performance.timeOrigin` is when this process began. */
function summary({ instructions, busyMs, firstAtMs }: MachineStatistics): string {
  const mips = busyMs > 0 ? instructions / busyMs / 1e3 : 0;
  const first = firstAtMs === undefined ? "none ran" : `the first ${Math.round(firstAtMs - performance.timeOrigin)} ms after the start`;
  return `${instructions} instructions in ${Math.round(busyMs)} ms (${Math.round(mips)} MIPS), ${first}.`;
}

/** Nobody to tell when the reader has gone, as `head` does; everything else is a failure of the host. */
async function outputFailed(request: SessionRequest, error: Error, host: CliHost): Promise<number> {
  if (errnoOf(error) === "EPIPE") return EXIT.brokenPipe;
  const failure = ioError("DISK_IO", "write", "standard output", error);
  await reportError(host.stderr, failure, { verbose: request.verbose });
  return statusOfError(failure);
}
