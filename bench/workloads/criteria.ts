// What the figures are held against, and the table's last lines: means, worst rows and memory.
import { geometricMean, ratio, type Results, type Row, type Section } from "./results.ts";

/** A promise about a figure: at most `must`, better at most `aim`. */
export interface Limit {
  readonly must: number;
  readonly aim: number;
}

/** One line of the verdict. */
export interface Verdict extends Limit {
  readonly what: string;
  readonly measured: number;
  /** The row that decides, where one does. */
  readonly by?: string;
}

const PART: Limit = { must: 1, aim: 0.6 };
const WORST: Limit = { must: 1.2, aim: 1 };

/** What a single row of a section promises about Nido's time as a multiple of QEMU's. */
export function rowLimit({ section, name }: Pick<Row, "section" | "name">): Limit | undefined {
  if (name === "memory") return { must: 1.5, aim: 1 };
  if (section === "boot") return name === "warm cache" ? { must: 0.8, aim: 0.4 } : { must: 1.2, aim: 0.8 };
  if (section === "parts") return name === "boot" ? undefined : PART;
  return section === "v86" ? undefined : WORST;
}

/** What the rows of one session say about one of Nido's sides. Lines without figures are left out. */
export function verdicts(results: Results, side: string): Verdict[] {
  const of = (section: Section, peer: string): Multiple[] => multiples(results, section, side, peer);
  const boot = (name: string): Multiple[] => of("boot", "qemu").filter((m) => m.name === name);
  const work = of("parts", "qemu").filter(({ name }) => name !== "boot" && name !== "memory");
  return [
    worst("each of parts after boot, the worst", work, PART),
    mean("micro-kernels, geometric mean", of("micro", "qemu"), { must: 0.6, aim: 0.4 }),
    worst("worst micro-kernel", of("micro", "qemu"), WORST),
    worst("worst program", of("programs", "qemu"), WORST),
    worst("boot to the prompt, cold cache", boot("cold cache"), { must: 1.2, aim: 0.8 }),
    worst("boot to the prompt, warm cache", boot("warm cache"), { must: 0.8, aim: 0.4 }),
    mean("programs, geometric mean", of("programs", "qemu"), { must: 0.9, aim: 0.6 }),
    worst("multiple of v86's time, the worst part", of("v86", "v86").filter(isPart), { must: 0.4, aim: 0.25 }),
    mean("multiple of v86's time, micro-kernels, geometric mean", of("v86", "v86").filter(not(isPart)), { must: 0.4, aim: 0.25 }),
    mean("multiple of native time, micro-kernels, geometric mean", of("micro", "native"), { must: 3, aim: 2 }),
    worst("memory", of("parts", "qemu").filter(isMemory), { must: 1.5, aim: 1 }),
  ].filter((verdict) => verdict !== undefined);
}

interface Multiple {
  readonly name: string;
  readonly value: number;
}

const isMemory = ({ name }: Multiple): boolean => name === "memory";
const isPart = ({ name }: Multiple): boolean => !name.startsWith("micro ") && name !== "memory";
const not =
  (test: (m: Multiple) => boolean) =>
  (m: Multiple): boolean =>
    !test(m);

function multiples(results: Results, section: Section, side: string, peer: string): Multiple[] {
  return results.rows
    .filter((row) => row.section === section)
    .flatMap((row) => {
      const value = ratio(row, side, peer);
      return value === undefined ? [] : [{ name: row.name, value }];
    });
}

function mean(what: string, of: readonly Multiple[], limit: Limit): Verdict | undefined {
  const measured = geometricMean(of.map(({ value }) => value));
  return measured === undefined ? undefined : { what, measured, ...limit };
}

function worst(what: string, of: readonly Multiple[], limit: Limit): Verdict | undefined {
  const [first] = of.toSorted((a, b) => b.value - a.value);
  return first === undefined ? undefined : { what, measured: first.value, by: first.name, ...limit };
}
