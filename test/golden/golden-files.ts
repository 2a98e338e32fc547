// The committed translations: which files there are, what belongs into them.
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { FAMILIES } from "../../src/cpu/isa/index.ts";
import { idiomText } from "./idiom-text.ts";
import { IDIOMS } from "./idioms.ts";
import { RegionPrinter } from "./region-text.ts";
import { familyText } from "./rows.ts";

/** Where the files are committed. */
export const GOLDEN_FOLDER: string = dirname(fileURLToPath(import.meta.url));

/** A file and what belongs into it. */
export interface GoldenFile {
  /** In GOLDEN_FOLDER. */
  readonly path: string;
  render(): string;
}

/** All files, each rendered when it is asked to. */
export function goldenFiles(): GoldenFile[] {
  const printer = new RegionPrinter();
  return [
    ...Object.entries(FAMILIES).map(([name, family]) => ({ path: `rows/${name}.txt`, render: () => familyText(family, printer) })),
    ...IDIOMS.map((idiom) => ({ path: `idioms/${idiom.name}.txt`, render: () => idiomText(idiom, printer) })),
  ];
}

/** Paths of the files that are committed, whether they belong there or not. */
export function committedFiles(): string[] {
  return ["rows", "idioms"].flatMap((folder) => readdirSync(join(GOLDEN_FOLDER, folder)).map((name) => `${folder}/${name}`));
}
