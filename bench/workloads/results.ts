// What was measured, by row and by side, and what follows from it: medians, ratios, means, and whether results agree.
import { median } from "../measure.ts";

/** The parts of the bench. */
export const SECTIONS = ["boot", "parts", "micro", "programs", "v86"] as const;
export type Section = (typeof SECTIONS)[number];

/** Everything measured of one piece of work. Sides are "qemu", "v86", "native", and "nido" or, with several Nodes, "nido@26". */
export interface Row {
  readonly section: Section;
  readonly name: string;
  readonly unit: "s" | "MB";
  /** Each run's figure, by side. */
  readonly runs: Record<string, number[]>;
  /** Each run's processor time in seconds, by side; empty for what is no time. */
  readonly cpu: Record<string, number[]>;
  /** Every different result that a side gave, by side. */
  readonly checksums: Record<string, string[]>;
}

/** What may go with a figure. */
export interface Extras {
  readonly checksum?: string;
  readonly cpuSeconds?: number;
  readonly unit?: Row["unit"];
}

/** The figures of one session, filled run by run. */
export class Results {
  readonly rows: Row[] = [];
  /** What is not on this machine, and so was not measured: one line each. */
  readonly absent: string[] = [];
  /** What was tried and failed: one line each. */
  readonly failures: string[] = [];

  /** Notes one figure, and the result that goes with it, if it is one that has a result. */
  add(section: Section, name: string, side: string, figure: number, options: Extras = {}): void {
    const { checksum, cpuSeconds, unit = "s" } = options;
    let row = this.rows.find((r) => r.section === section && r.name === name);
    if (row === undefined) this.rows.push((row = { section, name, unit, runs: {}, cpu: {}, checksums: {} }));
    (row.runs[side] ??= []).push(figure);
    if (cpuSeconds !== undefined) (row.cpu[side] ??= []).push(cpuSeconds);
    const sums = (row.checksums[side] ??= []);
    if (checksum !== undefined && !sums.includes(checksum)) sums.push(checksum);
  }

  /** Notes that something is missing, once. */
  miss(what: string): void {
    if (!this.absent.includes(what)) this.absent.push(what);
  }

  /**
   * Rows whose sides, or runs of one side, came to different results: one line each. The 32- and the 64-bit build of a micro-kernel
   * are the same row here.
   */
  mismatches(): string[] {
    const byName = new Map<string, Map<string, string[]>>();
    for (const { section, name, checksums } of this.rows) {
      const key = name.startsWith("micro ") ? name : `${section} ${name}`;
      const sums = byName.get(key) ?? new Map<string, string[]>();
      byName.set(key, sums);
      for (const [side, values] of Object.entries(checksums)) {
        for (const sum of values) sums.set(sum, [...(sums.get(sum) ?? []), section === "v86" ? `${side}, 32-bit` : side]);
      }
    }
    return [...byName].filter(([, sums]) => sums.size > 1).map(([key, sums]) => `${key}: ${describeSums(sums)}`);
  }
}

function describeSums(sums: ReadonlyMap<string, readonly string[]>): string {
  return [...sums].map(([sum, sides]) => `${sum || "nothing"} (${sides.join("; ")})`).join(", ");
}

/** The median of a side's runs, or undefined when it has none. */
export function figure(row: Row, side: string): number | undefined {
  const runs = row.runs[side];
  return runs === undefined || runs.length === 0 ? undefined : median(runs);
}

/** One side's figure as a multiple of another's, or undefined when either is missing. */
export function ratio(row: Row, side: string, of: string): number | undefined {
  const [a, b] = [figure(row, side), figure(row, of)];
  return a === undefined || b === undefined ? undefined : a / b;
}

/** Below this, steps of 10 ms say too little. */
const SHORTEST_CPU_SECONDS = 0.1;

/**
 * One side's processor time as a multiple of another's, or undefined when either is missing or short. On a busy machine it says more than
 * the ratio of times, and it counts the compiler's threads against those that have them.
 */
export function cpuRatio(row: Row, side: string, of: string): number | undefined {
  const [a, b] = [row.cpu[side], row.cpu[of]];
  if (a === undefined || b === undefined) return undefined;
  return Math.min(median(a), median(b)) < SHORTEST_CPU_SECONDS ? undefined : median(a) / median(b);
}

/** The geometric mean of positive numbers, or undefined of none. */
export function geometricMean(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  return Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);
}
