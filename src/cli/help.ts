// Help texts, made from the commands' own descriptions.
import type { Flag } from "./arguments.ts";
import type { Command } from "./command.ts";

const WIDTH = 100;

/** The flag that every command has. */
export const HELP_FLAG: Flag = { name: "--help", short: "-h", describe: "Shows this help." };

/** The program's help: what it is, its commands, a first step. */
export function programHelp(commands: readonly Command[]): string {
  return [
    "Nido runs whole virtual machines, in TypeScript and WebAssembly.",
    "",
    "Usage: nido COMMAND [options]",
    "",
    "Commands:",
    ...table([
      ...commands.map((each) => [each.name, each.summary] as const),
      ["help [COMMAND]", "Shows help."],
      ["--version", "Shows the version."],
    ]),
    "",
    "Examples:",
    ...commands
      .slice(0, 1)
      .flatMap((each) => each.examples.slice(0, 3))
      .flatMap(({ line, does }) => [`  ${line}`, `      ${does}`]),
    "",
  ].join("\n");
}

/** A command's help. */
export function commandHelp(command: Command): string {
  const flags = [...command.flags, HELP_FLAG].map((flag) => [flagWords(flag), flag.describe] as const);
  return [
    `Usage: nido ${command.name} ${command.usage}`,
    "",
    ...command.about.flatMap((paragraph) => [...wrap(paragraph, WIDTH), ""]),
    "Options:",
    ...table(flags),
    "",
    ...Object.entries(command.tables ?? {}).flatMap(([heading, rows]) => [`${heading}:`, ...table(rows), ""]),
    "Examples:",
    ...command.examples.flatMap(({ line, does }) => [`  ${line}`, `      ${does}`]),
    "",
  ].join("\n");
}

function flagWords(flag: Flag): string {
  const names = flag.short === undefined ? flag.name : `${flag.short}, ${flag.name}`;
  return flag.placeholder === undefined ? names : `${names} ${flag.placeholder}`;
}

/** Two columns; a left side that is too wide has its line to itself. */
function table(rows: readonly (readonly [string, string])[]): string[] {
  const left = Math.min(24, Math.max(...rows.map(([name]) => name.length))) + 4;
  return rows.flatMap(([name, words]) => {
    const [first = "", ...others] = wrap(words, WIDTH - left);
    const indent = " ".repeat(left);
    const start = `  ${name}`.padEnd(left);
    const head = start.length > left ? [start, `${indent}${first}`] : [`${start}${first}`];
    return [...head, ...others.map((line) => `${indent}${line}`)];
  });
}

/** Lines of at most `width` characters, broken between words. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
