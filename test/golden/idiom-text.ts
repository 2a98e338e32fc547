// The translation of a piece of guest code, whole.
import { disassemble } from "../../src/cpu/decode/disassemble.ts";
import { GuestCode, type Width } from "./guest-code.ts";
import type { RegionPrinter } from "./region-text.ts";

/** Some guest code, at its beginning where a region begins. */
export interface Idiom {
  /** Of its file. */
  readonly name: string;
  readonly title: string;
  readonly width: Width;
  /**
   * A line is an instruction's offset, its bytes, and what it says; `>` marks places where the interpreter often is, so that a region
   * may be entered there too.
   */
  readonly code: string;
}

interface Line {
  readonly isEntry: boolean;
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly text: string;
}

const LINE = /^(>?) *([0-9a-f]+) {2}((?:[0-9a-f]{2} )+) +(.*)$/;

/** The text of an idiom's file; throws when a line of the code does not say what its bytes are. */
export function idiomText(idiom: Idiom, printer: RegionPrinter): string {
  const { title, width } = idiom;
  const lines = linesOf(idiom);
  const code = new Uint8Array(lines.reduce((n, { at, bytes }) => Math.max(n, at + bytes.length), 0)).fill(GuestCode.nothing);
  for (const { at, bytes } of lines) code.set(bytes, at);
  const entries = lines.filter(({ isEntry }) => isEntry).map(({ at }) => at);
  const region = printer.print(new GuestCode(width, code, entries));
  const calls = new Map(region.called.map(({ offset, why }) => [offset, why]));
  const listing = lines.map(({ isEntry, at, text }) => {
    const why = calls.get(at);
    return `# ${isEntry ? ">" : " "}${at.toString(16).padStart(4)}  ${text}${why === undefined ? "" : `  ·  called: ${why}`}`;
  });
  const head = [`# ${title}: ${width}-bit code, all of its region. Written by \`npm run golden\`; see CONTRIBUTING.md.`, "#"];
  return `${[...head, ...listing, "", ...region.lines()].join("\n")}\n`;
}

function linesOf({ name, width, code }: Idiom): Line[] {
  return code
    .trim()
    .split("\n")
    .map((line) => {
      const [, entry, at = "", hex = "", text = ""] = LINE.exec(line.trim()) ?? [];
      const bytes = Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
      const found = disassemble(bytes, width, BigInt(`0x${at}`));
      if (found.text !== text || found.length !== bytes.length) throw new Error(`${name}: "${line.trim()}" is ${found.text}`);
      return { isEntry: entry === ">", at: Number.parseInt(at, 16), bytes, text };
    });
}
