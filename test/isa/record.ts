// npm run record:isa -- [--rows PATTERN] [--count N] [--out FOLDER]
//
// Records vectors on this host's processor: every row whose "NAME | row" matches PATTERN (a regular expression) and that user
// mode can vouch for, N instances (default 200), one file an instruction. Files of instructions that do not match stay.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { INSTRUCTIONS } from "../../src/cpu/isa/index.ts";
import type { Form } from "../../src/cpu/isa/instruction.ts";
import { whyExcluded } from "./exclusions.ts";
import { existsIn } from "./generator.ts";
import { recordForRow } from "./quick.ts";
import { Recorder, whyNoRecorder } from "./recorder.ts";
import { VECTORS_FOLDER } from "./replay.ts";
import { encodeVectors, fileNameOf, type Provenance, type RowVectors } from "./vectors.ts";

/** The committed vectors together must stay below this, in bytes. */
const LIMIT = 16 << 20;

function microcode(): string {
  try {
    return /^microcode\s*:\s*(\S+)/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "";
  } catch {
    return "";
  }
}

/** Records those rows that can be. */
async function recordRows(recorder: Recorder, forms: readonly Form[], count: number): Promise<RowVectors[]> {
  const rows: RowVectors[] = [];
  for (const form of forms) {
    if (whyExcluded(form) !== undefined) continue;
    const modes = ([64, 32] as const).filter((mode) => existsIn(form, mode));
    if (modes.length === 0) continue;
    rows.push({ text: form.text, vectors: await recordForRow(recorder, form, Math.ceil(count / modes.length)) });
  }
  return rows;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rows: { type: "string", default: "." },
      count: { type: "string", default: "200" },
      out: { type: "string", default: VECTORS_FOLDER },
    },
  });
  const reason = whyNoRecorder();
  if (reason !== undefined) {
    process.stderr.write(`record:isa: ${reason}\n`);
    return 1;
  }
  const pattern = new RegExp(values.rows);
  // Several definitions may share a name (PUSH of a register, of a segment): they share a file.
  const byName = new Map<string, Form[]>();
  for (const form of INSTRUCTIONS.flatMap(({ forms }) => forms))
    byName.set(form.instruction, [...(byName.get(form.instruction) ?? []), form]);
  const chosen = [...byName].filter(([name, forms]) => forms.some(({ text }) => pattern.test(`${name} | ${text}`)));
  const recorder = await Recorder.start();
  const { vendor, brand, family, model, stepping } = recorder.cpu;
  const provenance: Provenance = {
    cpu: { vendor, brand, family, model, stepping },
    microcode: microcode(),
    date: new Date().toISOString().slice(0, 10),
  };
  mkdirSync(values.out, { recursive: true });
  let [cases, rows, bytes] = [0, 0, 0];
  for (const [name, forms] of chosen) {
    const recorded = await recordRows(recorder, forms, Number(values.count));
    if (recorded.length === 0) continue;
    const file = encodeVectors(name, provenance, recorded);
    writeFileSync(join(values.out, fileNameOf(name)), file);
    rows += recorded.length;
    cases += recorded.reduce((n, row) => n + row.vectors.length, 0);
    bytes += file.length;
  }
  recorder.close();
  process.stdout.write(`${cases} cases of ${rows} rows of ${chosen.length} instructions, ${(bytes / 1024).toFixed(0)} KiB, on ${brand}\n`);
  return bytes <= LIMIT ? 0 : 1;
}

process.exitCode = await main();
