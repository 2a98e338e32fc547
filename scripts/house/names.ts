import type { Problem } from "./sources.ts";

const SAYS_NOTHING = new Set(["util", "utils", "common", "helper", "helpers", "misc", "base"]);

/** Files and folders named for where they were put, not for what they give. */
export function nameProblems(paths: readonly string[]): Problem[] {
  return paths.flatMap((path) => {
    const [stem = ""] = path.slice(path.lastIndexOf("/") + 1).split(".");
    return SAYS_NOTHING.has(stem.toLowerCase()) ? [{ path, line: 1, message: `"${stem}" does not say what it gives` }] : [];
  });
}
