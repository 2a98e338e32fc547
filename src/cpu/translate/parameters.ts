// Numbers in a kernel's code that are other ones each time it is started: Linux puts itself at a random address (KASLR), and whatever in
// its code is an absolute address, or the distance of per-CPU data, is moved along. More than half of a boot's regions hold such
// numbers. A region loads them from its records, so that the same code serves the next start.
import type { RegionParameter, RegionShape } from "../engine/region-shape.ts";
import { RECORD } from "../engine/layout.ts";
import { ZERO } from "../state.ts";
import type { CodeRange, RegionGraph } from "./graph.ts";
import type { GuestInstruction } from "./guest-instruction.ts";

/** Which number of an instruction. */
export type InstructionPart = "immediate" | "displacement";

/** A number that is a parameter, and where in the instruction's bytes it stands. */
interface Field {
  readonly instruction: GuestInstruction;
  readonly part: InstructionPart;
  readonly at: number;
  readonly size: 4 | 8;
}

const SLOT = 8;
/** What moves with a kernel lies below this, sign-extended, and above -2^31: its image and its modules. */
const END = -0x100_0000n;
const START32 = -0x8000_0000n;
const START64 = -(1n << 48n);
const IMMEDIATE_SIZES = [0, 1, 2, 4];

/** The parameters of one region. */
export class RegionParameters {
  readonly #fields: readonly Field[];
  readonly #slots = { immediate: new Map<GuestInstruction, number>(), displacement: new Map<GuestInstruction, number>() } as const;

  constructor(fields: readonly Field[]) {
    this.#fields = fields;
    fields.forEach(({ instruction, part }, n) => this.#slots[part].set(instruction, n * SLOT));
  }

  /** Bytes that they take behind SEEN, in whole records. */
  get size(): number {
    return Math.ceil((this.#fields.length * SLOT) / RECORD.size) * RECORD.size;
  }

  /** Where behind SEEN a number stands, as an i64; undefined when it is none of them. */
  slotOf(instruction: GuestInstruction, part: InstructionPart): number | undefined {
    return this.#slots[part].get(instruction);
  }

  /**
   * What a shape says of them.
   * @param ranges of the region's bytes
   * @param slots where in the records the slots begin
   * @param recordOf where in the records a called instruction's is
   */
  describe(ranges: readonly CodeRange[], slots: number, recordOf: ReadonlyMap<GuestInstruction, number>): RegionParameter[] {
    return this.#fields
      .flatMap(({ instruction: i, part, at, size }, n) => {
        const from = { at: placeIn(ranges, i.delta + at), size };
        const slot: RegionParameter = { ...from, to: slots + n * SLOT, as: 8, add: 0 };
        const record = recordOf.get(i);
        if (record === undefined) return [slot];
        const add = i.ripRelative ? (i.delta & 0xfff) + i.length : 0;
        const field: RegionParameter =
          part === "immediate" ? { ...from, to: record + RECORD.imm, as: 8, add: 0 } : { ...from, to: record + RECORD.disp, as: 4, add };
        return [slot, field];
      })
      .sort((a, b) => a.at - b.at);
  }
}

/** For code that always is where it is. */
export const NO_PARAMETERS: RegionParameters = new RegionParameters([]);

/** Finds the numbers in kernel code that look as if they moved with it. @param bytes of an instruction */
export function kernelParameters(graph: RegionGraph, bytes: (i: GuestInstruction) => Uint8Array): RegionParameters {
  const instructions = graph.blocks.flatMap((b) => b.instructions);
  const times = new Map<number, number>();
  for (const i of instructions) for (let n = 0; n < i.length; n++) times.set(i.delta + n, (times.get(i.delta + n) ?? 0) + 1);
  const isAlone = (i: GuestInstruction): boolean => Array.from({ length: i.length }).every((_, n) => times.get(i.delta + n) === 1);
  const isInPage = (i: GuestInstruction): boolean => (i.delta & 0xfff) + i.length <= 0x1000;
  return new RegionParameters(instructions.filter((i) => isInPage(i) && isAlone(i)).flatMap((i) => fieldsOf(i, bytes(i))));
}

function fieldsOf(instruction: GuestInstruction, bytes: Uint8Array): Field[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { handler, immediate, displacement, length, relative, ripRelative, seg } = instruction;
  const fields: Field[] = [];
  // Immediate and displacement are the same bytes.
  if (handler.form.operands.some(({ kind }) => kind === "moffs")) return fields;
  const is64 = length > 8 && immediate === view.getBigInt64(length - 8, true);
  const is32 = length > 4 && immediate === BigInt(view.getInt32(length - 4, true));
  if (!relative && immediate < END && (is64 ? immediate >= START64 : is32 && immediate >= START32)) {
    const size = is64 ? 8 : 4;
    fields.push({ instruction, part: "immediate", at: length - size, size });
  }
  if (!(ripRelative ? seg !== ZERO : BigInt(displacement) < END)) return fields;
  const places = IMMEDIATE_SIZES.map((size) => length - size - 4).filter((at) => at > 0 && view.getInt32(at, true) === displacement);
  const [at] = places;
  if (at !== undefined && places.length === 1) fields.push({ instruction, part: "displacement", at, size: 4 });
  return fields;
}

/** Where the byte at `delta` stands among a region's bytes. */
function placeIn(ranges: readonly CodeRange[], delta: number): number {
  let at = 0;
  for (const r of ranges) {
    if (delta >= r.delta && delta < r.delta + r.length) return at + delta - r.delta;
    at += r.length;
  }
  throw new Error("Bug in Nido: a byte of a region lies in none of its ranges");
}

/** The bytes without the parameters. */
export function withoutParameters(bytes: Uint8Array, parameters: RegionShape["parameters"]): Uint8Array {
  const result = bytes.slice();
  for (const { at, size } of parameters) result.fill(0, at, at + size);
  return result;
}
