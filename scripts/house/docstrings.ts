import { isTable, type Problem, type Source } from "./sources.ts";

const EXPORT = /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|interface|type|const|let) ([A-Za-z_$][\w$]*)/;
const CONSTANT = /^export const [A-Z]\w*/;
const DIRECTIVE = /^\s*\/\/ (oxfmt-ignore|oxlint-disable|@ts-expect-error)/;

/**
 * Exported symbols without a docstring. Constants in a datasheet's spelling come in groups: one comment or box above a group of
 * lines (or one behind a line) speaks for all of it.
 */
export function docstringProblems(source: Source): Problem[] {
  if (isTable(source)) return [];
  const lines = source.text.split("\n");
  const problems: Problem[] = [];
  let documented = "";
  for (const [index, line] of lines.entries()) {
    const name = EXPORT.exec(line)?.[1];
    if (name === undefined) continue;
    const above = lastBefore(lines, index);
    const ok = above.endsWith("*/") || documented === name || (CONSTANT.test(line) && inGroup(line, above));
    if (ok) documented = name;
    else problems.push({ path: source.path, line: index + 1, message: `exported ${name} has no docstring` });
  }
  return problems;
}

function lastBefore(lines: readonly string[], index: number): string {
  let at = index - 1;
  while (at >= 0 && DIRECTIVE.test(lines[at] ?? "")) at--;
  return (lines[at] ?? "").trimEnd();
}

function inGroup(line: string, above: string): boolean {
  return / \/\/ /.test(line) || /^\s*(\/\/|\*)/.test(above) || CONSTANT.test(above);
}
