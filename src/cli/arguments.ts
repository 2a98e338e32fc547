// Command lines: long options with their value behind a space or `=`, `-h`, and `--` before what belongs to the guest.
import { didYouMean } from "../support/suggest.ts";
import { VmError } from "../support/errors.ts";

/** An option of a command. */
export interface Flag {
  /** With its dashes: `--memory`. */
  readonly name: string;
  /** One letter with its dash. */
  readonly short?: string;
  /** The word for its value; absent when it takes none. */
  readonly placeholder?: string;
  readonly describe: string;
  readonly repeated?: boolean;
}

/** A command line, taken apart. */
export interface Arguments {
  /** Whether the flag was given. */
  has(flag: string): boolean;
  /** The flag's value, if it was given. */
  value(flag: string): string | undefined;
  /** All its values, in order. */
  values(flag: string): readonly string[];
  readonly positionals: readonly string[];
  /** What follows `--`; undefined when there is none. */
  readonly rest: readonly string[] | undefined;
}

/** Takes a command line apart. Throws CONFIG_INVALID for flags that are unknown, lack their value, have one too many or are given twice. */
export function parseArguments(argv: readonly string[], flags: readonly Flag[]): Arguments {
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  const end = argv.indexOf("--");
  const own = end < 0 ? argv : argv.slice(0, end);
  for (let at = 0; at < own.length; at++) {
    const word = own[at] ?? "";
    if (!word.startsWith("-") || word === "-") {
      positionals.push(word);
      continue;
    }
    const { flag, inline } = findFlag(word, flags);
    let value = inline;
    if (flag.placeholder !== undefined && value === undefined) value = own[++at];
    give(given, flag, value, flags);
  }
  return {
    has: (flag) => given.has(flag),
    value: (flag) => given.get(flag)?.at(-1),
    values: (flag) => given.get(flag) ?? [],
    positionals,
    rest: end < 0 ? undefined : argv.slice(end + 1),
  };
}

function findFlag(word: string, flags: readonly Flag[]): { readonly flag: Flag; readonly inline: string | undefined } {
  const equals = word.startsWith("--") ? word.indexOf("=") : -1;
  const name = equals < 0 ? word : word.slice(0, equals);
  const flag = flags.find((each) => each.name === name || each.short === name);
  if (flag === undefined)
    throw usageError(
      `Unknown option ${name}.${didYouMean(
        name,
        flags.map((each) => each.name),
      )}`,
      name,
    );
  return { flag, inline: equals < 0 ? undefined : word.slice(equals + 1) };
}

function give(given: Map<string, string[]>, flag: Flag, value: string | undefined, flags: readonly Flag[]): void {
  const values = given.get(flag.name) ?? [];
  if (flag.placeholder === undefined) {
    if (value !== undefined) throw usageError(`Option ${flag.name} takes no value, and has ${JSON.stringify(value)}`, flag.name);
  } else {
    if (value === undefined || flags.some((each) => each.name === value))
      throw usageError(`Option ${flag.name} needs a value: ${flag.name} ${flag.placeholder}`, flag.name);
    if (values.length > 0 && flag.repeated !== true) throw usageError(`Option ${flag.name} is given twice`, flag.name);
    values.push(value);
  }
  given.set(flag.name, values);
}

/** The error for a command line that makes no sense. */
export function usageError(message: string, option?: string): VmError {
  return new VmError("CONFIG_INVALID", message, option === undefined ? undefined : { data: { option } });
}
