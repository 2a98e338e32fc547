// Programs of other people that tests compare Nido with. Where one is missing its tests are skipped, and say which it was.
import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe } from "vitest";
import { ROOT } from "../scripts/setup.mjs";

/** The path of a program on this host, or of a device such as /dev/kvm that this user may use; undefined when there is none. */
export function peer(name: string): string | undefined {
  if (name.startsWith("/")) return usable(name, constants.R_OK | constants.W_OK) ? name : undefined;
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"].filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, name)).find((path) => usable(path, constants.X_OK));
}

/** What a skipped test says for the peers that are missing, or undefined when all are here. */
export function missingPeers(names: readonly string[]): string | undefined {
  const missing = names.filter((name) => peer(name) === undefined).map(withPackage);
  return missing.length === 0 ? undefined : `needs ${missing.join(", ")}`;
}

/** `describe`, skipped with the reason in its title when one of the peers is missing. */
export function describeWithPeers(names: readonly string[], title: string, body: () => void): void {
  const reason = missingPeers(names);
  describe.skipIf(reason !== undefined)(reason === undefined ? title : `${title} [${reason}]`, body);
}

function usable(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** scripts/peers.txt knows which package brings a program. */
function withPackage(name: string): string {
  const list = readFileSync(join(ROOT, "scripts", "peers.txt"), "utf8");
  const row = list
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .find(([, program]) => program === name);
  return row?.[0] === undefined || row[0].startsWith("#") ? name : `${name} (Debian package ${row[0]})`;
}
