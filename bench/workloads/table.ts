// The tables that people read.
import { rowLimit, type Verdict } from "./criteria.ts";
import { cpuRatio, figure, ratio, type Row } from "./results.ts";

/** Lays cells out in columns; the first is flush left, the others flush right. */
export function columns(lines: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const line of lines) line.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return lines
    .map((line) =>
      line
        .map((c, i) => (i === 0 ? c.padEnd(widths[i]!) : c.padStart(widths[i]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Three significant digits, without an exponent; nothing for nothing. */
export function digits(value: number | undefined): string {
  if (value === undefined) return "";
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : value >= 1 ? 2 : 3);
}

/** The rows, with a column for every side and, for one of Nido's, ratios to each peer: of time and of processor time. */
export function rowTable(rows: readonly Row[], side: string): string {
  const peers = ["qemu", "v86", "native"].filter((peer) => rows.some((row) => figure(row, peer) !== undefined));
  const header = ["", side, ...peers.flatMap((peer) => [peer, `${side}/${peer}`, "cpu"]), "must", "aim"];
  const lines = rows.map((row) => {
    const limit = rowLimit(row);
    const cells = peers.flatMap((peer) => [digits(figure(row, peer)), digits(ratio(row, side, peer)), digits(cpuRatio(row, side, peer))]);
    const unit = row.unit === "s" ? "" : ` (${row.unit})`;
    return [`${row.section} ${row.name}${unit}`, digits(figure(row, side)), ...cells, digits(limit?.must), digits(limit?.aim)];
  });
  return columns([header, ...lines]);
}

/** The verdict: each promise, what was measured, and whether it holds. */
export function verdictTable(verdicts: readonly Verdict[]): string {
  const lines = verdicts.map(({ what, by, measured, must, aim }) => {
    const word = measured <= aim ? "aim met" : measured <= must ? "met" : "MISSED";
    return [by === undefined ? what : `${what} (${by})`, digits(measured), digits(must), digits(aim), word];
  });
  return columns([["", "measured", "must", "aim", ""], ...lines]);
}
