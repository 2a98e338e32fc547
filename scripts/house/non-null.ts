import type { Problem, Source } from "./sources.ts";

// A postfix `!` behind a name or a call: `a!`, `a.b!`, `f()!`. Behind an index (`a[i]!`) it is allowed, just after a bounds check.
const ASSERTED = /[\w$)]!(?=[.,;)\]}[\s]|$)(?!\s*=)/;
const STRINGS = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|\/(?![*/ ])(?:[^/\\\n]|\\.)+\/[a-z]*/g;

/** Non-null assertions elsewhere than behind an index: there the compiler's doubt is worth an answer. */
export function nonNullProblems(source: Source): Problem[] {
  return source.text.split("\n").flatMap((line, index) => {
    const code = line.replace(STRINGS, '""').replace(/(^|\s)(\/\/|\*|\/\*).*$/, "");
    return ASSERTED.test(code) ? [{ path: source.path, line: index + 1, message: "`!` is for an index just checked, nothing else" }] : [];
  });
}
