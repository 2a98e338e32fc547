import { isTable, type Problem, type Source } from "./sources.ts";

const MOST_LINES = 1000;

/** Files that nobody reads to the end. Tables may be as long as what they transcribe. */
export function lengthProblems(source: Source): Problem[] {
  const lines = source.text.split("\n").length - 1;
  if (lines <= MOST_LINES || isTable(source)) return [];
  return [{ path: source.path, line: lines, message: `${lines} lines; the limit is ${MOST_LINES}, except for a file marked @table` }];
}
