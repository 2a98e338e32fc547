// Sizes and durations as people write them: 512M, 60s.

const SIZES = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 } as const;
const DURATIONS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Bytes of a size such as `512M`, `2G`, `64KiB` or `4096`; undefined when it is not one. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,15})(?:([KMG])(?:i?B)?)?$/i.exec(text.trim());
  if (match === null) return undefined;
  const unit = (match[2] ?? "").toUpperCase() as keyof typeof SIZES;
  const bytes = Number(match[1]) * SIZES[unit];
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The shortest exact form of a number of bytes: `512M`, `1536`. */
export function formatSize(bytes: number): string {
  for (const unit of ["G", "M", "K"] as const) {
    if (bytes !== 0 && bytes % SIZES[unit] === 0) return `${bytes / SIZES[unit]}${unit}`;
  }
  return String(bytes);
}

/** Milliseconds of a duration such as `60s`, `1.5s`, `500ms` or `2m`; a bare number is seconds; undefined when it is not one. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)(ms|s|m|h|d)?$/.exec(text.trim());
  if (match === null) return undefined;
  return Math.round(Number(match[1]) * DURATIONS[(match[2] ?? "s") as keyof typeof DURATIONS]);
}

/** The shortest exact form of a number of milliseconds: `60s` is `1m`, `1500` is `1500ms`. */
export function formatDuration(ms: number): string {
  for (const unit of ["d", "h", "m", "s"] as const) {
    if (ms !== 0 && ms % DURATIONS[unit] === 0) return `${ms / DURATIONS[unit]}${unit}`;
  }
  return `${ms}ms`;
}
