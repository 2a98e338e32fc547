// Citations have one form each (docs/specs.md): a key of the list, then § and a section, or the title of a page in quotes.
//
//   SDM 3A §4.5.4      SDM 2A "ADD"      RFC 9293 §3.10.7.4      8254 datasheet, Mode 3
//
// In a file whose header names the specification that it follows, a bare §7.1 is a section of that one.
import type { Problem, Source } from "./sources.ts";

const SECTION = "§[0-9A-Z]+(?:\\.[0-9A-Z]+)*";
const WRONG_FORM = /\bIntel(?:'s)? (?:SDM|manual)\b|\bAMD(?:'s)? (?:APM|manual)\b|\b(?:Vol\.|Volume) ?\d|\b[Ss]ections? \d+\.\d/;

/** The keys that docs/specs.md lists in the first column of its table; `n` in a key stands for any number. */
export function citationKeys(specs: string): string[] {
  return [...specs.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] ?? "");
}

/** Makes the rule for a list of keys. */
export function citationRule(keys: readonly string[]): (source: Source) => Problem[] {
  const key = keys.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\bn\b/, "\\d+")).sort((a, b) => b.length - a.length);
  const named = new RegExp(`(?:${key.join("|")})(?![\\w.])`);
  const full = new RegExp(`(?:${key.join("|")}) ${SECTION}(?:(?:,|–|,? and|,? or|;)? ?${SECTION})*`, "g");
  const bare = new RegExp(`(^|[\\s(])${SECTION}`, "g");
  return (source) => {
    const blocks = commentBlocks(source.text);
    const header = blocks[0]?.line === 1 && named.test(blocks[0].text);
    return blocks.flatMap(({ line, text }) => {
      const rest = text.replace(full, "");
      const wrong = WRONG_FORM.exec(rest)?.[0] ?? strayNear(header ? rest.replace(bare, "") : rest);
      return wrong === undefined
        ? []
        : [{ path: source.path, line, message: `"${wrong.trim()}" is not a citation as docs/specs.md has them` }];
    });
  };
}

function strayNear(text: string): string | undefined {
  const at = text.indexOf("§");
  return at < 0 ? undefined : text.slice(Math.max(0, at - 20), at + 10);
}

interface Block {
  readonly line: number;
  readonly text: string;
}

/** Comments, with those on consecutive lines joined, since a citation may be broken across two. */
function commentBlocks(text: string): Block[] {
  const blocks: { line: number; text: string; last: number }[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const found = /(?:^|\s)(?:\/\/|\/\*\*?|\*)(?:\s(.*?))?(?:\*\/)?$/.exec(line);
    if (found === null) continue;
    const [, comment = ""] = found;
    const open = blocks.at(-1);
    if (open?.last === index) {
      open.text += ` ${comment.trim()}`;
      open.last = index + 1;
    } else blocks.push({ line: index + 1, text: comment.trim(), last: index + 1 });
  }
  return blocks;
}
