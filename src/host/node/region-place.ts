// Where regions are kept: in the user's cache folder, unless the machine's configuration or the environment says otherwise.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { NO_CACHE } from "../../machine/config.ts";
import type { RegionPlace } from "./region-store.ts";

/** At both ends of a kernel this much tells it from others. */
const SAMPLE = 0x1_0000;
const NAME_DIGITS = 16;

/**
 * The place of a kernel's regions; undefined when none are to be kept, or when sources run unbuilt, whose code no build has numbered.
 * @param cache a folder, or "off"; undefined: as the environment has it
 */
export function regionPlace(cache: string | undefined, kernel: Uint8Array): RegionPlace | undefined {
  const folder = cacheFolder(cache, process.env);
  const engine = engineVersion();
  if (folder === undefined || engine === undefined) return undefined;
  return { folder, name: `${engine}-${kernelName(kernel)}` };
}

/** The folder, or undefined for none: what was asked for, then NIDO_CACHE, then the user's cache folder (XDG Base Directory 0.8). */
export function cacheFolder(asked: string | undefined, environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const wanted = asked ?? (environment["NIDO_CACHE"] || undefined);
  if (wanted === NO_CACHE) return undefined;
  if (wanted !== undefined) return resolve(wanted);
  const xdg = environment["XDG_CACHE_HOME"];
  // A relative one is to be ignored.
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(homedir(), ".cache");
  return join(base, "nido", "regions");
}

/** What scripts/build-engine.mjs made of everything that regions depend on. */
function engineVersion(): string | undefined {
  try {
    return /^[0-9a-f]{16}$/.exec(readFileSync(new URL("../../engine/version", import.meta.url), "latin1"))?.[0];
  } catch {
    return undefined;
  }
}

/** Regions are compared with the code that they are used for, so it does little harm if two kernels have one name. */
function kernelName(kernel: Uint8Array): string {
  const hash = createHash("sha256").update(`${kernel.length} `);
  hash.update(kernel.subarray(0, SAMPLE)).update(kernel.subarray(Math.max(0, kernel.length - SAMPLE)));
  return hash.digest("hex").slice(0, NAME_DIGITS);
}
