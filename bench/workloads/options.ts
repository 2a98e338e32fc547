// The bench's command line.
import { parseArgs } from "node:util";
import { type Section, SECTIONS } from "./results.ts";

/** What to measure, and how. */
export interface Options {
  readonly rounds: number;
  readonly sections: readonly Section[];
  /** Rows to measure; empty for all. */
  readonly rows: readonly string[];
  /** Node binaries or major versions to run Nido under; empty for the one that runs the bench. */
  readonly nodes: readonly string[];
  /** Nido's --engine, or undefined for its default. */
  readonly engine: string | undefined;
  /** The checkout whose Nido is measured, or undefined for this one. */
  readonly checkout: string | undefined;
  /** More words for the kernels' command lines. */
  readonly append: string;
  readonly nidoOnly: boolean;
  /** Runs of Nido in the same place before the one that counts. */
  readonly warmUp: number;
  /** How long one guest may run. */
  readonly limitMs: number;
  /** Name under bench/records for the raw figures, or undefined to leave them in bench/results. */
  readonly record: string | undefined;
}

/** What `--help` prints. */
export const HELP = `npm run bench:workloads -- [options]
Measures Nido against QEMU's TCG, v86 and the bare machine, in turns, and prints medians.
  --rounds N       how often everything is run (default 3)
  --only SECTION   ${SECTIONS.join(", ")}; may be repeated or hold commas (default all)
  --rows A,B       only these rows of the sections
  --node NODE      run Nido under this Node: a path, or a major version to fetch from npm; may be repeated
  --engine NAME    Nido's --engine
  --checkout DIR   measure the Nido built in another checkout
  --append TEXT    more for the command line of every kernel, such as mitigations=off
  --warm-up N      let Nido run N times in the same place before the run that counts (default 0: every run is a cold one)
  --nido-only      no QEMU, v86 or native runs
  --limit SECONDS  how long one guest may run (default 900)
  --record NAME    keep the raw figures as bench/records/NAME.json`;

/** Reads the arguments; undefined when help is asked for. Throws an Error whose message says what is wrong with them. */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "3" },
      only: { type: "string", multiple: true, default: [] },
      rows: { type: "string", multiple: true, default: [] },
      node: { type: "string", multiple: true, default: [] },
      engine: { type: "string" },
      checkout: { type: "string" },
      append: { type: "string", default: "" },
      "nido-only": { type: "boolean", default: false },
      "warm-up": { type: "string" },
      limit: { type: "string", default: "900" },
      record: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const { record } = values;
  if (record !== undefined && !/^[\w.-]+$/.test(record)) throw new Error(`--record takes a name, not ${record}`);
  const rows = words(values.rows);
  const odd = rows.find((row) => !/^[\w-]+$/.test(row));
  if (odd !== undefined) throw new Error(`--rows takes names of rows, not ${odd}`);
  return {
    rounds: whole("--rounds", values.rounds),
    sections: sectionsOf(words(values.only)),
    rows,
    nodes: values.node,
    engine: values.engine,
    checkout: values.checkout,
    append: values.append,
    nidoOnly: values["nido-only"],
    warmUp: values["warm-up"] === undefined ? 0 : whole("--warm-up", values["warm-up"]),
    limitMs: whole("--limit", values.limit) * 1000,
    record,
  };
}

function words(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(",")).filter((word) => word !== "");
}

function sectionsOf(names: readonly string[]): readonly Section[] {
  const unknown = names.find((name) => !SECTIONS.some((section) => section === name));
  if (unknown !== undefined) throw new Error(`--only takes ${SECTIONS.join(", ")}, not ${unknown}`);
  return names.length === 0 ? SECTIONS : SECTIONS.filter((section) => names.includes(section));
}

function whole(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${flag} takes a positive whole number, not ${text}`);
  return value;
}
