import { EXIT, EXIT_MEANINGS, type ExitName } from "../../src/cli/exit-status.ts";
import { flagOf, MACHINE_OPTIONS } from "../../src/machine/config.ts";
import { GENERATED, table, type Page } from "./page.ts";

const names = Object.keys(MACHINE_OPTIONS) as (keyof typeof MACHINE_OPTIONS)[];

/** docs/command-line.md: a machine's options as programs and command lines spell them, and the exit statuses. */
export const commandLinePage: Page = {
  path: "docs/command-line.md",
  render: () =>
    `${GENERATED}

# Options of a machine

One description serves \`Machine.create({ … })\` and \`nido run\`. Programs give values typed or as the text of the command line; an
option that may be repeated is a list there.

${table(
  ["option", "flag", "what it sets", "takes", "default"],
  names.map((name) => {
    const { describe, accepts, otherwise, placeholder } = MACHINE_OPTIONS[name];
    const flag = flagOf(name);
    return [`\`${name}\``, flag === undefined ? "`-- COMMAND...`" : `\`${flag} ${placeholder}\``, describe, accepts, otherwise];
  }),
)}

# Exit statuses of nido run

With a command, the command's own status; \`(value << 1) | 1\` when the guest writes \`value\` to \`isa-debug-exit\`; 128 and the signal's number
when SIGINT, SIGTERM or SIGHUP ended the program. Otherwise:

${table(
  ["status", "meaning"],
  (Object.keys(EXIT) as ExitName[]).map((name) => [String(EXIT[name]), EXIT_MEANINGS[name]]),
)}
`,
};
